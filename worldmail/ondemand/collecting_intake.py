"""What happens to a fetched message on its way in: its header is looked at, all else goes straight into the store.

In front goes our Received field, and a Return-Path is taken out: it becomes the sender of the envelope, and is
written anew by the delivery (RFC 5321 §4.4). Nothing else is changed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from typing import Any

from attrs import define, field, frozen

from worldmail.errors import MessageTooLarge
from worldmail.interfaces.policy import Asker, IPolicy, MessageRequest
from worldmail.interfaces.store import Acceptance, IAcceptance, IContentWriter, StagedContent
from worldmail.mail.address import Address
from worldmail.mail.envelope import Body, Envelope, Origin
from worldmail.mail.header import Header, starts_with_field
from worldmail.mail.received import received_field
from worldmail.mail.results import FIELD as RESULTS
from worldmail.mail.results import without_results
from worldmail.ondemand.collecting_memory import lasting
from worldmail.ondemand.collecting_places import Placed

MAXIMUM_HEADER = 256 * 1024
"""Octets of a header, which is held in memory."""

_MAXIMUM_MESSAGE_ID = 998
_RETURN_PATH = b"return-path"
_MBOX = b"From ", b">From "

Claim = Callable[[Header], Awaitable[Placed]]
"""Says where a message with this header goes."""


@frozen(kw_only=True)
class Reception:
    """What the messages of one run share.

    Args:
        host: our own name.
        forged: names in which nobody but us, or our relays, tells what was checked, as `normal_name` has them.
        largest: octets of a message.
        claim: finds where each goes.
        now: epoch seconds.
    """

    acceptance: IAcceptance
    policy: IPolicy
    origin: Origin
    host: str
    forged: frozenset[str]
    largest: int
    claim: Claim
    now: Callable[[], float]


@define(kw_only=True, eq=False)
class Intake:
    """Takes one message. Whoever made it calls `abort` unless its `accepted` content was accepted.

    Attributes:
        placed: where it goes, once that is known.
    """

    reception: Reception
    id: str = field(init=False)
    size: int = field(default=0, init=False)
    placed: Placed | None = field(default=None, init=False)
    _writer: IContentWriter = field(init=False)
    _head: bytearray | None = field(factory=bytearray, init=False)
    _header: Header = field(factory=lambda: Header(b""), init=False)
    _digest: Any = field(factory=hashlib.sha256, init=False)
    _received: int = field(init=False)
    _ascii: bool = field(default=True, init=False)
    _first: bool = field(default=True, init=False)

    def __attrs_post_init__(self) -> None:
        acceptance: Any = self.reception.acceptance
        self.id = acceptance.new_id()
        self._writer = acceptance.writer()
        self._received = int(self.reception.now())

    async def take(self, octets: bytes) -> None:
        """The next octets, lines ended by CRLF. Raises `MessageTooLarge`, and what the store and `claim` raise."""
        self.size += len(octets)
        if self.size > self.reception.largest:
            raise MessageTooLarge
        self._ascii = self._ascii and octets.isascii()
        if self._head is None:
            self._digest.update(octets)
            self._writer.write(octets)
            if self._writer.behind():
                await self._writer.caught_up()
            return
        head = self._head
        seen = len(head)
        head += octets
        if self._first and not self._has_first(head):
            return
        end = head.find(b"\r\n\r\n", max(0, seen - 3))
        if end >= 0 and starts_with_field(head):
            await self._begin(bytes(head[: end + 2]), bytes(head[end + 2 :]))
        elif b"\r\n" in head and not starts_with_field(head):  # no header at all: everything is body
            await self._begin(b"", bytes(head) if head.startswith(b"\r\n") else b"\r\n" + bytes(head))
        elif len(head) > MAXIMUM_HEADER:
            raise MessageTooLarge("Message header exceeds the size limit")

    def _has_first(self, head: bytearray) -> bool:
        """Is it known what the message begins with? A line of mbox in front of the header is taken off."""
        if not head.startswith(_MBOX):
            self._first = len(head) < len(_MBOX[-1])
            return not self._first or b"\r\n" in head
        end = head.find(b"\r\n", head.find(b"\r\n") + 2) if b"\r\n" in head else -1
        if end < 0 and len(head) <= MAXIMUM_HEADER:
            return False
        self._first = False
        del head[: len(head) - len(without_mbox_line(head))]
        return True

    async def finish(self) -> Acceptance:
        """All octets are here. Raises what a policy and the store refuse it with."""
        if self._head is not None:
            head = bytes(self._head)
            named = not head or starts_with_field(head)
            await self._begin(head if named else b"", b"" if named else b"\r\n" + head)
        placed = self.placed
        assert placed is not None
        envelope = self._envelope(placed)
        await self._ask(envelope)
        content: StagedContent = await self._writer.finish()
        message_id = self._header.first(b"message-id")
        return Acceptance(
            id=self.id,
            received=self._received,
            envelope=envelope,
            origin=self.reception.origin,
            content=content,
            deliveries=placed.deliveries,
            message_id=None if message_id is None else message_id[:_MAXIMUM_MESSAGE_ID].decode("utf-8", "replace"),
            unrepeatable=True,
            onward=placed.onward,
        )

    def digest(self) -> str:
        """Of all that came, but for fields that servers change, in hex; when all octets are here."""
        digest = self._digest.copy()
        if self._head is not None:
            header = header_in(bytes(self._head))
            digest.update(lasting(header) if header else self._head)
        return str(digest.hexdigest())

    def abort(self) -> None:
        """Forget it."""
        self._writer.abort()

    async def _begin(self, raw: bytes, rest: bytes) -> None:
        """The header is `raw`; `rest` is what came behind it, with the empty line."""
        if len(raw) > MAXIMUM_HEADER:
            raise MessageTooLarge("Message header exceeds the size limit")
        self._head = None
        self._header = Header(raw)
        self._digest.update(lasting(raw))
        self._digest.update(rest)
        self.placed = await self.reception.claim(self._header)
        recipients = self.placed.recipients
        only = recipients[0].address if len(recipients) == 1 and not self.placed.unclaimed else None
        trace = received_field(
            self.reception.origin, host=self.reception.host, acceptance=self.id, at=self._received, recipient=only
        )
        if _RETURN_PATH in self._header:
            raw = self._header.without((_RETURN_PATH,))
        if RESULTS in self._header:  # RFC 8601 §5
            raw = without_results(raw, self.reception.forged)
        self._writer.write(b"".join((trace, raw, rest)))

    def _envelope(self, placed: Placed) -> Envelope:
        body = Body.SEVEN_BIT if self._ascii else Body.EIGHT_BIT
        return Envelope(sender=sender_of(self._header), recipients=placed.recipients, body=body)

    async def _ask(self, envelope: Envelope) -> None:
        """Has it gone round too often (RFC 5321 §6.3), and what else the site looks at."""
        origin = self.reception.origin
        asker = Asker(
            session=origin.session,
            role=origin.protocol.lower(),
            client=origin.client,
            helo=origin.helo,
            tls=False,
            account=None,
        )
        request = MessageRequest(asker=asker, envelope=envelope, header=self._header.raw, size=self.size)
        waiting = self.reception.policy.ask(request)
        if waiting is not None:
            await waiting


def header_in(raw: bytes) -> bytes:
    """What counts as the header, of the lines up to the first empty one: none if they do not begin with a field."""
    raw = bytes(without_mbox_line(raw))
    return raw if starts_with_field(raw) else b""


def without_mbox_line(text: bytes | bytearray) -> bytes | bytearray:
    """Some servers put the line in front that separates messages in a file (RFC 4155 appendix A)."""
    line = text.find(b"\r\n") + 2
    return text[line:] if text.startswith(_MBOX) and line > 1 and starts_with_field(text[line:]) else text


def sender_of(header: Header) -> Address | None:
    """The reverse-path that the delivering server wrote on top (RFC 5321 §4.4); None if it is null, or not to be told.

    One below a Received field was written before that server had the message, and may be anybody's invention.
    """
    text = header.raw.lower()
    if _position(text, _RETURN_PATH) >= _position(text, b"received"):
        return None
    value = header.first(_RETURN_PATH) or b""
    if not (value.startswith(b"<") and value.endswith(b">")):
        return None
    try:
        address = Address.parse(value[1:-1].decode())
    except ValueError:
        return None
    return address if address.domain else None


def _position(text: bytes, name: bytes) -> int:
    """Where the first field of this name begins, in a header in lower case; behind all if there is none."""
    if text.startswith(name + b":"):
        return 0
    at = text.find(b"\n" + name + b":")
    return len(text) if at < 0 else at + 1
