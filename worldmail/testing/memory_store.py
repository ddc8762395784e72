"""The store in memory: content, acceptance and mailboxes that live as long as the test."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator, Awaitable, Collection, Iterator, Sequence
from contextlib import suppress

from attrs import define, evolve, field
from zope.interface import implementer

from worldmail.errors import OverQuota, RecipientGone, Refusal, StorageFull, TemporaryFailure
from worldmail.interfaces.database import Cursor
from worldmail.interfaces.store import (
    Acceptance,
    IAcceptance,
    IContentWriter,
    IMailboxStore,
    IMaildropLock,
    ITrace,
    MailboxStatus,
    MessageRow,
    StagedContent,
    TraceRecord,
)
from worldmail.mail.address import Address
from worldmail.mail.envelope import Delivery
from worldmail.wire.ready import Ready

FIRST_MAILBOXES = {"INBOX": None, "Sent": "\\Sent", "Drafts": "\\Drafts", "Trash": "\\Trash", "Junk": "\\Junk"}
CHUNK = 65536


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


@define(kw_only=True)
class _Mailbox:
    id: int
    account_id: int
    name: str
    special_use: str | None = None
    uidvalidity: int
    uidnext: int = 1
    highestmodseq: int = 1
    messages: dict[int, tuple[MessageRow, bytes]] = field(factory=dict)
    expunged: dict[int, int] = field(factory=dict)

    def add(self, content: bytes, prefix: bytes, received: int) -> MessageRow:
        """A new message with the next UID."""
        self.highestmodseq += 1
        row = MessageRow(
            uid=self.uidnext,
            content_id=self.id * 1_000_000 + self.uidnext,
            prefix=prefix,
            size=len(prefix) + len(content),
            received=received,
            arrived=self.highestmodseq,
        )
        self.messages[row.uid] = (row, content)
        self.uidnext += 1
        return row


@implementer(IMaildropLock)
@define(kw_only=True, eq=False)
class _MaildropLock:
    account_id: int
    locked: set[int]
    released: bool = False

    def held(self) -> bool:
        """See `IMaildropLock.held`."""
        return not self.released

    def release(self) -> Ready[None]:
        """Give it back."""
        if not self.released:
            self.locked.remove(self.account_id)
        self.released = True
        return Ready(None)


@implementer(IMailboxStore)
@define(kw_only=True)
class MemoryMailboxes:
    """Mailboxes by (account id, name), and the quota of each account that has one."""

    boxes: dict[tuple[int, str], _Mailbox] = field(factory=dict)
    quotas: dict[int, int] = field(factory=dict)
    locked: set[int] = field(factory=set)
    fail: Refusal | None = None

    def add_account(self, account_id: int, quota: int | None = None) -> None:
        """Make the first mailboxes of an account."""
        if quota is not None:
            self.quotas[account_id] = quota
        for name, special_use in FIRST_MAILBOXES.items():
            number = len(self.boxes) + 1
            self.boxes[account_id, name] = _Mailbox(
                id=number, account_id=account_id, name=name, special_use=special_use, uidvalidity=number
            )

    def box(self, account_id: int, name: str = "INBOX") -> _Mailbox:
        """The mailbox, which is there."""
        return self.boxes[account_id, name]

    def add(
        self, account_id: int, content: bytes, *, prefix: bytes = b"", name: str = "INBOX", received: int = 0
    ) -> MessageRow:
        """Put a message there, as an acceptance would."""
        return self.box(account_id, name).add(content, prefix, received)

    def texts(self, account_id: int, name: str = "INBOX") -> list[bytes]:
        """The messages as a client would get them, in order."""
        return [row.prefix + content for row, content in self.box(account_id, name).messages.values()]

    def status(self, account_id: int, name: str) -> Awaitable[MailboxStatus | None]:
        """See `IMailboxStore.status`."""
        self._check()
        box = self.boxes.get((account_id, "INBOX" if name.lower() == "inbox" else name))
        return Ready(None if box is None else self._status(box))

    def mailboxes(self, account_id: int) -> Awaitable[list[MailboxStatus]]:
        """See `IMailboxStore.mailboxes`."""
        self._check()
        names = sorted(name for owner, name in self.boxes if owner == account_id)
        return Ready([self._status(self.boxes[account_id, name]) for name in names])

    def messages(self, mailbox_id: int, first_uid: int = 1) -> Awaitable[list[MessageRow]]:
        """See `IMailboxStore.messages`."""
        self._check()
        rows = [row for row, _ in self._by_id(mailbox_id).messages.values() if row.uid >= first_uid]
        return Ready(sorted(rows, key=lambda row: row.uid))

    def expunged_since(self, mailbox_id: int, modseq: int) -> Awaitable[list[int]]:
        """See `IMailboxStore.expunged_since`."""
        return Ready([uid for uid, when in sorted(self._by_id(mailbox_id).expunged.items()) if when > modseq])

    async def content(self, message: MessageRow) -> AsyncIterator[bytes]:
        """See `IMailboxStore.content`."""
        self._check()
        yield message.prefix
        found = self._by_id(message.content_id // 1_000_000).messages.get(message.uid)
        if found is None:
            raise TemporaryFailure(reason="the content is gone")
        _, content = found
        for start in range(0, len(content), CHUNK):
            yield content[start : start + CHUNK]

    def expunge(self, mailbox_id: int, uids: Collection[int]) -> Awaitable[frozenset[int]]:
        """See `IMailboxStore.expunge`."""
        self._check()
        box = self._by_id(mailbox_id)
        gone = frozenset(uid for uid in uids if box.messages.pop(uid, None) is not None)
        if gone:
            box.highestmodseq += 1
            box.expunged.update(dict.fromkeys(gone, box.highestmodseq))
        return Ready(gone)

    def lock_maildrop(self, account_id: int) -> Ready[IMaildropLock | None]:
        """See `IMailboxStore.lock_maildrop`."""
        if account_id in self.locked:
            return Ready(None)
        self.locked.add(account_id)
        return Ready(_MaildropLock(account_id=account_id, locked=self.locked))

    def check_delivery(self, delivery: Delivery, size: int) -> None:
        """Raise `RecipientGone` or `OverQuota` if a message of this size cannot go there."""
        owner = delivery.account_id
        if (owner, delivery.mailbox) not in self.boxes:
            raise RecipientGone(reason=f"account {owner} has no mailbox {delivery.mailbox}")
        held = sum(self._status(box).octets for box in self.boxes.values() if box.account_id == owner)
        if delivery.is_bounded and owner in self.quotas and held + size > self.quotas[owner]:
            raise OverQuota(reason=f"account {owner} would hold {held + size} of {self.quotas[owner]} octets")

    def _check(self) -> None:
        if self.fail is not None:
            raise self.fail

    def _by_id(self, mailbox_id: int) -> _Mailbox:
        return next(box for box in self.boxes.values() if box.id == mailbox_id)

    @staticmethod
    def _status(box: _Mailbox) -> MailboxStatus:
        return MailboxStatus(
            id=box.id,
            account_id=box.account_id,
            name=box.name,
            uidvalidity=box.uidvalidity,
            uidnext=box.uidnext,
            highestmodseq=box.highestmodseq,
            messages=len(box.messages),
            octets=sum(row.size for row, _ in box.messages.values()),
            special_use=box.special_use,
        )


@implementer(ITrace)
@define(kw_only=True)
class MemoryTrace:
    """Trace records in a list, each with what it can be found by."""

    records: list[tuple[TraceRecord, tuple[str, ...]]] = field(factory=list)

    def record(
        self, cursor: Cursor | None, acceptance: str, at: int, event: str, keys: Sequence[str], detail: str
    ) -> None:
        """See `ITrace.record`; there is no unit here, so no cursor is needed."""
        self.records.append((TraceRecord(acceptance=acceptance, at=at, event=event, detail=detail), tuple(keys)))

    def find(self, key: str) -> Awaitable[list[TraceRecord]]:
        """See `ITrace.find`."""
        spellings = {key, f"<{key}>"}
        with suppress(ValueError):
            spellings.add(Address.parse(key).key)
        met = {record.acceptance for record, keys in self.records if spellings & {record.acceptance, *keys}}
        return Ready([record for record, _ in self.records if record.acceptance in met])


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
        if self.fail is not None:
            raise self.fail
        content = acceptance.content.inline
        assert content is not None
        drops = [(delivery, _prefix(acceptance, delivery)) for delivery in acceptance.deliveries]
        for delivery, prefix in drops:
            self.mailboxes.check_delivery(delivery, len(prefix) + len(content))
        for delivery, prefix in drops:
            self.mailboxes.box(delivery.account_id, delivery.mailbox).add(content, prefix, acceptance.received)
        self.accepted.append(evolve(acceptance))
        detail = json.dumps({"session": acceptance.origin.session, "size": len(content)})
        self.trace.record(None, acceptance.id, acceptance.received, "accepted", [*_keys(acceptance)], detail)


def _prefix(acceptance: Acceptance, delivery: Delivery) -> bytes:
    sender = acceptance.envelope.sender
    return f"Return-Path: <{sender or ''}>\r\nDelivered-To: {delivery.recipient.address}\r\n".encode()


def _keys(acceptance: Acceptance) -> Iterator[str]:
    envelope = acceptance.envelope
    yield from (recipient.address.key for recipient in envelope.recipients)
    if envelope.sender is not None:
        yield envelope.sender.key
    if acceptance.message_id is not None:
        yield acceptance.message_id
