"""Sorting in runs."""

from __future__ import annotations

import random

import pytest

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
