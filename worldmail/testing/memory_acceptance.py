"""Accepting mail in memory, into mailboxes that live as long as the test."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator, Awaitable, Iterator
from typing import Any

from attrs import asdict, define, evolve, field, frozen
from zope.interface import implementer

from worldmail.errors import Refusal, StorageFull, TakenElsewhere
from worldmail.interfaces.outbound import IOutgoingContent
from worldmail.interfaces.queue import IOnward, IParcel
from worldmail.interfaces.store import (
    Acceptance,
    Handover,
    IAcceptance,
    IAcceptancePart,
    IContentWriter,
    KeptContent,
    StagedContent,
)
from worldmail.mail.envelope import Delivery
from worldmail.testing.memory_store import MemoryMailboxes, MemoryTrace
from worldmail.wire.ready import Ready

_BEFORE = ("id", "at", "client", "name", "helo", "protocol", "local")
"""What a server before us may have told of a message."""


@implementer(IContentWriter)
@define(kw_only=True)
class MemoryWriter:
    """Keeps everything inline. `fail` is raised by `finish`; `waits` is what `caught_up` gives."""

    size: int = 0
    fail: Refusal | None = None
    slow: bool = False
    caught_up_calls: int = 0
    aborted: bool = False
    finished: bool = False
    binary: bool = False
    pieces: list[bytes] = field(factory=list)

    def may_be_binary(self) -> None:
        """See `IContentWriter`."""
        self.binary = True

    def write(self, data: bytes) -> None:
        """Keep it."""
        assert not self.finished, "written to after finish"
        if self.aborted:
            return
        self.pieces.append(data)
        self.size += len(data)

    def behind(self) -> bool:
        """True while `slow`."""
        return self.slow

    def caught_up(self) -> Awaitable[None]:
        """Already."""
        self.caught_up_calls += 1
        return Ready(None)

    async def finish(self, prepend: bytes = b"") -> StagedContent:
        """All of it, inline."""
        if self.fail is not None:
            raise self.fail
        assert not self.aborted, "finished after abort"
        self.finished = True
        octets = prepend + b"".join(self.pieces)
        digest = hashlib.sha256(octets).digest()
        return StagedContent(digest=digest, size=len(octets), inline=octets, place=None, binary=self.binary)

    def abort(self) -> None:
        """Forget it."""
        if not self.finished:
            self.aborted = True
            self.pieces.clear()


@implementer(IParcel)
class MemoryParcel:
    """Provides `IParcel`: goes nowhere. What goes on is told by `Acceptance.onward`."""

    shared = True

    def add(self, cursor: Any, content_id: int) -> None:
        """See `IParcel.add`."""

    def accepted(self) -> None:
        """See `IParcel.accepted`."""

    def dropped(self) -> None:
        """See `IParcel.dropped`."""


@implementer(IOnward)
class MemoryOnward:
    """Provides `IOnward`."""

    def parcel(self, acceptance: Acceptance) -> MemoryParcel:
        """See `IOnward.parcel`."""
        return MemoryParcel()


@implementer(IAcceptance)
@define(kw_only=True)
class MemoryAcceptance:
    """Accepts into `mailboxes`, tells `trace`, and keeps what was accepted. `fail` is raised instead."""

    mailboxes: MemoryMailboxes
    trace: MemoryTrace = field(factory=MemoryTrace)
    accepted: list[Acceptance] = field(factory=list)
    writers: list[MemoryWriter] = field(factory=list)
    fail: Refusal | None = None
    fail_writer: Refusal | None = None
    slow: bool = False
    keep_writers: bool = True
    count: int = 0
    onward: IOnward | None = field(factory=MemoryOnward)
    contents: dict[int, bytes] = field(factory=dict)
    arrivals: dict[Handover, set[str]] = field(factory=dict)

    def new_id(self) -> str:
        """16 characters, counted up."""
        self.count += 1
        return f"A{self.count:015d}"

    def check_room(self, size: int) -> None:
        """There is always room, but for `fail`."""
        if isinstance(self.fail, StorageFull):
            raise self.fail

    def writer(self) -> MemoryWriter:
        """A new writer, kept in `writers`."""
        writer = MemoryWriter(fail=self.fail_writer, slow=self.slow)
        if self.keep_writers:
            self.writers.append(writer)
        return writer

    async def accept(self, acceptance: Acceptance) -> None:
        """Deliver, or raise `fail`."""
        part = self.part(acceptance)
        try:
            part.write(None)
        except Refusal:
            await part.dropped(refused=True)
            raise
        part.accepted(None)

    def part(self, acceptance: Acceptance) -> MemoryPart:
        """The same as a part."""
        parcel = None
        if acceptance.onward:
            assert self.onward is not None
            parcel = self.onward.parcel(acceptance)
        return MemoryPart(self, acceptance, parcel)

    async def arrived(self, handover: Handover) -> frozenset[str]:
        """See `IAcceptance.arrived`."""
        return frozenset(self.arrivals.get(handover, ()))

    async def outgoing(self, content_id: int) -> MemoryContent:
        """What was accepted as content of this id."""
        return MemoryContent(self.contents[content_id])

    def deliver(self, acceptance: Acceptance) -> int:
        """Put it into the mailboxes; the id of its content. Raises `fail`."""
        if self.fail is not None:
            raise self.fail
        kept = acceptance.content
        content = self.contents[kept.id] if isinstance(kept, KeptContent) else kept.inline
        assert content is not None
        drops = [(delivery, _prefix(acceptance, delivery)) for delivery in acceptance.deliveries]
        for delivery, prefix in drops:
            self.mailboxes.check_delivery(delivery, len(prefix) + len(content))
        self._note_arrival(acceptance)
        for delivery, prefix in drops:
            self.mailboxes.box(delivery.account_id, delivery.mailbox).add(content, prefix, acceptance.received)
        content_id = kept.id if isinstance(kept, KeptContent) else len(self.contents) + 1
        self.contents[content_id] = content
        self.accepted.append(evolve(acceptance))
        told = acceptance.origin.told
        known = {} if told is None else asdict(told) | {"at": told.since}
        before = {f"before_{name}": known[name] for name in _BEFORE if known.get(name)}
        detail = json.dumps({"session": acceptance.origin.session, "size": len(content), **before})
        self.trace.record(None, acceptance.id, acceptance.received, acceptance.event, [*_keys(acceptance)], detail)
        return content_id

    def _note_arrival(self, acceptance: Acceptance) -> None:
        recipients = {str(recipient.address) for recipient in acceptance.envelope.recipients}
        if acceptance.handover is not None:
            have = self.arrivals.setdefault(acceptance.handover, set())
            if have & recipients:
                raise TakenElsewhere
            have |= recipients


@implementer(IAcceptancePart)
@frozen
class MemoryPart:
    """Provides `IAcceptancePart` for `MemoryAcceptance`."""

    _store: MemoryAcceptance
    _acceptance: Acceptance
    _parcel: IParcel | None

    def write(self, cursor: Any) -> None:
        """Deliver. What was written is not taken back."""
        content_id = self._store.deliver(self._acceptance)
        if self._parcel is not None:
            self._parcel.add(cursor, content_id)

    def accepted(self, result: None) -> None:
        """Tell the queue."""
        if self._parcel is not None:
            self._parcel.accepted()

    async def dropped(self, refused: bool) -> None:
        """Tell the queue."""
        if self._parcel is not None:
            self._parcel.dropped()


@implementer(IOutgoingContent)
@frozen
class MemoryContent:
    """Provides `IOutgoingContent`."""

    inline: bytes

    @property
    def size(self) -> int:
        """Octets."""
        return len(self.inline)

    async def chunks(self) -> AsyncIterator[bytes]:
        """All in one."""
        yield self.inline


def _prefix(acceptance: Acceptance, delivery: Delivery) -> bytes:
    sender = acceptance.envelope.sender
    return f"Return-Path: <{sender or ''}>\r\nDelivered-To: {delivery.recipient.address}\r\n".encode()


def _keys(acceptance: Acceptance) -> Iterator[str]:
    envelope = acceptance.envelope
    yield from (recipient.address.key for recipient in envelope.recipients)
    yield "<>" if envelope.sender is None else envelope.sender.key
    yield from (delivery.account.key for delivery in acceptance.deliveries if delivery.account is not None)
    yield from (onward.recipient.address.key for onward in acceptance.onward)
    told = acceptance.origin.told
    yield from filter(None, (acceptance.message_id, acceptance.about, None if told is None else told.id))
