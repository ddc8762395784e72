"""From the configuration to what is derived of contents."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from worldmail.database.worker import Threads
from worldmail.interfaces.database import Cursor, IDatabase
from worldmail.interfaces.store import IContentStore
from worldmail.interfaces.world import IClock
from worldmail.store.derived.connections import Connections
from worldmail.store.derived.contents import ContentReader
from worldmail.store.derived.embedded import EmbeddedShelf
from worldmail.store.derived.file import DerivedFile
from worldmail.store.derived.filler import Filler
from worldmail.store.derived.fresh import Fresh
from worldmail.store.derived.recent import RecentSummaries
from worldmail.store.derived.search import SearchIndex
from worldmail.store.derived.shelf import Shelf
from worldmail.store.derived.slices import Elsewhere, Pause, Slices, at_once
from worldmail.store.derived.summaries import Summaries
from worldmail.store.inflow import Inflow
from worldmail.store.space import Space
from worldmail.wire.ready import Ready

_log = Logger()

FILE = "derived.sqlite"

SEARCHES = 2
"""Threads that ask the index."""

ASKED = 0.006
"""Seconds for which what a client waits for holds the reactor, about."""

AHEAD = 0.002
"""The same for what somebody will ask for soon."""

QUIET, QUIET_APART = 0.004, 0.004
BUSY, BUSY_APART = 0.002, 0.050
LATE_IDS = 300.0
"""Seconds after which a PostgreSQL server commits no content with an id that it gave out before."""

_SWEPT = 500


class DerivedOptions(Protocol):
    """What is read of the section [store]. Sizes in octets."""

    @property
    def inline_limit(self) -> int: ...
    @property
    def summary_cache(self) -> int: ...
    @property
    def minimum_free(self) -> int: ...


@define(kw_only=True)
class Derived:
    """Args:
    fresh: makes summaries of new mail as soon as it can be done without harm.
    filler: fills what is missing; a server has it done behind delivery.
    """

    summaries: Summaries
    fresh: Fresh
    search: SearchIndex
    filler: Filler
    shelf: Shelf
    database: IDatabase
    _stops: list[Callable[[], None]] = field(factory=list)

    async def removed(self, content_ids: Sequence[int]) -> None:
        """Contents were removed: nothing is kept of them."""
        self.summaries.forget(content_ids)
        await self.shelf.remove(content_ids)

    async def sweep(self, goes_on: Callable[[], bool] = lambda: True) -> int:
        """Forget what is kept of contents that are gone unnoticed; how many."""
        swept, after = 0, 0
        while goes_on() and (known := await self.shelf.known(after, _SWEPT)):
            there = await self.database.read(_among(known))
            gone = [content_id for content_id in known if content_id not in there]
            if gone:
                await self.removed(gone)
            swept, after = swept + len(gone), known[-1]
        return swept

    async def stop(self) -> None:
        """Close what is open, once nothing is asked any more."""
        await self.shelf.stop()
        for stop in self._stops:
            stop()


def _among(known: Sequence[int]) -> Callable[[Cursor], set[int]]:
    def among(cursor: Cursor) -> set[int]:
        rows = cursor.all("SELECT id FROM content WHERE id BETWEEN ? AND ?", (known[0], known[-1]))
        return {row[0] for row in rows}

    return among


def open_derived(
    settings: DerivedOptions,
    data_dir: str,
    database: IDatabase,
    contents: IContentStore,
    clock: IClock,
    reactor: Any,
    space: Space,
    *,
    inflow: Inflow | None = None,
    shared: bool = False,
) -> Derived:
    """What is derived of the store's contents. Touches nothing before it is used.

    Args:
        inflow: of large content; None if nobody counts it.
        shared: True on PostgreSQL, where it is kept in the database, for all nodes.
    """
    reader = ContentReader(database=database, contents=contents, directory=data_dir, inline_limit=settings.inline_limit)
    cache, seconds, pause = settings.summary_cache, clock.seconds, clock.sleep
    large = Threads(reactor, "worldmail-derive", 1)
    if shared:
        # Named here alone: without PostgreSQL it is not even imported.
        from worldmail.store.derived.postgres import PostgresShelf

        postgres = PostgresShelf(database=database, now=clock.now)
        return derived_on(
            postgres,
            reader,
            cache,
            seconds,
            pause,
            inflow=inflow,
            elsewhere=large.run,
            lag=LATE_IDS,
            stops=[large.stop],
        )
    writing, searching = Threads(reactor, "worldmail-derived", 1), Threads(reactor, "worldmail-search", SEARCHES)

    def room() -> bool:
        return space.free() >= 2 * settings.minimum_free

    file = DerivedFile(path=os.path.join(data_dir, FILE))
    connections = Connections(file=file, seconds=seconds, room=room)
    shelf = EmbeddedShelf(database=database, connections=connections, writing=writing.run, searching=searching.run)
    stops = [large.stop, searching.stop, writing.stop]
    return derived_on(shelf, reader, cache, seconds, pause, inflow=inflow, elsewhere=large.run, room=room, stops=stops)


def derived_here(database: IDatabase, contents: IContentStore, *, cache: int = 1 << 20) -> Derived:
    """The same in memory, without threads and pauses: for tools and tests; over an `ImmediateDatabase`."""
    connections = Connections(file=DerivedFile(path=":memory:"), seconds=lambda: 0.0)
    shelf = EmbeddedShelf(database=database, connections=connections, writing=at_once, searching=at_once)
    reader = ContentReader(database=database, contents=contents, directory=None, inline_limit=1 << 16)
    return derived_on(shelf, reader, cache, lambda: 0.0, lambda _: Ready(None))


def derived_on(
    shelf: Shelf,
    reader: ContentReader,
    cache: int,
    seconds: Callable[[], float],
    pause: Pause,
    *,
    inflow: Inflow | None = None,
    elsewhere: Elsewhere = at_once,
    room: Callable[[], bool] = lambda: True,
    lag: float = 0.0,
    stops: Sequence[Callable[[], None]] = (),
) -> Derived:
    """What is derived, kept on this shelf."""

    def slices(longest: float, apart: float) -> Slices:
        return Slices(seconds=seconds, pause=pause, longest=longest, apart=apart, elsewhere=elsewhere)

    asked, recent = slices(ASKED, 0.0), RecentSummaries(limit=cache)
    ahead = slices(AHEAD, 0.0)
    summaries = Summaries(reader=reader, shelf=shelf, recent=recent, slices=asked, ahead=ahead, behind=_behind)
    filler = Filler(
        database=reader.database,
        reader=reader,
        shelf=shelf,
        recent=recent,
        inflow=inflow or Inflow(),
        quiet=slices(QUIET, QUIET_APART),
        busy=slices(BUSY, BUSY_APART),
        seconds=seconds,
        room=room,
        lag=lag,
    )
    return Derived(
        summaries=summaries,
        fresh=Fresh(database=reader.database, shelf=shelf, summaries=summaries, seconds=seconds),
        search=SearchIndex(reader=reader, shelf=shelf, slices=asked),
        filler=filler,
        shelf=shelf,
        database=reader.database,
        stops=list(stops),
    )


def _behind(work: Awaitable[object]) -> None:
    """Nobody waits for it."""

    async def wait() -> None:
        await work

    Deferred.fromCoroutine(wait()).addErrback(lambda failure: _log.failure("keeping summaries", failure))
