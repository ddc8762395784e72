"""What happens to a message's content on its way in.

The header is collected, up to a limit, and looked at once; then everything goes straight into
the store's writer. In front go our Received field, what a submission left out,
and labels for 8-bit text that has none. On an mx listener nothing else is changed
but that Return-Path fields, which only the last server may write, are taken out
(RFC 5321 §4.4), and Authentication-Results fields that pretend to be ours, or our relay's
where it is not from there that they come (RFC 8601 §5).
"""

from __future__ import annotations

from collections.abc import Awaitable

from attrs import evolve, frozen

from worldmail.errors import MalformedMessage, MessageTooLarge, OverQuota, TemporaryFailure
from worldmail.interfaces.outbound import Wishes
from worldmail.interfaces.policy import Asker, MessageRequest
from worldmail.interfaces.store import Acceptance, Handover, Onward
from worldmail.interfaces.world import World
from worldmail.mail.envelope import Body, Delivery, Envelope, Origin
from worldmail.mail.header import Header, starts_with_field
from worldmail.mail.labels import CharsetSense, label_fields, may_be_labelled
from worldmail.mail.line_ends import with_line_ends
from worldmail.mail.received import received_field
from worldmail.mail.results import FIELD as RESULTS
from worldmail.mail.results import without_results
from worldmail.mail.submission import missing_fields, qualified_header, without_blind_copies
from worldmail.protocols.smtp.priorities import FIELD, Priorities, tunnelled
from worldmail.protocols.smtp.settings import SmtpSettings

HOLD = 32 * 1024
"""Octets of a message without MIME labels that are held until it is known whether it needs some."""

_MAXIMUM_MESSAGE_ID = 998


@frozen(kw_only=True)
class Consignment:
    """What is known of a message before its content comes.

    Args:
        host: our own name.
        size_limit: the most octets it may have.
        priorities: which priority it may have.
        asked_priority: what MAIL asked for, None if nothing.
        forged: names of servers whose word nobody brings from outside (RFC 8601 §5).
        handover: see `interfaces.store.Acceptance`.
    """

    world: World
    settings: SmtpSettings
    host: str
    asker: Asker
    origin: Origin
    envelope: Envelope
    deliveries: tuple[Delivery, ...]
    onward: tuple[Onward, ...]
    wishes: Wishes
    size_limit: int
    priorities: Priorities
    asked_priority: int | None
    forged: frozenset[str] = frozenset()
    handover: Handover | None = None


