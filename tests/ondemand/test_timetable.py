"""Timetables: what they say, when they are open, when something is to be done."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worldmail.ondemand.timetable import Timetable


@pytest.fixture(autouse=True)
def in_berlin() -> Iterator[None]:
    """A zone whose clock is put forward on 2026-03-29 at 2:00 and back on 2026-10-25 at 3:00."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = "Europe/Berlin"
    time.tzset()
    yield
    if before is None:
        del os.environ["TZ"]
    else:
        os.environ["TZ"] = before
    time.tzset()


def at(text: str) -> int:
    """A moment by the clock on the wall: "2026-11-23 08:00" (a Monday)."""
    return int(time.mktime((*time.strptime(text, "%Y-%m-%d %H:%M")[:6], 0, 0, -1)))


def wall(moment: float | None) -> str | None:
    return None if moment is None else time.strftime("%Y-%m-%d %H:%M", time.localtime(moment))


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("always", "always"),
        ("daily", "always"),
        (" NEVER ", "never"),
        ("every 15m", "every 15m"),
        ("every 900s", "every 15m"),
        ("Mon-Fri 08:00-18:00 every 30m; sat,sun 10:00", "mon-fri 08:00-18:00 every 30m; sat,sun 10:00"),
        ("mon,tue,wed,thu,fri 08:00", "mon-fri 08:00"),
        ("sat-mon", "sat-mon"),
        ("fri-thu 07:30,19:30", "07:30,19:30"),
        ("22:00-06:00", "22:00-06:00"),
        ("00:00-24:00", "always"),
        ("18:00-24:00", "18:00-24:00"),
        ("every 24h", "every 24h"),
        ("every 1d", "every 24h"),
    ],
)
def test_what_is_read_is_written_in_the_shortest_way(text: str, written: str) -> None:
    assert str(Timetable.parse(text)) == written
    assert Timetable.parse(written) == Timetable.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ";",
        "always; ",
        "monday",
        "mon-",
        "-fri",
        "mon fri",
        "8:00",
        "08:00-",
        "08:00-08:00",
        "24:00",
        "24:00-06:00",
        "08:60",
        "25:00",
        "08:00 mon",
        "every",
        "every 15",
        "every 9s",
        "every 2d",
        "every 15m 08:00-18:00",
        "08:00 every 15m",
        "mon 08:00-18:00 every 15m extra",
        "always every 15m",
        ";".join(["mon"] * 51),
        ",".join(["08:00"] * 51),
        "mon\x00",
    ],
)
def test_what_is_none_is_refused_with_what_was_expected(text: str) -> None:
    with pytest.raises(ValueError, match="such as|at most"):
        Timetable.parse(text)


def test_never_is_never_open_and_nothing_is_ever_done() -> None:
    never = Timetable.parse("never")
    now = at("2026-11-23 08:00")
    assert (never.is_open(now), never.next(now), never.opens(now), never.closes(now)) == (False, None, None, None)


def test_always_is_open_at_every_moment_of_a_year() -> None:
    always, start = Timetable.parse("always"), at("2026-01-01 00:00")
    assert all(always.is_open(start + 1801 * step) for step in range(17500))


def test_a_span_is_open_from_its_first_minute_to_its_last() -> None:
    office = Timetable.parse("mon-fri 08:00-18:00")
    assert not office.is_open(at("2026-11-23 08:00") - 1)
    assert office.is_open(at("2026-11-23 08:00"))
    assert office.is_open(at("2026-11-23 18:00") - 1)
    assert not office.is_open(at("2026-11-23 18:00"))
    assert not office.is_open(at("2026-11-22 12:00")), "a Sunday"
    assert wall(office.closes(at("2026-11-23 09:00"))) == "2026-11-23 18:00"
    assert wall(office.opens(at("2026-11-27 08:00"))) == "2026-11-30 08:00"


def test_a_night_belongs_to_the_day_on_which_it_began() -> None:
    night = Timetable.parse("fri 22:00-06:00")
    assert night.is_open(at("2026-11-27 23:00"))
    assert night.is_open(at("2026-11-28 05:59"))
    assert not night.is_open(at("2026-11-27 05:00"))
    assert wall(night.closes(at("2026-11-28 01:00"))) == "2026-11-28 06:00"


def test_spans_that_touch_or_overlap_close_with_the_last() -> None:
    spans = Timetable.parse("mon 08:00-12:00,11:00-15:00,15:00-16:00,17:00-18:00")
    assert wall(spans.closes(at("2026-11-23 08:30"))) == "2026-11-23 16:00"


