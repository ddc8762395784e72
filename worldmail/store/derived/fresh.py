"""Summaries of mail that has only just come, made in the first moment in which there is time for it.

Who is told of new mail asks for its ENVELOPE next. While so much comes that the reactor is busy with it, nothing is
made; what was left out then is made when it is asked for, or by the filler. Large content, which is not in the
database, is left to them as well: to read it takes what others of its kind need to come in.
"""

from __future__ import annotations

from collections.abc import Callable

from attrs import define, field

from worldmail.interfaces.database import Cursor, IDatabase
from worldmail.store.derived.shelf import Shelf
from worldmail.store.derived.summaries import Summaries

MOST = 10_000
"""Contents that are looked at, the newest ones: memory has no room for many more."""

BATCH = 64

LED_BY_ANOTHER = 10.0
"""Seconds for which a process that does not lead does not ask again: on PostgreSQL that is a write."""

_NEWEST = "SELECT coalesce(max(id), 0) FROM content"
_NEXT = "SELECT id FROM content WHERE id > ? AND place IS NULL ORDER BY id LIMIT ?"


@define(kw_only=True)
class Fresh:
    """One of the processes at work on a store does this: the one that fills the index.

    Args:
        summaries: makes them, and has the memory in which they are found.
        seconds: a clock that only grows.
    """

    database: IDatabase
    shelf: Shelf
    summaries: Summaries
    seconds: Callable[[], float]
    _not_before: float = field(default=float("-inf"), init=False)
    _reached: int | None = field(default=None, init=False)

    async def make(self, goes_on: Callable[[], bool] = lambda: True) -> int:
        """Make what is missing of the contents that came since the last time; how many.

        Args:
            goes_on: asked between batches, False ends it.
        """
        if self.seconds() < self._not_before:
            return 0
        if not await self.shelf.lead():
            self._not_before = self.seconds() + LED_BY_ANOTHER
            return 0
        newest = await self.database.read(_newest)
        reached = await self.shelf.settled() if self._reached is None else self._reached
        reached, made = max(reached, newest - MOST), 0
        while reached < newest and goes_on():
            rows = await self.database.read(_next(reached))
            if not rows:
                self._reached = newest
                break
            content_ids = [row[0] for row in rows]
            known = await self.shelf.summarised(content_ids)
            made += await self.summaries.prepare([number for number in content_ids if number not in known])
            self._reached = reached = content_ids[-1]
        return made


def _newest(cursor: Cursor) -> int:
    row = cursor.one(_NEWEST)
    return 0 if row is None else int(row[0])


def _next(reached: int) -> Callable[[Cursor], list[tuple[int, ...]]]:
    return lambda cursor: cursor.all(_NEXT, (reached, BATCH))
