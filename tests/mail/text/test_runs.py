"""Sorting in runs."""

from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from worldmail.mail.text import runs
from worldmail.mail.text.runs import in_order


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("count", [0, 1, 6, 7, 8, 100])
def test_what_is_sorted_in_runs_is_as_sorted_at_once_and_stable(
    monkeypatch: pytest.MonkeyPatch, count: int, *, reverse: bool
) -> None:
    monkeypatch.setattr(runs, "RUN", 7)
    chance = random.Random(count)
    things = [(chance.randrange(5), number) for number in range(count)]
    assert in_order(iter(things), lambda thing: thing[0], reverse=reverse) == sorted(
        things, key=lambda thing: thing[0], reverse=reverse
    )


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(0, 3) | st.integers(), max_size=200), st.integers(1, 20), st.integers(1, 9), st.booleans())
def test_the_order_depends_neither_on_the_runs_nor_on_how_many_keys_are_equal(
    monkeypatch: pytest.MonkeyPatch, keys: list[int], run: int, most: int, reverse: bool
) -> None:
    monkeypatch.setattr(runs, "RUN", run)
    monkeypatch.setattr(runs, "MOST_RUNS", most)
    places = range(len(keys))
    assert in_order(places, keys.__getitem__, reverse=reverse) == sorted(places, key=keys.__getitem__, reverse=reverse)


@pytest.mark.parametrize("kinds", [1, 2, 10, 1 << 40])
def test_never_are_many_more_than_a_run_sorted_in_one_go(monkeypatch: pytest.MonkeyPatch, kinds: int) -> None:
    monkeypatch.setattr(runs, "RUN", 100)
    sorted_at_once: list[int] = []

    merged = runs._merged
    monkeypatch.setattr(runs, "_merged", lambda *given: _noted(merged(*given), given[-1], sorted_at_once))
    chance = random.Random(kinds)
    in_order([chance.randrange(kinds) for _ in range(5000)], int)
    assert max(sorted_at_once, default=0) <= 300


def _noted(pieces: list[int], key: object, lengths: list[int]) -> list[int]:
    if key is not None:
        lengths.append(len(pieces))
    return pieces
