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
from worldmail.interfaces.store import (
    Acceptance,
    IAcceptance,
    IAcceptancePart,
    IContentWriter,
    ITrace,
    Onward,
    StagedContent,
)
from worldmail.interfaces.world import IClock, IJournal
from worldmail.mail.address import Address
from worldmail.mail.dsn.compose import compose
from worldmail.mail.dsn.rules import is_reported
from worldmail.mail.dsn.values import Action, Happening, Notice, Original, Report
from worldmail.mail.envelope import Body, Envelope, Notify, Origin, OriginalRecipient, Recipient, Return
from worldmail.mail.mime.headers import headers_are_ascii
from worldmail.queue.expansion import Expansion, is_elsewhere, sort_out
from worldmail.queue.jobs import Attempt, Leased, Message
from worldmail.queue.lost import Lost
from worldmail.queue.states import Event

if TYPE_CHECKING:
    from worldmail.queue.settling import Transaction

HEADER = 256 * 1024
"""Octets of a message in which its header is looked for."""

FAULT = "An internal fault"

_FINAL = {Event.FAILED: Action.FAILED, Event.EXPIRED: Action.FAILED, Event.DELAYED: Action.DELAYED}


class Manner(enum.Enum):
    """How a report to a mailbox of ours gets there."""

    NOW = enum.auto()  # in the unit that accepts it
    BY_QUEUE = enum.auto()  # by way of the queue, since it is full


@frozen(kw_only=True)
class Happened:
    """What happened to one recipient.

    Args:
        last: of what happened while it waited, the attempt before that; else the transaction is the attempt.
    """

    event: Event
    leased: Leased
    fate: RecipientFate
    last: Attempt | None = None


