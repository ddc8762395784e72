"""Reading whole contents to derive something from them: many small ones at a time, large ones one by one.

A large content is copied into a file without a name and mapped, so that it takes no more memory than the system has to
spare, however large it is.
"""

from __future__ import annotations

import mmap
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Sequence

from attrs import define
from twisted.logger import Logger

from worldmail.errors import Refusal, TemporaryFailure
from worldmail.interfaces.database import Cursor, IDatabase, Row
from worldmail.interfaces.store import IContentStore
from worldmail.mail.mime.fields import Octets
from worldmail.store.content import BINARY

_log = Logger()

BATCH = 64
"""Contents that are read in one statement."""

_MOST = 4 << 20  # octets in memory for one batch
_CHUNK = 256 * 1024
_MAPPED = 1 << 20  # a content of more octets is mapped


@define(kw_only=True)
class ContentReader:
    """Args:
    contents: where large content is.
    directory: for files without a name; None for the system's own place.
    inline_limit: how many octets lie in the database, for one content.
    """

    database: IDatabase
    contents: IContentStore
    directory: str | None
    inline_limit: int

    async def read(self, content_ids: Sequence[int]) -> AsyncGenerator[tuple[int, Octets, bool], None]:
        """Each content that is there and can be read now, and whether its lines may end in other ways than CRLF.

        Good until the next one is asked for.
        """
        batch = max(1, min(BATCH, _MOST // max(self.inline_limit, 1)))
        for start in range(0, len(content_ids), batch):
            for content_id, size, flags, place, inline in await self._rows(content_ids[start : start + batch]):
                any_lines = flags & BINARY != 0
                if inline is not None:
                    yield content_id, inline, any_lines
                    continue
                try:
                    octets = await self._large(place, size)
                except (Refusal, OSError) as error:
                    _log.info("content {content} cannot be read now: {error}", content=content_id, error=error)
                    continue
                try:
                    yield content_id, octets, any_lines
                finally:
                    if isinstance(octets, mmap.mmap):
                        octets.close()

    async def _rows(self, content_ids: Sequence[int]) -> list[Row]:
        def rows(cursor: Cursor) -> list[Row]:
            marks = ", ".join("?" * len(content_ids))
            return cursor.all(f"SELECT id, size, flags, place, inline FROM content WHERE id IN ({marks})", content_ids)

        return await self.database.read(rows)

    async def _large(self, place: str, size: int) -> Octets:
        if size <= _MAPPED:
            pieces = [piece async for piece in self._pieces(place, size)]
            return b"".join(pieces)
        with tempfile.TemporaryFile(dir=self.directory) as file:
            async for piece in self._pieces(place, size):
                file.write(piece)
            file.flush()
            return mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ)

    async def _pieces(self, place: str, size: int) -> AsyncIterator[bytes]:
        offset = 0
        while offset < size:
            piece = await self.contents.read(place, offset, min(_CHUNK, size - offset))
            if not piece:
                raise TemporaryFailure(reason=f"content at {place} ends at {offset} of {size}")
            offset += len(piece)
            yield piece
