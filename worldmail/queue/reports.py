"""Telling senders what became of their mail: reports are mail, accepted in the unit that writes what they tell of."""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Sequence
from typing import TYPE_CHECKING

from attrs import define, evolve, frozen
from zope.interface import Interface, implementer

from worldmail.errors import Refusal
from worldmail.interfaces.directory import IDirectory
from worldmail.interfaces.expansion import Expanded
from worldmail.interfaces.outbound import IOutgoingContent, Phase, RecipientFate, Wishes
from worldmail.interfaces.store import Acceptance, IAcceptance, IAcceptancePart, IContentWriter, Onward, StagedContent
from worldmail.interfaces.world import IClock, IJournal
from worldmail.mail.address import Address
from worldmail.mail.dsn.compose import compose
from worldmail.mail.dsn.rules import is_reported
from worldmail.mail.dsn.values import Action, Happening, Notice, Original, Report
from worldmail.mail.envelope import Body, Envelope, Notify, Origin, OriginalRecipient, Recipient, Return
from worldmail.queue.expansion import Expansion, is_elsewhere, sort_out
from worldmail.queue.jobs import Leased, Message
from worldmail.queue.states import Event

if TYPE_CHECKING:
    from worldmail.queue.settling import Transaction

AGAIN = (0.2, 1.0, 5.0, 15.0, 60.0)
"""Seconds after which a report that could not be made is tried again; of a failure the last one for ever, others are
lost then, and the log says so."""

BARE = 15
"""Tries after which the report of a failure is made without the message, if that cannot be read: eleven minutes."""

HEADER = 256 * 1024
"""Octets of a message in which its header is looked for."""

MOST = 1000
"""Recipients in one report."""

_FINAL = {Event.FAILED: Action.FAILED, Event.EXPIRED: Action.FAILED, Event.DELAYED: Action.DELAYED}


class Manner(enum.Enum):
    """How a report is made."""

    PATIENT = enum.auto()  # try again until it can be
    NOW = enum.auto()  # once; what is in the way is raised
    BY_QUEUE = enum.auto()  # patiently; to a mailbox of ours by way of the queue, since that is full


@frozen(kw_only=True)
class Happened:
    """What happened to one recipient."""

    event: Event
    leased: Leased
    fate: RecipientFate


class IReports(Interface):
    """Makes reports."""

    def part(
        message: Message, happened: Sequence[Happened], transaction: Transaction, manner: Manner = Manner.PATIENT
    ) -> Awaitable[IAcceptancePart | None]:
        """The acceptance of a report to the sender, to be written with what it tells of; None if nobody is to be told.

        What can never be reported is logged. Raises a temporary `Refusal` if it is to be made now and cannot.
        """


