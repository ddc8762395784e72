"""Searching contents for a needle: the index first, then whatever it cannot tell is read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from functools import partial
from time import monotonic

from attrs import define
from zope.interface import implementer

from worldmail.errors import SearchTooLong
from worldmail.interfaces.derived import ISearchIndex, Needle
from worldmail.store.derived.contents import ContentReader
from worldmail.store.derived.making import needle_finder
from worldmail.store.derived.shelf import Shelf
from worldmail.store.derived.slices import Slices, labour


@implementer(ISearchIndex)
@define(kw_only=True)
class SearchIndex:
    """Provides `ISearchIndex`."""

    reader: ContentReader
    shelf: Shelf
    slices: Slices

    async def holding(
        self,
        needle: Needle,
        content_ids: Collection[int],
        *,
        limit: float,
        left: Callable[[int], None] | None = None,
    ) -> frozenset[int]:
        wanted = frozenset(content_ids)
        if not wanted or (not needle.text and needle.where != "field"):
            return wanted
        deadline = monotonic() + limit
        found = await self.shelf.candidates(needle, wanted, limit)
        holding = set(found.holding)
        holds = needle_finder(needle)
        turn, reading = self.slices.begin(), len(found.possible)
        async for content_id, octets, _ in self.reader.read(sorted(found.possible)):
            if await turn.work(labour(octets), partial(holds, octets)):
                holding.add(content_id)
            reading -= 1
            if left is not None:
                left(reading)
            if monotonic() > deadline:
                raise SearchTooLong(reason=f"{len(found.possible)} contents were not read within {limit} s")
        return frozenset(holding)

    def behind(self) -> Awaitable[int]:
        return self.shelf.behind()
