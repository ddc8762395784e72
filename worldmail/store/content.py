"""Rows of content: once by digest, never changed, and read back in pieces.

What came by mail holds our own Received field with an id that nothing else has: it cannot come a second time, and
is not looked for.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from worldmail.errors import TemporaryFailure
from worldmail.interfaces.database import Cursor, IDatabase, Row
from worldmail.interfaces.store import IContentStore, MessageRow, StagedContent
from worldmail.mail.mime.given import has_binary

BINARY = 1
"""A bit of the column `flags`: there is a NUL, the header says binary, or lines end in other ways than CRLF.

Of content that is not inline it may be missing where the header says so.
"""

UNREPEATABLE = 2
"""A bit of the column `flags`: no other content can have these octets."""

CHUNK = 256 * 1024

_ADD = "INSERT INTO content (digest, size, flags, place, inline) VALUES (?, ?, ?, ?, ?) RETURNING id, place"
_KEEP = (
    "INSERT INTO content (digest, size, flags, place, inline) VALUES (?, ?, ?, ?, ?)"
    " ON CONFLICT (digest) WHERE flags < 2 DO NOTHING RETURNING id, place"
)
_FIND = "SELECT id, place FROM content WHERE digest = ? AND flags < 2"


def keep_content(cursor: Cursor, staged: StagedContent, *, unrepeatable: bool = False) -> tuple[int, str | None]:
    """A row for the content, or the one that is there: its id, and the place it is really at.

    That place differs from the staged one if the same octets were there before; `unrepeatable` ones were not.
    """
    inline = staged.inline
    is_binary = staged.binary if inline is None else has_binary(inline, any_lines=staged.binary)
    flags = (BINARY if is_binary else 0) | (UNREPEATABLE if unrepeatable else 0)
    values = (staged.digest, staged.size, flags, staged.place, staged.inline)
    row = cursor.one(_ADD, values) if unrepeatable else _kept(cursor, values)
    if row is None:
        raise TemporaryFailure(reason="content was collected while the same octets came again")
    return row[0], row[1]


def _kept(cursor: Cursor, values: Row) -> Row | None:
    """A second try is for a row that was in the way, and was collected before it could be looked at."""
    for _ in range(2):
        if (row := cursor.one(_KEEP, values) or cursor.one(_FIND, values[:1])) is not None:
            return row
    return None


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
    async for chunk in read_place(contents, place, 0, size):
        yield chunk


async def read_place(contents: IContentStore, place: str, start: int, end: int) -> AsyncIterator[bytes]:
    """The octets [start, end) of a place, in chunks of at most 256 KiB."""
    while start < end:
        chunk = await contents.read(place, start, min(CHUNK, end - start))
        if not chunk:
            raise TemporaryFailure(reason=f"content at {place} ends at {start}, before {end}")
        start += len(chunk)
        yield chunk
