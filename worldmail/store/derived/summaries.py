"""Summaries of contents: from memory, from where they are kept, or made now."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from functools import partial

from attrs import define
from zope.interface import implementer

from worldmail.interfaces.derived import ISummaries, Summary
from worldmail.store.derived.contents import ContentReader
from worldmail.store.derived.making import make_summary
from worldmail.store.derived.recent import RecentSummaries
from worldmail.store.derived.shelf import Shelf
from worldmail.store.derived.slices import LARGE, Slices, Turn, labour
from worldmail.wire.ready import Ready


@implementer(ISummaries)
@define(kw_only=True)
class Summaries:
    """Provides `ISummaries`.

    Args:
        slices, ahead: how the work is sliced that somebody waits for, and the other.
        behind: takes what need not be waited for.
    """

    reader: ContentReader
    shelf: Shelf
    recent: RecentSummaries
    slices: Slices
    ahead: Slices
    behind: Callable[[Awaitable[object]], None]

    def summaries(self, content_ids: Sequence[int]) -> Awaitable[Mapping[int, Summary]]:
        found, missing = self.recent.find(content_ids)
        return self._others(found, missing) if missing else Ready(found)

    def kept(self, content_id: int) -> Summary | None:
        return self.recent.get(content_id)

    def forget(self, content_ids: Collection[int]) -> None:
        """Contents that are gone."""
        self.recent.forget(content_ids)

    async def _others(self, found: dict[int, Summary], missing: Sequence[int]) -> Mapping[int, Summary]:
        kept = await self.shelf.kept(missing)
        self.recent.add(kept)
        found.update(kept)
        if len(kept) < len(missing):
            made = await self._make(
                [content_id for content_id in missing if content_id not in kept], self.slices.begin()
            )
            if made:
                self.behind(self.shelf.keep(made))
            found.update(made)
        return found

    async def prepare(self, content_ids: Sequence[int]) -> int:
        """Make these before somebody asks for them; how many could be made."""
        made = await self._make(content_ids, self.ahead.begin())
        if made:
            await self.shelf.keep(made)
        return len(made)

    async def _make(self, content_ids: Sequence[int], turn: Turn) -> dict[int, Summary]:
        """Made now, and remembered."""
        made: dict[int, Summary] = {}
        async for content_id, octets, any_lines in self.reader.read(content_ids):
            size = labour(octets)
            if size > LARGE:
                made[content_id] = await turn.work(size, partial(make_summary, octets, any_lines=any_lines))
                continue
            made[content_id] = make_summary(octets, any_lines=any_lines)
            if turn.is_over():
                await turn.rest()
        self.recent.add(made)
        return made