def test_a_moment_opens_nothing_and_comes_once_a_day() -> None:
    moment = Timetable.parse("07:30,19:30")
    assert not moment.is_open(at("2026-11-23 07:30"))
    assert wall(moment.next(at("2026-11-23 07:29"))) == "2026-11-23 07:30"
    assert wall(moment.next(at("2026-11-23 07:30"))) == "2026-11-23 19:30"
    assert wall(moment.next(at("2026-11-23 19:30"))) == "2026-11-24 07:30"


def test_an_interval_is_counted_from_the_beginning_of_each_span() -> None:
    table = Timetable.parse("mon-fri 08:00-09:00 every 25m")
    now, seen = at("2026-11-20 08:30"), []
    for _ in range(5):
        found = table.next(now)
        assert found is not None
        seen.append(wall(found))
        now = found
    assert seen == [
        "2026-11-20 08:50",
        "2026-11-23 08:00",
        "2026-11-23 08:25",
        "2026-11-23 08:50",
        "2026-11-24 08:00",
    ]


def test_without_an_interval_it_is_done_when_a_span_begins() -> None:
    assert wall(Timetable.parse("mon 08:00-18:00").next(at("2026-11-23 08:00"))) == "2026-11-30 08:00"


def test_of_several_entries_the_first_moment_counts() -> None:
    table = Timetable.parse("mon-fri 08:00-18:00 every 30m; sat,sun 10:00")
    assert wall(table.next(at("2026-11-27 17:30"))) == "2026-11-28 10:00"
    assert wall(table.next(at("2026-11-23 08:10"))) == "2026-11-23 08:30"


def test_a_moment_that_the_clock_jumps_over_comes_all_the_same() -> None:
    table = Timetable.parse("02:30")
    first = table.next(at("2026-03-28 12:00"))
    assert first is not None
    assert wall(first) == "2026-03-29 03:30"
    assert wall(table.next(first)) == "2026-03-30 02:30"


def test_a_moment_that_comes_twice_is_done_once() -> None:
    table = Timetable.parse("02:30")
    first = table.next(at("2026-10-24 12:00"))
    assert first is not None
    assert wall(first) == "2026-10-25 02:30"
    assert wall(table.next(first)) == "2026-10-26 02:30"


def test_an_interval_goes_on_evenly_while_the_clock_is_changed() -> None:
    table = Timetable.parse("every 1h")
    now, gaps = at("2026-10-25 00:00"), []
    for _ in range(30):
        found = table.next(now)
        assert found is not None
        gaps.append(found - now)
        now = found
    assert set(gaps) == {3600}


TEXTS = st.sampled_from(
    [
        "always",
        "every 7m",
        "mon-fri 08:00-18:00 every 45m; sat 10:00",
        "sun 23:00-01:00",
        "22:00-06:00 every 2h",
        "02:30",
    ]
)
MOMENTS = st.integers(min_value=1_767_225_600, max_value=1_830_000_000)


@given(TEXTS, MOMENTS)
def test_what_comes_next_comes_later_and_nothing_lies_between(text: str, moment: int) -> None:
    table = Timetable.parse(text)
    found = table.next(moment)
    assert found is not None
    assert moment < found <= moment + 8 * 86400
    assert table.next(found - 1) == found
    assert table.next(moment + (found - moment) // 2) == found


@given(TEXTS, MOMENTS)
def test_open_and_closed_change_at_the_moments_that_are_told(text: str, moment: int) -> None:
    table = Timetable.parse(text)
    closes = table.closes(moment)
    assert (closes is not None) == table.is_open(moment)
    if closes is not None and str(table) not in ("always", "every 7m"):
        assert not table.is_open(closes)
        assert table.is_open(closes - 1)
    opens = table.opens(moment)
    if opens is not None:
        assert table.is_open(opens)
        if closes is None:
            assert not table.is_open(opens - 1)


@given(st.text(max_size=40))
def test_whatever_is_read_is_a_timetable_or_a_clear_error(text: str) -> None:
    try:
        table = Timetable.parse(text)
    except ValueError as error:
        assert str(error)
    else:
        assert Timetable.parse(str(table)) == table


def test_a_moment_that_comes_twice_is_the_first_whatever_was_asked_before() -> None:
    """The system's mktime remembers which of both it gave last."""
    table, first = Timetable.parse("sun 02:00-03:00"), 1_792_886_400  # 2026-10-25 02:00, in summer time
    for before in (first - 80 * 86400, first + 80 * 86400, first - 70_000, first - 30_000, first - 1):
        table.next(before)
        assert table.next(first - 60_000) == first
        assert table.closes(first + 60) == first + 7200