@implementer(IReports)
@define(kw_only=True)
class Reports:
    """Provides `IReports`.

    Args:
        host: our own name.
        double_failures: "postmaster" if the postmaster is to have reports that cannot be delivered, else "discard".
    """

    acceptance: IAcceptance
    directory: IDirectory
    expansion: Expansion
    clock: IClock
    journal: IJournal
    host: str
    double_failures: str

    async def part(
        self,
        message: Message,
        happened: Sequence[Happened],
        transaction: Transaction,
        manner: Manner = Manner.PATIENT,
    ) -> IAcceptancePart | None:
        """See `IReports.part`."""
        to = self._whom(message, happened)
        tries = 0
        while to is not None and (happenings := self._happenings(message, happened, transaction, to)):
            try:
                content = await self._content(message, bare=tries >= BARE)
                return await self._make(message, content, happenings, to, by_queue=manner is Manner.BY_QUEUE)
            except Refusal as refusal:
                failed = any(happening.action is Action.FAILED for happening in happenings)
                lost = not refusal.temporary or (tries >= len(AGAIN) and not failed)
                if not lost and manner is Manner.NOW:
                    raise
                reason = str(refusal.reason or refusal)
            except Exception as error:  # noqa: BLE001  a message that no report can be made of must not stay for ever
                self.journal.failure("report.failed", error, acceptance=message.acceptance)
                return None
            if lost:
                self.journal.record("report.lost", acceptance=message.acceptance, to=str(to), reason=reason)
                to = self._postmaster() if to.key != self._name().key else None
            else:
                if tries >= len(AGAIN):
                    self.journal.record("report.waits", acceptance=message.acceptance, reason=reason)
                await self.clock.sleep(AGAIN[min(tries, len(AGAIN) - 1)])
                tries += 1
        return None

    async def _content(self, message: Message, *, bare: bool) -> tuple[IOutgoingContent | None, bytes]:
        """The message and its header; None if it is done without. Raises a temporary `Refusal`."""
        try:
            content = await self.acceptance.outgoing(message.content_id)
            return content, await _header(content)
        except Refusal as refusal:
            if not (bare and refusal.temporary):
                raise
            return None, b""

    def _whom(self, message: Message, happened: Sequence[Happened]) -> Address | None:
        """The sender; for mail without one the postmaster, if the site wants that (RFC 5321 §6.1)."""
        if message.envelope.sender is not None:
            return message.envelope.sender
        told_before = any(_was_for_postmaster(one.leased.recipient) for one in happened)
        return None if told_before else self._postmaster()

    def _name(self) -> Address:
        return Address("postmaster", self.host)

    def _postmaster(self) -> Address | None:
        """Who is told of what nobody else can be."""
        return self._name() if self.double_failures == "postmaster" else None

    def _happenings(
        self, message: Message, happened: Sequence[Happened], transaction: Transaction, to: Address
    ) -> list[Happening]:
        doubled = to is not message.envelope.sender
        found = []
        for one in happened[:MOST]:
            action = _action(one.event, transaction)
            notify = None if doubled else one.leased.recipient.notify
            if action is None or (doubled and action is not Action.FAILED):
                continue
            if is_reported(notify, action, null_sender=False, taken_over=transaction.dsn) or (
                action is Action.RELAYED and _relay_is_told(message.wishes, notify, transaction)
            ):
                found.append(self._happening(one, action, message, transaction))
        return found

    def _happening(self, one: Happened, action: Action, message: Message, transaction: Transaction) -> Happening:
        fate = one.fate
        return Happening(
            recipient=one.leased.recipient,
            action=action,
            status=fate.status,
            reason=fate.reason,
            server=_spoken_to(fate, transaction),
            reply=None if fate.reply is None else str(fate.reply),
            last_attempt=int(self.clock.now()) if transaction.server else None,
            retry_until=one.leased.expires if action is Action.DELAYED else None,
            log_id=message.acceptance,
        )

    async def _make(
        self,
        message: Message,
        found: tuple[IOutgoingContent | None, bytes],
        happenings: Sequence[Happening],
        to: Address,
        *,
        by_queue: bool,
    ) -> IAcceptancePart:
        content, header = found
        now = int(self.clock.now())
        id_ = self.acceptance.new_id()
        original = _returnable(message, header, whole=content is not None)
        report = compose(
            Notice(
                host=self.host,
                to=to,
                original=original,
                happenings=tuple(happenings),
                at=now,
                message_id=f"{id_}@{self.host}",
            )
        )
        recipient = Recipient(address=to, notify=report.envelope.recipients[0].notify, original=self._original(to))
        accounts, others = sort_out(await self.directory.resolve(to))
        if by_queue and not is_elsewhere(recipient, accounts, others):
            expanded = Expanded(deliveries=(), onward=(Onward(recipient=recipient, here=True),), accounts=())
        else:
            expanded = await self.expansion.places(recipient, accounts, others, None)
        staged = await self._staged(report, content)
        return self.acceptance.part(
            Acceptance(
                id=id_,
                received=now,
                envelope=Envelope(sender=None, recipients=(recipient,), body=report.body, smtputf8=report.smtputf8),
                origin=Origin(session=f"report on {message.acceptance}", protocol="report", client="127.0.0.1"),
                content=staged,
                deliveries=expanded.deliveries,
                message_id=f"<{id_}@{self.host}>",
                unrepeatable=True,
                onward=expanded.onward,
                wishes=Wishes(require_tls=message.wishes.require_tls),
                report=True,
                about=message.acceptance,
            )
        )

    def _original(self, to: Address) -> OriginalRecipient | None:
        """Whom a report to the postmaster was for, wherever it goes: it must be known for what it is if it fails."""
        return OriginalRecipient(address_type="rfc822", address=str(to)) if to.key == self._name().key else None

    async def _staged(self, report: Report, content: IOutgoingContent | None) -> StagedContent:
        writer: IContentWriter = self.acceptance.writer()
        try:
            if report.body is Body.BINARY:
                writer.may_be_binary()
            writer.write(report.head)
            if report.original is Return.FULL and content is not None:
                async for chunk in content.chunks():
                    writer.write(chunk)
                    if writer.behind():
                        await writer.caught_up()
            writer.write(report.tail)
            staged: StagedContent = await writer.finish()
        except BaseException:
            writer.abort()
            raise
        return staged


