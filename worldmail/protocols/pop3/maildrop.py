"""A maildrop as one session sees it: a snapshot of INBOX with numbers, and what is marked as deleted.

The snapshot is the mailbox's status at login, one read; STAT needs no more. The list of messages is
read when a command first needs it. In between the mailbox may change through other protocols:

- what came later has a UID of UIDNEXT or above, and is left out;
- what was removed is missing from the list, but its UID is in the record of expunged messages, so it
  keeps its number, its unique-id and (as the rest of what the status counted) its octets. Only its text
  is gone. So STAT, LIST and UIDL agree, whenever they are given.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Iterator

from attrs import define, field

from worldmail.errors import TemporaryFailure
from worldmail.interfaces.store import IMailboxStore, IMaildropLock, MailboxStatus, MessageRow
from worldmail.protocols.pop3.replies import CommandRefused

INBOX = "INBOX"


@define(kw_only=True, eq=False)
class Maildrop:
    """The open maildrop of one session.

    Args:
        store: where the messages are.
        lock: the exclusive right to it, held from login to `release`.
        status: INBOX at login.
    """

    store: IMailboxStore
    lock: IMaildropLock
    status: MailboxStatus
    deleted: set[int] = field(factory=set, init=False)
    retrieved: int = field(default=0, init=False)
    _rows: list[MessageRow] | None = field(default=None, init=False)
    _vanished: frozenset[int] = field(default=frozenset(), init=False)
    _all: tuple[int, int] | None = field(default=None, init=False)
    _deleted_octets: int = field(default=0, init=False)

    @property
    def count(self) -> int:
        """How many messages there are, those marked as deleted left out (RFC 1939 §5)."""
        messages = self.status.messages if self._all is None else self._all[0]
        return messages - len(self.deleted)

    @property
    def octets(self) -> int:
        """The octets of those messages."""
        octets = self.status.octets if self._all is None else self._all[1]
        return octets - self._deleted_octets

    async def rows(self) -> list[MessageRow]:
        """All messages of the snapshot; number n is the item n - 1."""
        if self._rows is None:
            self._rows = await self._read() if self.status.messages else []
        return self._rows

    async def message(self, number: int) -> MessageRow:
        """The message with this number. Raises `CommandRefused` if there is none, or if it is marked as deleted."""
        rows = await self.rows()
        if not 0 < number <= len(rows) or number in self.deleted:
            raise CommandRefused("No such message")
        return rows[number - 1]

    async def listed(self) -> Iterator[tuple[int, MessageRow]]:
        """Numbers and messages, those marked as deleted left out."""
        rows, deleted = await self.rows(), self.deleted
        numbered = enumerate(rows, 1)
        return ((number, row) for number, row in numbered if number not in deleted) if deleted else iter(numbered)

    def content(self, message: MessageRow) -> AsyncIterator[bytes]:
        """Its octets. Raises `CommandRefused` if another protocol removed the message before it was looked at."""
        if message.uid in self._vanished:
            raise CommandRefused("This message was removed meanwhile")
        return self.store.content(message)

    def unique_id(self, message: MessageRow) -> bytes:
        """UIDVALIDITY and UID: the same for ever, and never another message's (RFC 1939 §7, RFC 9051 §2.3.1.1)."""
        return b"%d.%d" % (self.status.uidvalidity, message.uid)

    async def delete(self, number: int) -> None:
        """Mark a message as deleted. Raises `CommandRefused` as `message` does."""
        row = await self.message(number)
        self.deleted.add(number)
        self._deleted_octets += row.size

    def reset(self) -> None:
        """Nothing is marked as deleted any more."""
        self.deleted.clear()
        self._deleted_octets = 0

    async def update(self) -> int:
        """Remove what is marked as deleted, in one unit of work; how many were marked.

        One that another protocol removed meanwhile is removed, and that is what was asked for.
        Raises: `TemporaryFailure` and its kin; then nothing was removed.
        """
        if not self.deleted:
            return 0
        rows = await self.rows()
        if not self.lock.held():
            raise TemporaryFailure(reason="the lock of the maildrop was lost")
        await self.store.expunge(self.status.id, [rows[number - 1].uid for number in sorted(self.deleted)])
        return len(self.deleted)

    def release(self) -> Awaitable[None]:
        """Give the lock back; fires once any other may have it. Harmless a second time."""
        freed: Awaitable[None] = self.lock.release()
        return freed

    async def _read(self) -> list[MessageRow]:
        """The messages that the status counted."""
        status = self.status
        rows = await self.store.messages(status.id)
        if rows and rows[-1].uid >= status.uidnext:
            rows = [row for row in rows if row.uid < status.uidnext]
        missing = status.messages - len(rows)
        if missing > 0:
            expunged = await self.store.expunged_since(status.id, status.highestmodseq)
            gone = [uid for uid in expunged if uid < status.uidnext]
            if len(gone) == missing:
                self._vanished = frozenset(gone)
                rows = sorted([*rows, *self._remains(gone, rows)], key=lambda row: row.uid)
        octets = sum(row.size for row in rows)
        if (len(rows), octets) != (status.messages, status.octets):
            self._all = (len(rows), octets)
        return rows

    def _remains(self, gone: list[int], rows: list[MessageRow]) -> Iterator[MessageRow]:
        """Rows for messages that vanished: together they have the octets that are missing."""
        octets = max(0, self.status.octets - sum(row.size for row in rows))
        for uid in gone:
            yield MessageRow(uid=uid, content_id=0, prefix=b"", size=octets, received=0, arrived=0)
            octets = 0


__all__ = ["INBOX", "Maildrop"]
