"""One mail transaction: from MAIL to the end of its data, or to whatever ends it before (RFC 5321 §3.3)."""

from __future__ import annotations

from attrs import define, field

from worldmail.errors import MessageTooLarge
from worldmail.interfaces.expansion import Expanded
from worldmail.interfaces.outbound import Wishes
from worldmail.interfaces.store import Handover, Onward
from worldmail.mail.address import Address
from worldmail.mail.envelope import Delivery, Envelope, Recipient
from worldmail.protocols.smtp.chunks import ChunkInspector
from worldmail.protocols.smtp.grammar import MailArguments
from worldmail.protocols.smtp.intake import Intake


@define(eq=False)
class Transaction:
    """What MAIL and RCPT have given by now.

    Args:
        sender: the reverse-path, qualified; None for the null one.
        arguments: MAIL as it was given.
        size_limit: the most octets the message may have, the smallest of all limits that apply.
        handover: what tells that a recipient has it already; None where nothing does.
        known: recipients, as they are said, that have it.
        repeats: those of them that it is for: there is nothing left to do for them.
        narrowest: the recipient whose limit that is; None if it is no recipient's.
        submitter: who submitted the message first, None if that is not known (RFC 4954 §5).
        wishes: what MAIL asked for that goes with the message.
        not_before: the moment until which it is to be held, 0 for none (RFC 4865).
        intake: where the content goes, once it comes.
        inspector: looks at the lines of its chunks, if they are lines.
    """

    sender: Address | None
    arguments: MailArguments
    size_limit: int
    submitter: Address | None = None
    recipients: list[Recipient] = field(factory=list)
    deliveries: dict[int, Delivery] = field(factory=dict)
    onward: dict[tuple[str, bool], Onward] = field(factory=dict)
    wishes: Wishes = Wishes()
    not_before: int = 0
    intake: Intake | None = None
    inspector: ChunkInspector | None = None
    narrowest: Recipient | None = None
    handover: Handover | None = None
    known: frozenset[str] = frozenset()
    repeats: int = 0

    def add(self, recipient: Recipient, expanded: Expanded) -> None:
        """One more recipient, and where it leads. An account is delivered to once, for the first that led there."""
        self.recipients.append(recipient)
        for delivery in expanded.deliveries:
            self.deliveries.setdefault(delivery.account_id, delivery)
        for onward in expanded.onward:
            self.onward.setdefault((onward.recipient.address.key, onward.here), onward)
        for account in expanded.accounts:
            self.narrow(recipient, account.max_message)

    @property
    def count(self) -> int:
        """Recipients."""
        return len(self.recipients) + self.repeats

    def narrow(self, recipient: Recipient, most: int | None) -> None:
        """No message of more octets than this can go to this recipient."""
        if most is not None and most < self.size_limit:
            self.size_limit, self.narrowest = most, recipient

    def too_large(self) -> MessageTooLarge:
        """The refusal of a message over the limit.

        One reply is all that there is for all recipients (RFC 5321 §4.2.5), and the size of a message that was not
        declared (RFC 1870 §6.1) is known too late to refuse one of them: the reply tells whom to leave out.
        """
        if self.narrowest is None or len(self.recipients) == 1:
            return MessageTooLarge()
        return MessageTooLarge(f"{MessageTooLarge.text} of <{self.narrowest.address}>, nobody gets it")

    def envelope(self) -> Envelope:
        """All of it as a value."""
        arguments = self.arguments
        return Envelope(
            sender=self.sender,
            recipients=tuple(self.recipients),
            body=arguments.body,
            smtputf8=arguments.smtputf8,
            size=arguments.size,
            envelope_id=arguments.envelope_id,
            returns=arguments.returns,
            submitter=self.submitter,
        )

    def abandon(self) -> None:
        """Forget what came of the content."""
        if self.intake is not None:
            self.intake.abort()
            self.intake = None
