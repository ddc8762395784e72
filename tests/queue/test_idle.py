"""Connections that wait for more to send: one timer serves them all, and nobody waits for ever."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from worldmail.interfaces.queue import Route
from worldmail.queue.destinations import Destination
from worldmail.queue.places import Idle

HERE, THERE = (Destination(key=key, domain=key, route=Route(name=""), most=5) for key in ("here", "there"))


def waits(idle: Idle, destination: Destination) -> list[Any]:
    """What a connection gets, once it does."""
    got: list[Any] = []
    Deferred.fromCoroutine(idle.wait(destination, 2.0)).addBoth(got.append)
    return got


def job() -> Any:
    return object()


def test_who_waits_first_gets_what_comes_first_for_its_destination() -> None:
    idle = Idle(later=Clock().callLater)
    got, other, nobody = waits(idle, HERE), waits(idle, HERE), waits(idle, THERE)
    first, second, third = job(), job(), job()
    assert [idle.give(HERE, one) for one in (first, second, third)] == [True, True, False]
    assert (got, other, nobody) == ([first], [second], [])


def test_who_gets_nothing_in_its_time_waits_no_longer() -> None:
    clock = Clock()
    idle = Idle(later=clock.callLater)
    got = waits(idle, HERE)
    clock.advance(1.9)
    assert got == []
    clock.advance(0.1)
    assert got == [None]
    assert not idle.give(HERE, job())
    assert clock.getDelayedCalls() == []


def test_who_came_later_waits_its_own_time_and_at_most_twice_that() -> None:
    clock = Clock()
    idle = Idle(later=clock.callLater)
    got = waits(idle, HERE)
    clock.advance(1.0)
    later = waits(idle, HERE)
    clock.advance(1.0)
    assert (got, later) == ([None], [])
    clock.advance(2.0)
    assert later == [None]
    assert clock.getDelayedCalls() == []


def test_one_timer_is_enough_for_all_who_wait() -> None:
    clock = Clock()
    idle = Idle(later=clock.callLater)
    for _ in range(100):
        got = waits(idle, HERE)
        assert idle.give(HERE, job())
        assert got != [None]
    assert len(clock.getDelayedCalls()) == 1
    clock.advance(10.0)
    assert clock.getDelayedCalls() == []


def test_at_the_end_all_are_told_that_nothing_comes() -> None:
    clock = Clock()
    idle = Idle(later=clock.callLater)
    got = [waits(idle, destination) for destination in (HERE, THERE, HERE)]
    idle.dismiss()
    idle.dismiss()
    assert got == [[None]] * 3
    assert clock.getDelayedCalls() == []
