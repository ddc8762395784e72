"""Mailboxes and the messages in them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection

from zope.interface import implementer

from worldmail.errors import NoSuchMailbox
from worldmail.interfaces.database import Cursor, IDatabase, Row
from worldmail.interfaces.messages import IMessages
from worldmail.interfaces.store import (
    IAccountParticipant,
    IContentStore,
    IMailboxStore,
    IMaildropLock,
    IMaildropLocks,
    MailboxStatus,
    MessageRow,
)
from worldmail.store.content import read_content
from worldmail.store.messages.asked import expanded, ranges
from worldmail.store.provision import FIRST_MAILBOXES, add_mailbox, hide_mailboxes, remove_mailboxes

_STATUS = (
    "SELECT id, account_id, name, uidvalidity, uidnext, highestmodseq, messages, octets, special_use FROM mailbox"
    " WHERE account_id = ?"
)
_ONE_STATUS = f"{_STATUS} AND name = ?"
_ALL_STATUS = f"{_STATUS} AND name >= ' ' ORDER BY name"  # others are being removed
_MESSAGES = "SELECT uid, content_id, prefix, size, received, arrived FROM message WHERE mailbox_id = ?"
_FROM_UID = f"{_MESSAGES} AND uid >= ? ORDER BY uid"
_EXPUNGED = "SELECT uid FROM expunged WHERE mailbox_id = ? AND modseq > ? ORDER BY uid"

SMALL_MAILBOX = 2000
"""A mailbox with more messages is listed in a thread."""


@implementer(IMailboxStore, IAccountParticipant)
class Mailboxes:
    """Provides `IMailboxStore`; as `IAccountParticipant` it makes and removes an account's mailboxes.

    Args:
        contents: where large content is.
        locks: of maildrops.
        messages: removes messages.
        now: epoch seconds.
    """

    def __init__(
        self,
        *,
        database: IDatabase,
        contents: IContentStore,
        locks: IMaildropLocks,
        messages: IMessages,
        now: Callable[[], float],
    ) -> None:
        self._database = database
        self._contents = contents
        self._locks = locks
        self._messages = messages
        self._now = now

    def status(self, account_id: int, name: str) -> Awaitable[MailboxStatus | None]:
        name = "INBOX" if name.lower() == "inbox" else name  # RFC 9051 §5.1

        def status(cursor: Cursor) -> MailboxStatus | None:
            row = cursor.one(_ONE_STATUS, (account_id, name))
            return None if row is None else _status(row)

        return self._database.read(status)

    def mailboxes(self, account_id: int) -> Awaitable[list[MailboxStatus]]:
        return self._database.read(lambda cursor: [_status(row) for row in cursor.all(_ALL_STATUS, (account_id,))])

    def messages(self, mailbox_id: int, first_uid: int = 1) -> Awaitable[list[MessageRow]]:
        return self._rows(mailbox_id, first_uid)

    def expunged_since(self, mailbox_id: int, modseq: int) -> Awaitable[list[int]]:
        return self._database.read(lambda cursor: [row[0] for row in cursor.all(_EXPUNGED, (mailbox_id, modseq))])

    def content(self, message: MessageRow) -> AsyncIterator[bytes]:
        return read_content(self._database, self._contents, message)

    async def expunge(self, mailbox_id: int, uids: Collection[int]) -> frozenset[int]:
        try:
            return frozenset(
                expanded(await self._messages.expunge(mailbox_id, ranges(sorted(set(uids))), deleted_only=False))
            )
        except NoSuchMailbox:
            return frozenset()

    def lock_maildrop(self, account_id: int) -> Awaitable[IMaildropLock | None]:
        return self._locks.lock(account_id)

    def account_added(self, cursor: Cursor, account_id: int) -> None:
        now = int(self._now())
        for name, special_use in FIRST_MAILBOXES:
            add_mailbox(cursor, account_id, name, special_use, now)

    def account_closed(self, cursor: Cursor, account_id: int) -> None:
        hide_mailboxes(cursor, account_id)

    def account_removed(self, cursor: Cursor, account_id: int) -> bool:
        return remove_mailboxes(cursor, account_id, int(self._now()))

    async def _rows(self, mailbox_id: int, first_uid: int) -> list[MessageRow]:
        """A mailbox's messages: at once if it is small."""

        def small(cursor: Cursor) -> list[Row] | None:
            row = cursor.one("SELECT messages FROM mailbox WHERE id = ?", (mailbox_id,))
            return None if row is None or row[0] > SMALL_MAILBOX else cursor.all(_FROM_UID, (mailbox_id, first_uid))

        def large(cursor: Cursor) -> list[MessageRow]:
            return [_message(row) for row in cursor.all(_FROM_UID, (mailbox_id, first_uid))]

        rows = await self._database.read(small)
        return await self._database.scan(large) if rows is None else [_message(row) for row in rows]


def _status(row: Row) -> MailboxStatus:
    number, account_id, name, uidvalidity, uidnext, highestmodseq, messages, octets, special_use = row
    return MailboxStatus(
        id=number,
        account_id=account_id,
        name=name,
        uidvalidity=uidvalidity,
        uidnext=uidnext,
        highestmodseq=highestmodseq,
        messages=messages,
        octets=octets,
        special_use=special_use,
    )


def _message(row: Row) -> MessageRow:
    uid, content_id, prefix, size, received, arrived = row
    return MessageRow(uid=uid, content_id=content_id, prefix=prefix, size=size, received=received, arrived=arrived)
