"""Work that is done once changes were told and no more come."""

from __future__ import annotations

import time
from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from worldmail.database.listeners import Listeners
from worldmail.store.upkeep import AfterChanges, seconds_occupied


class TestAfterChanges(TestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.listeners = Listeners()
        self.number = self.runs = 0
        self.wait: Deferred[None] | None = None
        self.goes_on: Callable[[], bool] = lambda: False
        self.load = 1.0
        self.service = AfterChanges(
            self.clock,
            self.listeners,  # type: ignore[arg-type]  # its subscribe
            "mailbox",
            1,
            "the work",
            self.work,
            occupied=lambda: self.load * self.clock.seconds(),
        )
        self.service.startService()

    async def work(self, goes_on: Callable[[], bool]) -> None:
        self.runs += 1
        self.goes_on = goes_on
        if self.wait is not None:
            await self.wait

    def change(self, topic: str = "mailbox") -> None:
        self.number += 1
        self.listeners.tell([(self.number, topic, 7)])

    def test_it_runs_once_after_a_change_and_not_without(self) -> None:
        self.clock.advance(100)
        self.change("folders")
        self.clock.advance(100)
        assert self.runs == 0
        self.change()
        self.clock.advance(1)
        assert self.runs == 1
        self.clock.advance(100)
        assert self.runs == 1
        assert self.clock.getDelayedCalls() == []

    def test_while_changes_come_it_waits(self) -> None:
        for _ in range(10):
            self.change()
            self.clock.advance(0.9)
        assert self.runs == 0
        self.clock.pump([1, 1])
        assert self.runs == 1

    def test_while_changes_come_and_there_is_little_to_do_it_runs_for_a_short_time(self) -> None:
        self.load = 0.1
        self.wait = Deferred()
        self.change()
        self.clock.advance(0.5)
        self.change()
        self.clock.advance(0.5)
        assert self.runs == 1
        assert self.goes_on()
        self.clock.advance(0.5)
        assert not self.goes_on()
        self.wait.callback(None)
        self.clock.advance(1)
        assert self.runs == 2
        self.clock.advance(100)
        assert self.runs == 2

    def test_a_change_while_it_works_ends_the_quiet_and_makes_it_run_again(self) -> None:
        self.wait = Deferred()
        self.change()
        self.clock.advance(1)
        assert self.goes_on()
        self.change()
        assert not self.goes_on()
        self.clock.advance(10)
        assert self.runs == 1
        self.wait.callback(None)
        self.clock.advance(1)
        assert self.runs == 2

    def test_stopping_waits_for_the_run_under_way_and_nothing_runs_after(self) -> None:
        self.wait = Deferred()
        self.change()
        self.clock.advance(1)
        self.change()
        stopping = self.service.stopService()
        assert stopping is not None
        assert not self.goes_on()
        assert self.assertNoResult(stopping) is None
        self.wait.callback(None)
        assert self.successResultOf(stopping) is None
        self.change()
        assert self.clock.getDelayedCalls() == []

    def test_stopping_while_it_waits_leaves_nothing_behind(self) -> None:
        self.change()
        assert self.service.stopService() is None
        assert self.clock.getDelayedCalls() == []
        assert self.runs == 0

    def test_an_error_is_logged_and_the_next_change_counts(self) -> None:
        self.wait = Deferred()
        self.change()
        self.clock.advance(1)
        self.wait.errback(LookupError("today"))
        assert len(self.flushLoggedErrors(LookupError)) == 1
        self.wait = None
        self.change()
        self.clock.advance(1)
        assert self.runs == 2


def test_a_thread_at_work_is_occupied_and_one_that_sleeps_is_not() -> None:
    began = time.thread_time()
    before = seconds_occupied()
    while time.thread_time() - began < 0.05:
        pass
    at_work = seconds_occupied() - before
    assert at_work > 0.04
    before, since = seconds_occupied(), time.monotonic()
    time.sleep(0.05)
    assert seconds_occupied() - before < time.monotonic() - since
