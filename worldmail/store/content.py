"""Rows of content: once by digest, counted, and read back in pieces.

What came by mail holds our own Received field with an id that nothing else has: it cannot come a second time, and
is not looked for.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from worldmail.errors import TemporaryFailure
from worldmail.interfaces.database import Cursor, IDatabase
from worldmail.interfaces.store import IContentStore, MessageRow, StagedContent

BINARY = 1
"""A bit of the column `flags`: the octets are kept as they came, lines need not end in CRLF."""

UNREPEATABLE = 2
"""A bit of the column `flags`: no other content can have these octets."""

CHUNK = 256 * 1024

_KEEP = (
    "INSERT INTO content (digest, size, refs, orphaned, flags, place, inline) VALUES (?, ?, ?, NULL, ?, ?, ?)"
    " ON CONFLICT (digest) WHERE flags < 2"
    " DO UPDATE SET refs = content.refs + excluded.refs, orphaned = NULL RETURNING id, place"
)
_ADD = (
    "INSERT INTO content (digest, size, refs, orphaned, flags, place, inline) VALUES (?, ?, ?, NULL, ?, ?, ?)"
    " RETURNING id, place"
)
_RELEASE = "UPDATE content SET orphaned = CASE WHEN refs = ? THEN ? ELSE orphaned END, refs = refs - ? WHERE id = ?"
_RELEASE_ALL = (
    "UPDATE content SET orphaned = CASE WHEN refs = gone.number THEN ? ELSE orphaned END, refs = refs - gone.number"
    " FROM (SELECT content_id, count(*) AS number FROM message WHERE mailbox_id = ? AND uid <= ?"
    " GROUP BY content_id) AS gone"
    " WHERE content.id = gone.content_id"
)


def keep_content(
    cursor: Cursor, staged: StagedContent, refs: int, *, unrepeatable: bool = False
) -> tuple[int, str | None]:
    """Refer to the content `refs` times more, adding it if it is new: its id, and the place it is really at.

    That place differs from the staged one if the same octets were there before; `unrepeatable` ones were not.
    """
    flags = (BINARY if staged.binary else 0) | (UNREPEATABLE if unrepeatable else 0)
    values = (staged.digest, staged.size, refs, flags, staged.place, staged.inline)
    row = cursor.one(_ADD if unrepeatable else _KEEP, values)
    assert row is not None, "RETURNING gives the row, new or old"
    return row[0], row[1]


def release_content(cursor: Cursor, content_id: int, refs: int, now: int) -> None:
    """Refer to the content `refs` times less; without any it is an orphan, to be collected after a grace."""
    cursor.run(_RELEASE, (refs, now, refs, content_id))


def release_up_to(cursor: Cursor, mailbox_id: int, uid: int, now: int) -> None:
    """`release_content` for the messages of a mailbox up to this UID, in one statement: they may be very many."""
    cursor.run(_RELEASE_ALL, (now, mailbox_id, uid))


async def read_content(database: IDatabase, contents: IContentStore, message: MessageRow) -> AsyncIterator[bytes]:
    """Prefix and content, in chunks of at most 256 KiB (and the prefix)."""
    row = await database.read(
        lambda cursor: cursor.one("SELECT size, place, inline FROM content WHERE id = ?", (message.content_id,))
    )
    if row is None:
        raise TemporaryFailure(reason=f"content {message.content_id} is gone")
    size, place, inline = row
    if inline is not None:
        for start in range(0, max(size, 1), CHUNK):
            yield message.prefix + inline[:CHUNK] if start == 0 else inline[start : start + CHUNK]
        return
    yield message.prefix
    offset = 0
    while offset < size:
        chunk = await contents.read(place, offset, min(CHUNK, size - offset))
        if not chunk:
            raise TemporaryFailure(reason=f"content {message.content_id} at {place} ends at {offset} of {size}")
        offset += len(chunk)
        yield chunk
