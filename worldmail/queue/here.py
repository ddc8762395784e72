"""Delivery into mailboxes of ours by way of the queue: mail that was held, or whose sender wants to hear of success.

The recipient is expanded once more, as things are now, and what it leads to is accepted in the unit that ends it here.
"""

from __future__ import annotations

from attrs import frozen

from worldmail.errors import Refusal
from worldmail.interfaces.directory import IDirectory
from worldmail.interfaces.outbound import Fate, Phase, RecipientFate
from worldmail.interfaces.store import Acceptance, IAcceptance, IAcceptancePart, KeptContent
from worldmail.mail.envelope import Origin
from worldmail.queue.expansion import Expansion, sort_out
from worldmail.queue.jobs import Job, Leased, Message
from worldmail.queue.states import Event


@frozen(kw_only=True)
class Here:
    """Expands and accepts."""

    directory: IDirectory
    expansion: Expansion
    acceptance: IAcceptance

    async def deliver(self, job: Job, leased: Leased) -> tuple[Event, RecipientFate, IAcceptancePart | None]:
        """What becomes of a recipient, and the part of the unit that does it; nothing is written yet."""
        recipient = leased.recipient
        try:
            resolution = await self.directory.resolve(recipient.address)
            accounts, others = sort_out(resolution)
            expanded = await self.expansion.places(recipient, accounts, others, None)
        except Refusal as refusal:
            return (Event.DEFERRED if refusal.temporary else Event.FAILED), fate_of(refusal), None
        event = _event(len(accounts), len(others))
        acceptance = Acceptance(
            id=job.message.acceptance,
            received=job.message.accepted,
            envelope=job.envelope([leased]),
            origin=_origin(job.message),
            content=KeptContent(id=job.message.content_id, size=job.message.size, told=job.message.told),
            deliveries=expanded.deliveries,
            message_id=None,
            onward=expanded.onward,
            wishes=job.message.wishes,
            report=job.message.report,
            event=event.value,
        )
        fate = RecipientFate(fate=Fate.DELIVERED, status="2.1.5", phase=Phase.CONTENT, reason=_SAID[event])
        return event, fate, self.acceptance.part(acceptance)


_SAID = {
    Event.DELIVERED: "Delivered to the mailbox",
    Event.EXPANDED: "Sent on to all that the address stands for",
    Event.FORWARDED: "Sent on to the address that this one stands for",
}


def _event(accounts: int, others: int) -> Event:
    """What it means to the sender (RFC 3461 §5.2.7): what goes to one address elsewhere is reported from there."""
    if others > 1:
        return Event.EXPANDED
    return Event.DELIVERED if accounts else Event.FORWARDED


def fate_of(refusal: Refusal) -> RecipientFate:
    """A refusal of our own as a fate."""
    return RecipientFate(
        fate=Fate.DEFERRED if refusal.temporary else Fate.FAILED,
        status=refusal.reply_enhanced,
        phase=Phase.RCPT,
        reason=refusal.reply_text,
    )


def _origin(message: Message) -> Origin:
    return Origin(session="queue", protocol="", client=message.client, helo=message.helo)