class IReports(Interface):
    """Makes reports."""

    def due(message: Message, happened: Sequence[Happened], transaction: Transaction) -> list[Happening]:
        """What of it the sender is to be told, or the postmaster in his place."""

    def made(
        message: Message, happenings: Sequence[Happening], manner: Manner = Manner.NOW, *, bare: bool = False
    ) -> Awaitable[IAcceptancePart]:
        """The acceptance of a report on these (`due` gave them), to be written in the unit that forgets them.

        What can never be reported is told by the trace instead. Raises a temporary `Refusal` if it cannot be made now.

        Args:
            bare: rather without the message than not at all.
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
    trace: ITrace
    host: str
    double_failures: str

    def due(self, message: Message, happened: Sequence[Happened], transaction: Transaction) -> list[Happening]:
        """See `IReports.due`."""
        doubled = message.envelope.sender is None
        if doubled and self._postmaster() is None:
            return []
        found, now = [], self.clock.now()
        for one in happened:
            recipient, action = one.leased.recipient, _action(one.event, transaction)
            notify = None if doubled else recipient.notify
            # For mail without a sender the postmaster is told, if the site wants that (RFC 5321 §6.1).
            if action is None or (doubled and (action is not Action.FAILED or _was_for_postmaster(recipient))):
                continue
            if is_reported(notify, action, null_sender=False, taken_over=transaction.dsn) or (
                action is Action.RELAYED and _relay_is_told(message.wishes, notify, transaction, now)
            ):
                found.append(self._happening(one, action, message, transaction))
        return found

    async def made(
        self, message: Message, happenings: Sequence[Happening], manner: Manner = Manner.NOW, *, bare: bool = False
    ) -> IAcceptancePart:
        """See `IReports.made`."""
        name, postmaster = self._name(), self._postmaster()
        to = message.envelope.sender or name
        part = await self._made(message, happenings, to, manner, bare)
        failed = [happening for happening in happenings if happening.action is Action.FAILED]
        if not isinstance(part, Lost) or not failed or postmaster is None or to.key == name.key:
            return part
        return evolve(part, instead=await self._made(message, failed, postmaster, manner, bare))

    async def _made(
        self, message: Message, happenings: Sequence[Happening], to: Address, manner: Manner, bare: bool
    ) -> IAcceptancePart:
        """The report, or what is written in its place. Raises a temporary `Refusal`."""
        try:
            return await self._read_and_made(message, happenings, to, manner, bare)
        except Refusal as refusal:
            if refusal.temporary:
                raise
            reason = str(refusal.reason or refusal)
        except Exception as error:  # noqa: BLE001  a message that no report can be made of must not stay for ever
            self.journal.failure("report.failed", error, acceptance=message.acceptance)
            reason = FAULT
        return Lost(
            trace=self.trace,
            journal=self.journal,
            acceptance=message.acceptance,
            at=int(self.clock.now()),
            recipients=tuple([str(happening.recipient.address) for happening in happenings]),
            to=to,
            reason=reason,
        )

    async def _read_and_made(
        self, message: Message, happenings: Sequence[Happening], to: Address, manner: Manner, bare: bool
    ) -> IAcceptancePart:
        by_queue = manner is Manner.BY_QUEUE
        try:
            found = await self._content(message)
            return await self._make(message, found, happenings, to, by_queue=by_queue)
        except Refusal as refusal:
            if not (bare and refusal.temporary):
                raise
        return await self._make(message, (None, b""), happenings, to, by_queue=by_queue)

    async def _content(self, message: Message) -> tuple[IOutgoingContent, bytes]:
        """The message and its header. Raises a temporary `Refusal`."""
        content: IOutgoingContent = await self.acceptance.outgoing(message.content_id)
        return content, await _header(content)

    def _name(self) -> Address:
        return Address("postmaster", self.host)

    def _postmaster(self) -> Address | None:
        """Who is told of what nobody else can be."""
        return self._name() if self.double_failures == "postmaster" else None

    def _happening(self, one: Happened, action: Action, message: Message, transaction: Transaction) -> Happening:
        fate = one.fate
        attempt = one.last or attempt_of(fate, transaction, int(self.clock.now()))
        return Happening(
            recipient=one.leased.recipient,
            action=action,
            status=fate.status,
            reason=fate.reason,
            server=attempt.server,
            reply=None if fate.reply is None else str(fate.reply),
            last_attempt=attempt.at,
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
        original = await _returnable(message, header, content)
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
                # RFC 8689 §5, RFC 6710 §4.6
                wishes=Wishes(require_tls=message.wishes.require_tls, priority=message.wishes.priority),
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


def attempt_of(fate: RecipientFate, transaction: Transaction, now: int) -> Attempt:
    """A transaction that ends now, as it is told of one recipient."""
    return Attempt(_spoken_to(fate, transaction), now if transaction.server else None)


def _spoken_to(fate: RecipientFate, transaction: Transaction) -> str | None:
    """The server that was talked to, or could not be; where none was found, the name that was looked up is none."""
    name, bracket, address = transaction.server.partition("[")
    if fate.phase is Phase.NAME and fate.reply is None:
        return None
    if "@" in name:  # the account that fetched it (RFC 2645): no name of the DNS, and what it signs in with
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


def _relay_is_told(wishes: Wishes, notify: frozenset[Notify] | None, transaction: Transaction, now: float) -> bool:
    """Mail with a time by which it is to be delivered went on: where it was to be traced, and where it went in time to
    who knows nothing of that, its sender is told, unless never (RFC 2852 §4.1.4)."""
    by = wishes.deliver_by
    if by is None or (notify is not None and Notify.NEVER in notify):
        return False
    return wishes.trace_by or (by[1] == "N" and not transaction.deliver_by and now < by[0])


async def _returnable(message: Message, header: bytes, content: IOutgoingContent | None) -> Original:
    """What a report says of the message, and gives back of it."""
    # RFC 8689 §5: the report goes the same way, with the header alone
    whole = content is not None and not message.wishes.require_tls
    in_utf8 = message.envelope.smtputf8 and content is not None and not await headers_are_ascii(content.chunks())
    return Original(
        envelope=message.envelope if whole else evolve(message.envelope, returns=Return.HEADERS),
        header=header,
        size=message.size,
        arrived=message.accepted,
        origin=_origin(message) if message.client else None,
        release=message.wishes.release,
        deliver_by=None if message.wishes.deliver_by is None else message.wishes.deliver_by[0],
        in_utf8=in_utf8,
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
