"""The store in memory: content, acceptance and mailboxes that live as long as the test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Collection, Sequence
from contextlib import suppress

from attrs import define, field
from zope.interface import implementer

from worldmail.errors import OverQuota, RecipientGone, Refusal, TemporaryFailure
from worldmail.interfaces.database import Cursor
from worldmail.interfaces.store import (
    IMailboxStore,
    IMaildropLock,
    ITrace,
    MailboxStatus,
    MessageRow,
    TraceRecord,
)
from worldmail.mail.address import Address
from worldmail.mail.envelope import Delivery
from worldmail.wire.ready import Ready

FIRST_MAILBOXES = {"INBOX": None, "Sent": "\\Sent", "Drafts": "\\Drafts", "Trash": "\\Trash", "Junk": "\\Junk"}
CHUNK = 65536


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

    def find(self, key: str, most: int = 10_000) -> Awaitable[list[TraceRecord]]:
        """See `ITrace.find`."""
        spellings = {key, f"<{key}>"}
        with suppress(ValueError):
            spellings.add(Address.parse(key).key)
        found = [record.acceptance for record, keys in self.records if spellings & {record.acceptance, *keys}]
        met = set(list(dict.fromkeys(reversed(found)))[:most])
        met |= {record.acceptance for record, keys in self.records if met & set(keys)}
        return Ready([record for record, _ in self.records if record.acceptance in met])
