"""Stored content on its way out."""

from __future__ import annotations

from collections.abc import AsyncIterator

from attrs import frozen
from zope.interface import implementer

from worldmail.errors import TemporaryFailure
from worldmail.interfaces.database import IDatabase
from worldmail.interfaces.outbound import IOutgoingContent
from worldmail.interfaces.store import IContentStore
from worldmail.store.content import read_place

_FIND = "SELECT size, place, inline FROM content WHERE id = ?"


@implementer(IOutgoingContent)
@frozen
class OutgoingContent:
    """Provides `IOutgoingContent`: in memory, or at a place of the content store."""

    size: int
    inline: bytes | None
    _place: str | None
    _contents: IContentStore

    async def chunks(self) -> AsyncIterator[bytes]:
        if self.inline is not None:
            yield self.inline
        elif self._place is not None:
            async for chunk in read_place(self._contents, self._place, 0, self.size):
                yield chunk


async def outgoing_content(database: IDatabase, contents: IContentStore, content_id: int) -> OutgoingContent:
    """The content of this row. Raises `TemporaryFailure` if it cannot be had."""
    row = await database.read(lambda cursor: cursor.one(_FIND, (content_id,)))
    if row is None:
        raise TemporaryFailure(reason=f"content {content_id} is gone")
    return OutgoingContent(row[0], row[2], row[1], contents)
