"""\\Recent: which messages no session was told of (RFC 3501 §2.3.2)."""

from __future__ import annotations

from worldmail.interfaces.database import Cursor, IDatabase, Shared

_LOOK = "SELECT recent, uidnext FROM mailbox WHERE id = ?"
_LOCK = "UPDATE mailbox SET recent = recent WHERE id = ? RETURNING recent, uidnext"
_TAKE = "UPDATE mailbox SET recent = uidnext WHERE id = ?"


async def take_recent(database: IDatabase, mailbox_id: int) -> int:
    """See `IMessages.take_recent`. Nothing is written if nothing is new."""
    recent, uidnext = await database.read(lambda cursor: cursor.one(_LOOK, (mailbox_id,))) or (1, 1)
    return int(recent) if recent == uidnext else await database.write(Shared(lambda cursor: _take(cursor, mailbox_id)))


def _take(cursor: Cursor, mailbox_id: int) -> int:
    row = cursor.one(_LOCK, (mailbox_id,))
    if row is None:
        return 1
    cursor.run(_TAKE, (mailbox_id,))
    return int(row[0])
