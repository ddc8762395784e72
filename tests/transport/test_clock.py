"""Time that the wall clock cannot move."""

from __future__ import annotations

import time
from typing import Any

from twisted.internet.base import DelayedCall
from twisted.internet.epollreactor import EPollReactor

from worldmail.transport.clock import ReactorClock, use_monotonic_time
from worldmail.transport.sweep import Sweep


def test_timers_count_monotonic_seconds_and_waiting_ones_keep_their_time(monkeypatch: Any) -> None:
    reactor: Any = EPollReactor()
    fired: list[str] = []
    reactor.callLater(0.0, fired.append, "old")
    late: DelayedCall = reactor.callLater(50.0, fired.append, "late")
    use_monotonic_time(reactor)
    use_monotonic_time(reactor)
    assert 49 < late.getTime() - time.monotonic() <= 50
    monkeypatch.setattr(time, "time", lambda: 0.0)  # the wall clock was stepped back by decades
    reactor.callLater(0.0, fired.append, "new")
    reactor.runUntilCurrent()
    assert fired == ["old", "new"]
    late.cancel()
    reactor.removeAll()


def test_the_clock_has_both_times() -> None:
    clock = ReactorClock(reactor=None)
    assert abs(clock.seconds() - time.monotonic()) < 1
    assert abs(clock.now() - time.time()) < 1


class Member:
    def __init__(self, deadline: float, error: Exception | None = None) -> None:
        self.deadline = deadline
        self.error = error
        self.looks = 0

    def look(self, now: float) -> None:
        self.looks += 1
        if self.error is not None:
            raise self.error


def test_only_what_is_past_its_deadline_is_looked_at_and_no_fault_ends_the_sweep() -> None:
    from twisted.internet.task import Clock

    reactor = Clock()
    sweep = Sweep(reactor)
    now = time.monotonic()
    bad, late, early = Member(now - 1, ValueError("x")), Member(now - 1), Member(now + 100)
    for member in (bad, late, early):
        sweep.add(member)
    reactor.advance(1)
    assert (bad.looks, late.looks, early.looks) == (1, 1, 0)
    assert bad.deadline > now
    for member in (bad, late, early):
        sweep.discard(member)
    reactor.advance(1)
    assert reactor.getDelayedCalls() == []
