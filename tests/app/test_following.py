"""A table is read before anything goes by it, again and again if need be."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from worldmail.app.following import AGAIN, Following
from worldmail.errors import TemporaryFailure
from worldmail.testing.world import ManualClock, MemoryJournal


class Table:
    """It starts when the test says so."""

    def __init__(self) -> None:
        self.starting: list[Deferred[None]] = []
        self.stopped = 0

    async def start(self) -> None:
        made: Deferred[None] = Deferred()
        self.starting.append(made)
        await made

    def stop(self) -> None:
        self.stopped += 1


class TestFollowing(SynchronousTestCase):
    def setUp(self) -> None:
        self.table, self.clock, self.journal = Table(), ManualClock(), MemoryJournal()
        self.following = Following(self.table, "table.unread", self.journal, self.clock.sleep)
        self.following.startService()
        self.tried = Deferred.fromCoroutine(self.following.tried())

    def test_it_was_tried_when_it_is_read(self) -> None:
        assert not self.tried.called
        self.table.starting.pop().callback(None)
        assert self.successResultOf(self.tried) is None
        assert self.clock.slept == [] and not self.table.starting

    def test_it_was_tried_when_it_failed_and_is_tried_again(self) -> None:
        self.table.starting.pop().errback(TemporaryFailure())
        assert self.successResultOf(self.tried) is None
        self.table.starting.pop().errback(TemporaryFailure())
        self.table.starting.pop().callback(None)
        assert self.clock.slept == [AGAIN, AGAIN] and not self.table.starting
        assert [event for event, _ in self.journal.failures] == ["table.unread"] * 2

    def test_its_end_ends_the_table(self) -> None:
        ended = self.following.stopService()
        assert not ended.called
        self.table.starting.pop().errback(TemporaryFailure())
        assert self.successResultOf(ended) is None
        assert self.table.stopped == 1 and not self.table.starting