class Intake:
    """Takes one message's octets and, at the end, has it accepted.

    Attributes:
        id: the acceptance id.
        size: octets taken so far.
        lowered: the priority of the message, if a field of it asked for another; else None.
    """

    __slots__ = (
        "_binary",
        "_consignment",
        "_finishing",
        "_head",
        "_header",
        "_held",
        "_held_size",
        "_message_id",
        "_received",
        "_sense",
        "_top",
        "_wishes",
        "_writer",
        "aborted",
        "id",
        "lowered",
        "size",
    )

    def __init__(self, consignment: Consignment) -> None:
        acceptance = consignment.world.acceptance
        self._consignment = consignment
        self._binary = consignment.envelope.body is Body.BINARY
        self._wishes = consignment.wishes
        self._writer = acceptance.writer()
        if self._binary:
            self._writer.may_be_binary()
        self._head: bytearray | None = bytearray()
        self._header = b""
        self._top = b""  # what goes in front of everything, where it is not written yet
        self._sense: CharsetSense | None = None
        self._held: list[bytes] | None = None
        self._held_size = 0
        self._message_id: str | None = None
        self._received = int(consignment.world.clock.now())
        self._finishing = False
        self.aborted = False
        self.id: str = acceptance.new_id()
        self.size = 0
        self.lowered: int | None = None

    def write(self, octets: bytes) -> None:
        """Take the next octets. Raises `MessageTooLarge`; then the intake is to be aborted."""
        self.size += len(octets)
        if self.size > self._consignment.size_limit:
            raise MessageTooLarge
        if self._head is not None:
            self._collect(self._head, octets)
            return
        if self._sense is not None:
            self._sense.feed(octets)
            if self._held is not None:
                self._hold(self._held, octets)
                return
        self._writer.write(octets)

    def behind(self) -> bool:
        """True if the store wants us to wait; then await `caught_up`."""
        return bool(self._writer.behind())

    def caught_up(self) -> Awaitable[None]:
        """Done when more may be written."""
        waiting: Awaitable[None] = self._writer.caught_up()
        return waiting

    async def finish(self) -> None:
        """All octets are here; done when the message is accepted and on disk.

        Raises: what the policy and the store refuse it with; then the intake is to be aborted.
        """
        if self._head is not None:
            head = bytes(self._head)
            named = not head or starts_with_field(head)
            self._header_complete(head if named else b"", b"" if named else b"\r\n" + head)
        consignment = self._consignment
        request = MessageRequest(
            asker=consignment.asker, envelope=consignment.envelope, header=self._header, size=self.size
        )
        waiting = consignment.world.policy.ask(request)
        if waiting is not None:
            await waiting
        if self.aborted:
            raise TemporaryFailure(reason="the connection is gone")
        self._finishing = True
        try:
            content = await self._writer.finish(self._in_front())
            await consignment.world.acceptance.accept(
                Acceptance(
                    id=self.id,
                    received=self._received,
                    envelope=consignment.envelope,
                    origin=consignment.origin,
                    content=content,
                    deliveries=consignment.deliveries,
                    message_id=self._message_id,
                    unrepeatable=True,
                    onward=consignment.onward,
                    wishes=self._wishes,
                    handover=consignment.handover,
                )
            )
        except OverQuota as error:
            if consignment.world.settings.policy.over_quota == "permanent":
                raise OverQuota(code=552, enhanced="5.2.2", reason=error.reason) from None
            raise
        finally:
            self._finishing = False
        self._record()

    def abort(self) -> None:
        """Forget it all; what is being accepted at this moment is left to go through."""
        if not self._finishing:
            self.aborted = True
            self._held = None
            self._writer.abort()

    def _in_front(self) -> bytes:
        """What could not be written before the whole body was seen."""
        if self._held is not None:
            self._writer.write(b"".join(self._held))
        charset = self._sense.charset() if self._sense is not None else None
        return self._top + label_fields(charset) if charset is not None else self._top

    def _hold(self, held: list[bytes], octets: bytes) -> None:
        """Keep the start of a body whose label is not known yet: what goes in front of little costs little.

        Of a longer body, ASCII so far, most is ASCII to its end: it is written as it comes, and
        labels that are needed all the same come in front of our own field.
        """
        held.append(octets)
        self._held_size += len(octets)
        if self._held_size > HOLD:
            assert self._sense is not None
            if not self._sense.eight_bit:
                held.insert(0, self._top)
                self._top = b""
            self._held = None
            self._writer.write(b"".join(held))

    def _collect(self, head: bytearray, octets: bytes) -> None:
        """Look for the empty line that ends the header."""
        if not head:
            end = octets.find(b"\r\n\r\n")
            if end >= 0 and starts_with_field(octets):
                self._header_complete(octets[: end + 2], octets[end + 2 :])
                return
        seen = len(head)
        head += octets
        line = head.find(b"\r\n", max(0, seen - 1))
        if line < 0:
            self._check_length(len(head))
            return
        if not starts_with_field(head):
            # No header at all: everything is body, behind an empty line of ours unless it begins with one.
            self._header_complete(b"", bytes(head) if head.startswith(b"\r\n") else b"\r\n" + bytes(head))
            return
        end = head.find(b"\r\n\r\n", max(0, seen - 3))
        if end >= 0:
            self._header_complete(bytes(head[: end + 2]), bytes(head[end + 2 :]))
        else:
            self._check_length(len(head))

    def _check_length(self, length: int) -> None:
        if length > self._consignment.settings.header_size:
            raise MessageTooLarge("Message header exceeds the size limit")

    def _header_complete(self, raw: bytes, rest: bytes) -> None:
        """The header is `raw`; `rest` is what came behind it, beginning with the empty line."""
        self._check_length(len(raw))
        if self._binary and (b"\0" in raw or with_line_ends(raw) is not raw):
            # A body may be binary, fields are lines all the same (RFC 5322 §2.2): where one ends must be clear to all.
            raise MalformedMessage("Message header has a bare CR, a bare LF or a NUL octet")
        self._head = None
        consignment = self._consignment
        header = Header(raw)
        if b"return-path" in header:
            raw = header.without((b"return-path",))
        if RESULTS in header:
            raw = without_results(raw, consignment.forged)
        raw = self._settle_priority(header, raw)
        completions = b""
        if consignment.asker.role == "submission":
            header, raw, completions = self._completed(header, raw)
        message_id = header.first(b"message-id")
        if message_id is not None:
            self._message_id = message_id[:_MAXIMUM_MESSAGE_ID].decode("utf-8", "replace")
        self._header = raw
        top = self._trace_field() + completions
        if consignment.settings.label_8bit and not self._binary and may_be_labelled(header):
            self._top = top
            self._sense = CharsetSense()
            self._sense.feed(rest)
            self._held = []
            self._hold(self._held, raw + rest)
        else:
            self._writer.write(b"".join((top, raw, rest)))

    def _settle_priority(self, header: Header, raw: bytes) -> bytes:
        """The header without an MT-Priority that does not count. Where MAIL said nothing it does (RFC 6758 §3.1)."""
        found = tunnelled(header)
        if self._wishes.priority is None:
            asked = found or 0
            given = self._consignment.priorities.granted(asked)
            self.lowered = None if given == asked else given
            if FIELD in header:
                self._wishes = evolve(self._wishes, priority=given)
        if FIELD not in header or found == self._wishes.priority:
            return raw
        return Header(raw).without((FIELD,))

    def _completed(self, header: Header, raw: bytes) -> tuple[Header, bytes, bytes]:
        """The header as a submission gets it, and the fields to put in front (RFC 6409 §8)."""
        consignment = self._consignment
        account = consignment.asker.account
        author = consignment.envelope.sender
        if account is None:
            return header, raw, b""
        fields = missing_fields(
            header,
            author=account.address if author is None else author,
            host=consignment.host,
            unique=self.id,
            at=self._received,
        )
        qualified = qualified_header(without_blind_copies(Header(raw)), account.address.domain)
        return Header(fields + qualified), qualified, fields

    def _record(self) -> None:
        """One record of the message, and one of each mailbox that it is in now."""
        consignment = self._consignment
        envelope, record = consignment.envelope, consignment.world.journal.record
        record(
            "accepted",
            session=consignment.origin.session,
            acceptance=self.id,
            client=consignment.origin.client,
            account=consignment.origin.account,
            sender=str(envelope.sender or "<>"),
            recipients=len(envelope.recipients),
            size=self.size,
            protocol=consignment.origin.protocol,
            asked_priority=consignment.asked_priority,  # RFC 6710 §4.1
            priority=self._wishes.priority,
        )
        for delivery in consignment.deliveries:
            record(
                "delivered",
                session=consignment.origin.session,
                acceptance=self.id,
                to=str(delivery.recipient.address),
                account=None if delivery.account is None else str(delivery.account),
                mailbox=delivery.mailbox,
            )

    def _trace_field(self) -> bytes:
        consignment = self._consignment
        recipients = consignment.envelope.recipients
        return received_field(
            consignment.origin,
            host=consignment.host,
            acceptance=self.id,
            at=self._received,
            recipient=recipients[0].address if len(recipients) == 1 else None,
            account=consignment.origin.account if consignment.settings.record_account else None,
            priority=self._wishes.priority if consignment.asked_priority is None else consignment.asked_priority,
        )