def _was_for_postmaster(recipient: Recipient) -> bool:
    original = recipient.original
    return recipient.address.local_key == "postmaster" or (
        original is not None and original.address.lower().startswith("postmaster@")
    )


def _spoken_to(fate: RecipientFate, transaction: Transaction) -> str | None:
    """The server that was talked to, or could not be; where none was found, the name that was looked up is none."""
    name, bracket, address = transaction.server.partition("[")
    if fate.phase is Phase.NAME and fate.reply is None:
        return None
    if name or not bracket:
        return name.partition(":")[0] or None
    address = address.partition("]")[0]
    return f"[IPv6:{address}]" if ":" in address else f"[{address}]"  # RFC 5321 §4.1.3


def _action(event: Event, transaction: Transaction) -> Action | None:
    """In the words of RFC 3464 §2.3.3; None for what is not reported."""
    if event is Event.DELIVERED:
        return Action.RELAYED if transaction.server else Action.DELIVERED
    if event is Event.EXPANDED:
        return Action.EXPANDED
    return _FINAL.get(event)


def _relay_is_told(wishes: Wishes, notify: frozenset[Notify] | None, transaction: Transaction) -> bool:
    """Mail with a time by which it is to be delivered went on: where it was to be traced, and where nobody knows of
    the time any more, its sender is told, unless never (RFC 2852 §4)."""
    by = wishes.deliver_by
    if by is None or (notify is not None and Notify.NEVER in notify):
        return False
    return wishes.trace_by or (by[1] == "N" and not transaction.deliver_by)


def _returnable(message: Message, header: bytes, *, whole: bool) -> Original:
    """What a report says of the message, and gives back of it."""
    whole = whole and not message.wishes.require_tls  # RFC 8689 §5: the report goes the same way, with the header alone
    return Original(
        envelope=message.envelope if whole else evolve(message.envelope, returns=Return.HEADERS),
        header=header,
        size=message.size,
        arrived=message.accepted,
        origin=_origin(message) if message.client else None,
        release=message.wishes.release,
        deliver_by=None if message.wishes.deliver_by is None else message.wishes.deliver_by[0],
    )


async def _header(content: IOutgoingContent) -> bytes:
    """All lines of the header, without the empty one behind it; nothing if it does not end in time."""
    seen = b""
    async for chunk in content.chunks():
        seen += chunk
        end = seen.find(b"\r\n\r\n")
        if end >= 0:
            return seen[: end + 2]
        if len(seen) > HEADER:
            break
    return b"" if seen.startswith(b"\r\n") or len(seen) > HEADER else seen


def _origin(message: Message) -> Origin:
    return Origin(session="", protocol="", client=message.client, helo=message.helo)
