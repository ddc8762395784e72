"""Summaries of new mail are ready before somebody asks."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.store.derived.mail import Message, Replaced, add, memory_database, now
from worldmail.interfaces.database import Cursor
from worldmail.store.derived import Derived, derived_here, fresh
from worldmail.store.derived.fresh import BATCH, LED_BY_ANOTHER


def contents(number: int) -> list[bytes]:
    return [Message([("Subject", f"message {each}")], "text\r\n").octets() for each in range(number)]


def site(number: int) -> tuple[Derived, list[int]]:
    """What is derived of a store with so much mail."""
    database = memory_database()
    ids = add(database, contents(number))
    return derived_here(database, None, cache=32 << 20), ids  # type: ignore[arg-type]  # nothing is large


def test_what_came_is_in_memory_and_kept() -> None:
    derived, ids = site(3)
    assert now(derived.fresh.make()) == 3
    assert all(derived.summaries.kept(content_id) is not None for content_id in ids)
    assert sorted(now(derived.shelf.kept(ids))) == ids


def test_nothing_is_made_twice() -> None:
    derived, _ = site(3)
    assert now(derived.fresh.make()) == 3
    assert now(derived.fresh.make()) == 0
    add(derived.database, contents(2))
    assert now(derived.fresh.make()) == 2


def test_what_the_filler_made_is_not_made_again_and_is_in_memory() -> None:
    derived, ids = site(3)
    assert now(derived.filler.catch_up()) == 3
    assert derived.summaries.kept(ids[0]) is not None
    assert now(derived.fresh.make()) == 0


def test_the_filler_makes_no_summary_that_is_there() -> None:
    derived, ids = site(3)
    now(derived.fresh.make())
    before = derived.summaries.kept(ids[0])
    assert now(derived.filler.catch_up()) == 3
    assert derived.summaries.kept(ids[0]) is before
    assert now(derived.search.behind()) == 0


def test_it_ends_between_batches_when_it_is_told_to_and_goes_on_there() -> None:
    derived, ids = site(3 * BATCH)
    assert now(derived.fresh.make(_for(2))) == 2 * BATCH
    assert derived.summaries.kept(ids[-1]) is None
    assert now(derived.fresh.make()) == BATCH


def test_of_very_much_the_newest_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fresh, "MOST", 5)
    derived, ids = site(20)
    assert now(derived.fresh.make()) == 5
    assert derived.summaries.kept(ids[-5]) is not None
    assert derived.summaries.kept(ids[-6]) is None


def test_a_process_that_does_not_lead_makes_none() -> None:
    derived, _ = site(3)
    asked: list[float] = []
    times = [0.0]

    async def lead() -> bool:
        asked.append(times[-1])
        return times[-1] > LED_BY_ANOTHER

    derived.fresh.shelf = Replaced(derived.shelf, lead=lead)
    derived.fresh.seconds = lambda: times[-1]
    for later in (1.0, LED_BY_ANOTHER - 1, LED_BY_ANOTHER + 1):
        assert now(derived.fresh.make()) == 0
        times.append(later)
    assert now(derived.fresh.make()) == 3
    assert asked == [0.0, LED_BY_ANOTHER + 1]


def test_contents_that_went_meanwhile_are_passed_over() -> None:
    derived, ids = site(3)

    def remove(cursor: Cursor) -> int:
        return cursor.run("DELETE FROM content WHERE id IN (?, ?)", ids[1:])

    now(derived.database.write(remove))
    assert now(derived.fresh.make()) == 1
    now(derived.database.write(lambda cursor: cursor.run("DELETE FROM content")))
    assert now(derived.fresh.make()) == 0


def _for(rounds: int) -> Callable[[], bool]:
    """True so many times."""
    answers = iter([True] * rounds)
    return lambda: next(answers, False)
