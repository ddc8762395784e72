"""The index is filled behind delivery: when it is quiet, or when it has waited for long."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from tests.store.derived.mail import Message, Replaced, add, memory_database, now
from worldmail.store.derived import Derived, derived_here, filler
from worldmail.store.derived.filler import LATE, QUIET, QUIET_OCTETS

MESSAGE = Message([("Subject", "x")], "text\r\n").octets()


class Site:
    """A store that mail comes to, and a filler with its own clock."""

    def __init__(self, lag: float = 0.0) -> None:
        self.time = 1000.0
        self.database = memory_database()
        self.derived: Derived = derived_here(self.database, None)  # type: ignore[arg-type]  # nothing is large
        self.derived.filler.seconds = lambda: self.time
        self.derived.filler.lag = lag
        self.count = 0

    def deliver(self, number: int) -> None:
        add(self.database, [MESSAGE] * number)
        self.count += number

    def look(self) -> int:
        """What the service does every two seconds."""
        self.time += 2.0
        return now(self.derived.filler.fill())


def test_what_came_is_filled_when_it_is_quiet() -> None:
    site = Site()
    assert site.look() == 0
    site.deliver(5)
    assert site.look() == 5
    assert site.look() == 0


def test_while_much_mail_comes_it_waits() -> None:
    site = Site()
    site.look()
    for _ in range(10):
        site.deliver(int(QUIET * 2) + 1)
        assert site.look() == 0
    assert site.look() == 210


def test_it_breaks_off_when_much_mail_begins_to_come() -> None:
    site = Site()
    site.look()
    site.deliver(20)
    site.look()
    site.deliver(15)

    async def index(entries: Any) -> bool:
        site.deliver(100)
        return await site.derived.shelf.index(entries)

    site.derived.filler.shelf = Replaced(site.derived.shelf, index=index)
    assert site.look() == 15
    assert now(site.derived.search.behind()) == 100


def test_while_much_large_content_comes_in_it_waits() -> None:
    site = Site()
    site.look()
    for _ in range(10):
        site.deliver(1)
        site.derived.filler.inflow.octets += 2 * QUIET_OCTETS + 1
        assert site.look() == 0
    assert site.look() == 10


def test_a_little_large_content_disturbs_nothing() -> None:
    site = Site()
    site.look()
    for _ in range(10):
        site.deliver(1)
        site.derived.filler.inflow.octets += QUIET_OCTETS
        assert site.look() == 1


def pour_at(site: Site, number: int) -> None:
    """Much large content begins to come in when that many contents were read."""
    reader = site.derived.filler.reader

    class Pouring:
        count = 0

        async def read(self, content_ids: Sequence[int]) -> AsyncIterator[Any]:
            async for content in reader.read(content_ids):
                self.count += 1
                if self.count == number:
                    site.derived.filler.inflow.octets += 100 * QUIET_OCTETS
                yield content

    site.derived.filler.reader = Pouring()  # type: ignore[assignment]  # what it has of one


def test_it_breaks_off_between_two_contents_when_large_content_begins_to_pour_in() -> None:
    site = Site()
    site.look()
    site.deliver(10)
    pour_at(site, 4)
    assert site.look() == 3
    assert now(site.derived.search.behind()) == 7
    assert site.look() == 0
    assert site.look() == 7


def test_catching_up_does_not_break_off() -> None:
    site = Site()
    site.look()
    site.deliver(10)
    pour_at(site, 4)
    assert now(site.derived.filler.catch_up()) == 10


def test_what_has_waited_for_long_is_filled_though_large_content_pours_in() -> None:
    site = Site()
    site.look()
    site.deliver(10)
    site.derived.filler.inflow.octets += 1 << 40
    site.time += LATE
    pour_at(site, 4)
    assert site.look() == 10


def test_what_has_waited_for_long_is_filled_all_the_same() -> None:
    site = Site()
    site.look()
    filled = 0
    while site.time < 1000.0 + LATE + 10:
        site.deliver(int(QUIET * 2) + 1)
        filled += site.look()
    assert filled > 5000
    assert now(site.derived.search.behind()) < 1000


def test_no_more_than_so_much_is_left_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filler, "TAIL", 100)
    site = Site()
    site.look()
    site.deliver(101)
    assert site.look() > 0


def test_quiet_hours_are_no_waiting() -> None:
    site = Site()
    site.look()
    site.time += 10 * LATE
    site.look()
    site.deliver(int(QUIET * 2) + 1)
    assert site.look() == 0


def test_a_content_that_turns_up_late_below_others_is_filled() -> None:
    """PostgreSQL gives ids out before the commit: one may come after a higher one."""
    site = Site(lag=300.0)
    site.deliver(4)
    now(site.database.write(lambda cursor: cursor.run("UPDATE content SET id = 9 WHERE id = 2")))
    site.look()
    assert now(site.derived.search.behind()) == 0
    now(site.database.write(lambda cursor: cursor.run(_COPY, (2,))))
    assert site.look() == 1
    site.time += 301
    assert site.look() == 0
    assert now(site.derived.shelf.settled()) == 9


_COPY = (
    "INSERT INTO content (id, digest, size, flags, inline) SELECT ?, x'00', size, flags, inline FROM content LIMIT 1"
)


def test_a_file_that_takes_nothing_ends_the_round() -> None:
    site = Site()
    site.deliver(200)

    async def keep(summaries: Any) -> bool:
        return False

    site.derived.filler.shelf = Replaced(site.derived.shelf, keep=keep)
    assert site.look() == 0
    assert now(site.derived.shelf.settled()) == 0
