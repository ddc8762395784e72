"""Filling what is derived behind delivery: summaries and the index.

Mail is not held up for it. Little is done at a time, with pauses, and only while little mail arrives; what has waited
for long, or has become very much, is filled all the same, with long pauses.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import aclosing
from functools import partial
from typing import Any

from attrs import define, field

from worldmail.interfaces.database import Cursor, IDatabase
from worldmail.interfaces.derived import Summary
from worldmail.store.derived.contents import ContentReader
from worldmail.store.derived.making import make_all
from worldmail.store.derived.recent import RecentSummaries
from worldmail.store.derived.shelf import Shelf
from worldmail.store.derived.slices import Slices, labour
from worldmail.store.inflow import Inflow

BATCH = 16

QUIET = 10.0
"""Contents a second that may arrive while it is quiet."""

QUIET_OCTETS = 4 << 20
"""Octets of large content a second, likewise: indexing keeps up with these beside all else."""

TAIL = 50_000
"""More contents than this are not left waiting, quiet or not."""

LATE = 900.0
"""Seconds after which contents are not left waiting."""

_NEWEST = "SELECT coalesce(max(id), 0) FROM content"


@define(kw_only=True)
class Filler:
    """Args:
    inflow: of large content into this process.
    quiet, busy: how the work is sliced in either case.
    seconds: a clock that only grows.
    lag: seconds after which no content comes in with an id below those that were seen.
    room: whether the disk has room for more than mail.
    """

    database: IDatabase
    reader: ContentReader
    shelf: Shelf
    recent: RecentSummaries
    inflow: Inflow
    quiet: Slices
    busy: Slices
    seconds: Callable[[], float]
    room: Callable[[], bool]
    lag: float = 0.0
    _looked: tuple[float, int, int] | None = field(default=None, init=False)
    _caught_up: float | None = field(default=None, init=False)
    _reached: list[tuple[float, int]] = field(factory=list, init=False)

    async def fill(self, goes_on: Callable[[], bool] = lambda: True) -> int:
        """One look: fill what waits if it is quiet or late; how many contents were filled.

        Args:
            goes_on: asked between batches, False ends it.
        """
        return await self._work(goes_on, whatever=False)

    async def catch_up(self, goes_on: Callable[[], bool] = lambda: True) -> int:
        """Fill all that waits, whatever else goes on; how much."""
        return await self._work(goes_on, whatever=True)

    async def _work(self, goes_on: Callable[[], bool], *, whatever: bool) -> int:
        if self._caught_up is None:
            self._caught_up = self.seconds()
        if not await self.shelf.lead():
            return 0
        filled, at = 0, await self.shelf.settled()
        while goes_on() and self.room():
            newest, is_quiet = await self._look()
            if newest <= at:
                self._caught_up = self.seconds()
                break
            late = newest - at > TAIL or self.seconds() - self._caught_up > LATE
            if not (is_quiet or late or whatever):
                break
            waiting = await self.shelf.waiting(at, BATCH)
            slices = self.quiet if is_quiet else self.busy
            if content_ids := waiting.content_ids:
                number = await self._fill(content_ids, slices, breaks_off=not (late or whatever))
                filled += number
                if number < len(content_ids):
                    return filled
            if waiting.reached <= at:
                break
            at = waiting.reached
            await self._settle(at)
        return filled

    async def _look(self) -> tuple[int, bool]:
        """The newest content, and whether little came since the last look."""
        (newest,) = await self.database.read(_newest)
        now = self.seconds()
        before = self._looked
        if before is None:
            self._looked = (now, newest, self.inflow.octets)
            return newest, True
        since, known, _ = before
        is_quiet = newest - known <= QUIET * max(now - since, 1.0) and not self._pours()
        if now - since >= 1.0:
            self._looked = (now, newest, self.inflow.octets)
        return newest, is_quiet

    def _pours(self) -> bool:
        """Whether much large content came since the last look."""
        if self._looked is None:
            return False
        since, _, octets = self._looked
        return self.inflow.octets - octets > QUIET_OCTETS * max(self.seconds() - since, 1.0)

    async def _fill(self, content_ids: list[int], slices: Slices, *, breaks_off: bool) -> int:
        """How many of them were filled; those that cannot be read count as filled, if all were tried."""
        summaries: dict[int, Summary] = {}
        entries: dict[int, Any] = {}
        known = await self.shelf.summarised(content_ids)
        turn, filled = slices.begin(), len(content_ids)
        async with aclosing(self.reader.read(content_ids)) as contents:
            async for content_id, octets, any_lines in contents:
                if breaks_off and self._pours():
                    filled = len(entries)
                    break
                summarised = content_id in known
                make = partial(make_all, octets, self.shelf.entry, any_lines=any_lines, summarised=summarised)
                summary, entries[content_id] = await turn.work(labour(octets), make)
                if summary is not None:
                    summaries[content_id] = summary
        self.recent.add(summaries)
        if summaries and not await self.shelf.keep(summaries):
            return 0
        if entries and not await self.shelf.index(entries):
            return 0
        return filled

    async def _settle(self, reached: int) -> None:
        """What lies below is looked at no more, once nothing can come in there."""
        now = self.seconds()
        self._reached.append((now, reached))
        while len(self._reached) > 1 and self._reached[1][0] <= now - self.lag:
            del self._reached[0]
        since, settled = self._reached[0]
        if since <= now - self.lag:
            await self.shelf.settle(settled)


def _newest(cursor: Cursor) -> tuple[int]:
    row = cursor.one(_NEWEST)
    return (0,) if row is None else (row[0],)
