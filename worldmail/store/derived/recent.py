"""Summaries in memory: those that were asked for last, within a bound."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from attrs import define, field

from worldmail.interfaces.derived import Summary

_OVERHEAD = 700
"""Octets that a summary takes beside those that are counted, about."""


@define(kw_only=True)
class RecentSummaries:
    """Two generations: what is asked for moves to the younger one; when that is full, the older one is let go.

    Args:
        limit: octets that both may take.
    """

    limit: int
    _young: dict[int, Summary] = field(factory=dict, init=False)
    _old: dict[int, Summary] = field(factory=dict, init=False)
    _size: int = field(default=0, init=False)

    def get(self, content_id: int) -> Summary | None:
        """That of a content, if it is here."""
        found = self._young.get(content_id)
        if found is None:
            found = self._old.pop(content_id, None)
            if found is not None:
                self.add({content_id: found})
        return found

    def find(self, content_ids: Collection[int]) -> tuple[dict[int, Summary], list[int]]:
        """Those that are here, and the ids of the others."""
        try:
            return dict(zip(content_ids, map(self._young.__getitem__, content_ids), strict=True)), []
        except KeyError:
            pass
        found: dict[int, Summary] = {}
        missing: list[int] = []
        for content_id in content_ids:
            summary = self.get(content_id)
            if summary is None:
                missing.append(content_id)
            else:
                found[content_id] = summary
        return found, missing

    def add(self, summaries: Mapping[int, Summary]) -> None:
        """Remember these, and forget others if need be."""
        young, size, most = self._young, self._size, self.limit // 2
        for content_id, summary in summaries.items():
            if content_id not in young:
                young[content_id] = summary
                size += _size(summary)
                if size > most:
                    self._old, self._young = young, {}
                    young, size = self._young, 0
        self._size = size

    def forget(self, content_ids: Iterable[int]) -> None:
        """Contents that are gone."""
        for content_id in content_ids:
            self._old.pop(content_id, None)
            gone = self._young.pop(content_id, None)
            if gone is not None:
                self._size -= _size(gone)


def _size(summary: Summary) -> int:
    size = _OVERHEAD + len(summary.envelope) + len(summary.structure) + 4 * len(summary.preview)
    if summary.references:
        size += sum(map(len, summary.references))
    return size if summary.message_id is None else size + len(summary.message_id)
