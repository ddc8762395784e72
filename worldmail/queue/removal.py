"""What an administrator removes: with a report, if that is wished, and of what is being tried once that has failed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from worldmail.interfaces.database import Cursor
from worldmail.interfaces.outbound import Fate, Phase, RecipientFate
from worldmail.queue.jobs import Leased, Message, read_recipient
from worldmail.queue.reports import Happened, IReports
from worldmail.queue.states import Event
from worldmail.queue.untold import add_untold

if TYPE_CHECKING:
    from worldmail.queue.settling import Transaction

SILENT = "remove"
"""A wish: it is to be removed, and nobody is told."""

REPORTED = "remove and report"
"""A wish: the same, and its sender is told."""

REMOVALS = frozenset({SILENT, REPORTED})

WISHED = "by an administrator, while it was tried"
"""What the trace says where a wish is carried out."""

_FATE = RecipientFate(
    fate=Fate.FAILED,
    status="5.0.0",  # RFC 3463 §3.1: nothing more is known
    phase=Phase.NAME,
    reason="An administrator of the mail system removed the message from the queue",
)


def leased_of(id_: int, address: str, wishes: str | None, attempts: int, expires: int) -> Leased:
    """A recipient of whom a report is made."""
    recipient = read_recipient(address, wishes)
    return Leased(id=id_, recipient=recipient, attempts=attempts, expires=expires, warned=0)


def tell_of_removal(
    cursor: Cursor, reports: IReports, message: Message, some: Sequence[Leased], nobody: Transaction, now: int
) -> bool:
    """Let the sender be told of these, as of a failure: in the unit that removes them, before it does so.

    True if there is something to tell. `nobody` is an attempt in which nothing was talked to.
    """
    happened = [Happened(event=Event.FAILED, leased=leased, fate=_FATE) for leased in some]
    happenings = reports.due(message, happened, nobody)
    return bool(happenings) and add_untold(cursor, message.id, happenings, now)
