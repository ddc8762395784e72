"""Removing content that nothing refers to.

Whoever removes a message notes its content as an orphan. After a grace longer than any session that may still read
it, the collector looks whether a message refers to it. If none does, first the row goes, in a unit; once that is
committed, the place. What a crash leaves between the
two, or between a place and its first row, is a place without a row: it is removed by the sweep once it is older
than the grace.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from attrs import frozen
from twisted.logger import Logger

from worldmail.errors import StorageFull
from worldmail.interfaces.database import Cursor, IDatabase, Shared
from worldmail.interfaces.store import IContentStore
from worldmail.store.space import Reserve
from worldmail.wire.ready import Ready

_log = Logger()

BATCH = 100

_REMOVE = (
    "DELETE FROM content WHERE id = ? AND NOT EXISTS (SELECT 1 FROM message m WHERE m.content_id = content.id)"
    " AND NOT EXISTS (SELECT 1 FROM queued q WHERE q.content_id = content.id)"
)


@frozen(kw_only=True)
class Collector:
    """Collects orphans and sweeps places.

    Args:
        grace: seconds.
        reserve: given up if the disk is too full to remove rows.
        removed: told of each content that is gone, once that is on the disk.
    """

    database: IDatabase
    contents: IContentStore
    reserve: Reserve
    grace: int
    removed: Callable[[Sequence[int]], Awaitable[object]] = Ready

    async def collect(self, now: int) -> int:
        """Remove content that has been an orphan for the grace, with its places; how much."""
        removed = 0
        while True:
            looked_at, places, gone = await self._batch(now - self.grace)
            for place in places:
                await self.contents.remove(place)
            if gone:
                await self.removed(gone)
            removed += len(gone)
            if looked_at < BATCH:
                return removed

    async def sweep(self, now: int) -> int:
        """Remove places that no content has, if they are older than the grace; how many."""
        before = now - self.grace
        places = await self.contents.places(before)
        removed = 0
        for start in range(0, len(places), BATCH):
            known = await self._known(places[start : start + BATCH])
            for place in places[start : start + BATCH]:
                if place not in known:
                    _log.info("content at {place} belongs to nothing: removed", place=place)
                    await self.contents.remove(place)
                    removed += 1
        return removed

    async def _batch(self, before: int) -> tuple[int, list[str], list[int]]:
        unit = Shared(lambda cursor: remove_orphans(cursor, before))
        try:
            return await self.database.write_long(unit)
        except StorageFull:
            if not self.reserve.release():
                raise
            return await self.database.write_long(unit)

    async def _known(self, places: list[str]) -> set[str]:
        marks = ", ".join("?" * len(places))
        rows = await self.database.read(
            lambda cursor: cursor.all(f"SELECT place FROM content WHERE place IN ({marks})", places)
        )
        return {row[0] for row in rows}


def remove_orphans(cursor: Cursor, before: int) -> tuple[int, list[str], list[int]]:
    """Look at a batch of what was noted before this time: notes looked at, places and ids of the rows removed.

    The note goes in any case: if the last message goes later, there will be another. Safe beside others on a server:
    once the note is removed and the content's row is had, no message that refers to it can come, and the note of one
    that goes comes after this unit.
    """
    notes = cursor.all("SELECT content_id FROM orphan WHERE since < ? ORDER BY since LIMIT ?", (before, BATCH))
    places: list[str] = []
    removed: list[int] = []
    for (content_id,) in sorted(notes):
        if not cursor.run("DELETE FROM orphan WHERE content_id = ? AND since < ?", (content_id, before)):
            continue
        for (place,) in cursor.lock("SELECT place FROM content WHERE id = ?", (content_id,)):
            if cursor.run(_REMOVE, (content_id,)):
                removed.append(content_id)
                places += [] if place is None else [place]
    return len(notes), places, removed
