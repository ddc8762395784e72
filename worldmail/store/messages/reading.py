"""A message's octets, from an offset on, wherever they are."""

from __future__ import annotations

from collections.abc import AsyncIterator

from worldmail.errors import MessageGone
from worldmail.interfaces.database import IDatabase
from worldmail.interfaces.store import IContentStore
from worldmail.store.content import CHUNK, read_place

_ONE = (
    "SELECT m.prefix, c.size, c.place, c.inline FROM message m JOIN content c ON c.id = m.content_id"
    " WHERE m.mailbox_id = ? AND m.uid = ?"
)


async def read(
    database: IDatabase, contents: IContentStore, mailbox_id: int, uid: int, offset: int, length: int | None
) -> AsyncIterator[bytes]:
    """See `IMessages.read`. Of content in the content store, only what is asked for is read."""
    row = await database.read(lambda cursor: cursor.one(_ONE, (mailbox_id, uid)))
    if row is None:
        raise MessageGone(reason=f"message {uid} of mailbox {mailbox_id}")
    prefix, size, place, inline = row
    end = len(prefix) + size if length is None else min(len(prefix) + size, offset + length)
    if inline is not None:
        whole = prefix + inline
        for start in range(offset, end, CHUNK):
            yield whole[start : min(start + CHUNK, end)]
        return
    if offset < min(len(prefix), end):
        yield prefix[offset:end]
    async for chunk in read_place(contents, place, max(0, offset - len(prefix)), end - len(prefix)):
        yield chunk
