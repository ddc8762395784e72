"""When agents run: their timetables, what was missed, and runs that failed."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from worldmail.interfaces.ondemand import Agent, AgentKind
from worldmail.ondemand.agent_schedule import LONGEST_PAUSE, Plan, due_after, pause_after
from worldmail.ondemand.timetable import Timetable

DAY = 86400
MONDAY = 1_773_014_400  # 2026-03-09 00:00 UTC


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def at(hour: float, day: int = 0) -> float:
    return MONDAY + day * DAY + hour * 3600


def due(when: str, last: float, now: float, failures: int = 0, ended: float = 0.0) -> float | None:
    return due_after(Timetable.parse(when), last, now, failures, ended)


def test_it_runs_when_its_timetable_says() -> None:
    assert due("every 15m", at(9.1), at(9.1)) == at(9.25)
    assert due("07:30", at(8), at(8)) == at(7.5, 1)
    assert due("never", at(8), at(8)) is None


def test_what_was_missed_is_made_up_for_once() -> None:
    now = at(9.1)
    assert due("every 15m", at(3), now) == now
    assert due("every 15m", now, now) == at(9.25)
    assert due("07:30", at(8, -3), now) == now


def test_what_was_missed_in_hours_that_are_over_is_not_made_up_for() -> None:
    when = "mon-fri 08:00-18:00 every 30m"
    assert due(when, at(17.2), at(22)) == at(8, 1)
    assert due(when, at(17.2), at(17.9)) == at(17.9)
    assert due("08:00-18:00", at(9, -1), at(12)) == at(12)
    assert due("08:00-18:00", at(9), at(22)) == at(8, 1)


def test_after_a_failure_it_tries_again_after_a_pause_that_grows() -> None:
    assert [pause_after(number) for number in (1, 2, 3, 4)] == [10, 20, 40, 80]
    assert pause_after(1000) == LONGEST_PAUSE
    assert due("every 15m", at(9), at(9), 1, at(9) + 5) == at(9) + 15
    assert due("every 15m", at(9), at(9), 20, at(9) + 5) == at(9.25)
    assert due("07:30", at(7.5), at(7.6), 3, at(7.6)) == at(7.6) + 40
    assert due("never", at(9), at(9), 1, at(9)) is None


def test_it_does_not_try_again_when_its_hours_are_over() -> None:
    assert due("08:00-18:00 every 1h", at(17), at(17.99), 9, at(17.99)) == at(8, 1)


def test_a_clock_that_is_put_forward_or_back_by_an_hour_neither_skips_nor_doubles(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """2026-03-29 02:30 does not come in Berlin, 2026-10-25 02:30 comes twice."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    for noon in (1_774_692_000, 1_792_836_000):
        plan, runs, now = plan_of("02:30", float(noon)), 0, float(noon)
        while now < noon + DAY:
            plan.look(now, 0.0)
            if plan.is_due(now):
                runs += 1
                plan.began(now)
                plan.over(now, ok=True)
            now += 300
        assert runs == 1


def plan_of(when: str, last: float, **changes: bool) -> Plan:
    return Plan(agent=Agent(name="a", kind=AgentKind.ETRN, when=when, **changes), last=last)


def test_chance_delays_it_a_little_and_stays_what_it_was() -> None:
    plan = plan_of("every 30s", at(9))
    plan.look(at(9), 1.0)
    assert (plan.next, plan.due) == (at(9) + 30, at(9) + 33)
    plan.look(at(9) + 1, 0.0)
    assert plan.due == at(9) + 33
    daily = plan_of("07:30", at(9))
    daily.look(at(9), 1.0)
    assert daily.due == at(7.5, 1) + 10


def test_chance_delays_what_is_made_up_for_only_once() -> None:
    plan = plan_of("every 10s", at(3))
    plan.look(at(9), 0.9)
    plan.look(at(9) + 1, 0.9)
    assert plan.is_due(at(9) + 1)


def test_one_that_is_not_enabled_is_never_due() -> None:
    plan = plan_of("every 30s", at(9), enabled=False)
    plan.look(at(10), 0.0)
    assert plan.next is None and not plan.is_due(at(11))


def test_it_comes_back_when_the_clock_was_put_back() -> None:
    plan = plan_of("every 15m", at(9))
    plan.look(at(9), 0.0)
    plan.clock_went_back(at(3))
    plan.look(at(3), 0.0)
    assert plan.due == at(3.25)
