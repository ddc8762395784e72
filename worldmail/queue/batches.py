"""Which recipients of a message share a transaction.

To a server that does not know DSN, NOTIFY=NEVER can only be said by an empty reverse-path, in a transaction of its own
(RFC 3461 §5.2.2). That is a courtesy: where such a transaction is refused, it may be for the empty path (some take
nothing from nobody for those who sent nothing), and the same recipients go with their sender.
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen

from worldmail.interfaces.outbound import Fate, Outcome, RecipientFate
from worldmail.mail.dsn.rules import goes_without_sender
from worldmail.queue.jobs import Leased, Message


@frozen(kw_only=True)
class Batch:
    """The recipients of the next transaction.

    Args:
        later: those that go with another.
        nameless: it goes from nobody.
    """

    recipients: list[Leased]
    later: list[Leased]
    nameless: bool

    def sort_out(self, outcome: Outcome) -> tuple[list[tuple[Leased, RecipientFate]], list[Leased]]:
        """What became of recipients, and those of whom it does not count: they go again, with their sender."""
        pairs, refused = [], []
        for leased, fate in zip(self.recipients, outcome.fates, strict=True):
            if self.nameless and fate.fate is Fate.FAILED and fate.reply is not None:
                leased.named = True
                refused.append(leased)
            else:
                pairs.append((leased, fate))
        return pairs, refused


def next_batch(message: Message, remaining: Sequence[Leased], *, dsn: bool) -> Batch:
    """Of those that remain, not empty, those who go together.

    Args:
        dsn: the wishes are known there, or nobody there would report.
    """
    apart: list[Leased] = []
    if not dsn and message.envelope.sender is not None:
        apart = [one for one in remaining if not one.named and goes_without_sender(one.recipient.notify)]
    ids = {one.id for one in apart}
    later = [one for one in remaining if one.id not in ids] if apart else []
    return Batch(recipients=apart or list(remaining), later=later, nameless=bool(apart))
