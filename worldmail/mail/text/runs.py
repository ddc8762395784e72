"""Sorting very many things in a thread, while others want to run."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

T = TypeVar("T")

RUN = 3000
"""Things that are sorted in one go: some milliseconds."""

MOST_RUNS = 256
"""Of very many things longer runs are sorted: what they are cut at is looked up in each run."""


def in_order(things: Iterable[T], key: Callable[[T], Any], *, reverse: bool = False) -> list[T]:
    """As `sorted`, which lets no other thread run until it is done.

    Runs are sorted; then each is cut at the same keys, and of all runs the pieces between two of these are sorted
    together. These keys are taken from the runs at equal distances, so there are about as many things between two of
    them as in a run, and never many more.
    """
    rows = list(things)
    if len(rows) <= RUN:
        rows.sort(key=key, reverse=reverse)
        return rows
    if reverse:
        rows.reverse()  # what is equal stays in its order
    length = max(RUN, len(rows) // MOST_RUNS)
    runs = [sorted(rows[start : start + length], key=key) for start in range(0, len(rows), length)]
    ordered: list[T] = []
    begins, last = [0] * len(runs), None
    for bound in _bounds(runs, key):
        # A key that comes twice may be that of very many: those are cut off too, and need no sorting.
        cut = bisect_right if bound == last else bisect_left
        ends = [cut(run, bound, begin, key=key) for run, begin in zip(runs, begins, strict=True)]
        ordered += _merged(runs, begins, ends, None if bound == last else key)
        begins, last = ends, bound
    ordered += _merged(runs, begins, [*map(len, runs)], key)
    if reverse:
        ordered.reverse()
    return ordered


def _bounds(runs: list[list[T]], key: Callable[[T], Any]) -> list[Any]:
    """Keys that part the things evenly, ascending."""
    step = max(1, len(runs[0]) // len(runs))
    samples = sorted(key(run[at]) for run in runs for at in range(step, len(run), step))
    return samples[len(runs) - 1 :: len(runs)]


def _merged(runs: list[list[T]], begins: list[int], ends: list[int], key: Callable[[T], Any] | None) -> list[T]:
    """The pieces of the runs, together in order; without a key they are all alike."""
    pieces: list[T] = []
    for run, begin, end in zip(runs, begins, ends, strict=True):
        pieces += run[begin:end]
    if key is not None:
        pieces.sort(key=key)
    return pieces
