"""Sorting very many things in a thread, while others want to run."""

from __future__ import annotations

from bisect import bisect_left
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
    together. The keys are taken from the runs at equal distances, so between two of them there are at most two runs'
    things, but for those whose keys are equal.
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
    begins = [0] * len(runs)
    for bound in _bounds(runs, key):
        ends = [bisect_left(run, bound, begin, key=key) for run, begin in zip(runs, begins, strict=True)]
        ordered += _merged(runs, begins, ends, key)
        begins = ends
    ordered += _merged(runs, begins, [*map(len, runs)], key)
    if reverse:
        ordered.reverse()
    return ordered


def _bounds(runs: list[list[T]], key: Callable[[T], Any]) -> list[Any]:
    """Keys that part the things evenly, ascending."""
    step = max(1, len(runs[0]) // len(runs))
    samples = sorted(key(run[at]) for run in runs for at in range(step, len(run), step))
    return samples[len(runs) - 1 :: len(runs)]


def _merged(runs: list[list[T]], begins: list[int], ends: list[int], key: Callable[[T], Any]) -> list[T]:
    """The pieces of the runs, together in order."""
    pieces: list[T] = []
    for run, begin, end in zip(runs, begins, ends, strict=True):
        pieces += run[begin:end]
    pieces.sort(key=key)
    return pieces
