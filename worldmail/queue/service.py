"""The queue as a service: a runner from the start of the server to its end."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredLock

from worldmail.errors import Refusal
from worldmail.interfaces.database import IChanges, IDatabase, Notice
from worldmail.interfaces.world import IClock, IJournal
from worldmail.queue.destinations import Destinations
from worldmail.queue.forgetting import Forgetting
from worldmail.queue.linked import link_facts
from worldmail.queue.looking import Looking
from worldmail.queue.overdue import Overdue
from worldmail.queue.registration import Registration
from worldmail.queue.rows import STEERED, TOPIC, down_destinations
from worldmail.queue.runner import Runner
from worldmail.queue.tally import Tally, add_counts
from worldmail.queue.telling import Teller
from worldmail.transport.periodic import Periodic

WATCH = 1.0
"""Seconds between two looks at our own lock."""

RECLAIM = 2.0
"""Seconds between two looks for runners that died."""

STRAYS = 10.0
"""Seconds between two looks for what is leased to us without our knowing: units that came about though it could not be
told. What is on its way to us must not be taken for that."""

OVERDUE = 30.0
"""Seconds between two looks for all that has waited too long: behind links that are down that may be much."""

LATELY = 5.0
"""Seconds between two looks for what has come to wait too long since the last one."""

TELL = 5.0
"""Seconds between two looks for what is to be told at the latest."""

FORGET = 3600.0
"""Seconds between two looks for destinations that nothing is queued for."""

COUNT = 60.0
"""Seconds between two times that figures are kept."""

_SERVICE: Any = Service  # its methods have no annotations


class QueueService(Service):
    """Provides the runner's life.

    Args:
        grace: seconds that deliveries under way have when the server stops.
        later: calls back after so many seconds; gives what cancels it.
    """

    def __init__(
        self,
        *,
        database: IDatabase,
        changes: IChanges,
        clock: IClock,
        journal: IJournal,
        registration: Registration,
        destinations: Destinations,
        runner: Runner,
        looking: Looking,
        overdue: Overdue,
        teller: Teller,
        tally: Tally,
        grace: float,
        later: Callable[..., Any],
    ) -> None:
        self._database = database
        self._changes = changes
        self._clock = clock
        self._journal = journal
        self._registration = registration
        self._destinations = destinations
        self._looking = looking
        self._tally = tally
        self._grace = grace
        self.runner = runner
        runner.look, runner.holds = looking.wish, registration.held
        runner.settler.certain = self._certain
        chores = (
            (WATCH, self._watch),
            (RECLAIM, self._reclaim),
            (STRAYS, self._find_strays),
            (OVERDUE, overdue.round),
            (LATELY, overdue.lately),
            (TELL, teller.round),
            (FORGET, Forgetting(database=database, now=clock.now).round),
            (COUNT, self._count),
        )
        self._chores = [Periodic(later, every, "the queue", work, failed=self._failed) for every, work in chores]
        self._beginning: Deferred[None] | None = None
        self._entering = False
        self._learning = DeferredLock()
        self._asked = self._learnt = 0
        self._suspects: set[int] = set()
        self._subscriptions: list[Callable[[], None]] = []

    def startService(self) -> None:
        """Become a runner, take over from those that died, and begin."""
        _SERVICE.startService(self)
        subscribe = self._changes.subscribe
        self._subscriptions = [subscribe(TOPIC, self._changed), subscribe(STEERED, self._steered)]
        for chore in self._chores:
            chore.startService()
        self._beginning = Deferred.fromCoroutine(self._begin(at_once=True))
        self._beginning.addErrback(_refused)  # the watch tries again

    def stopService(self) -> Any:
        """A Deferred that fires when nothing is leased any more."""
        _SERVICE.stopService(self)
        for unsubscribe in self._subscriptions:
            unsubscribe()
        return Deferred.fromCoroutine(self._end())

    async def _begin(self, *, at_once: bool) -> None:
        registration, leases = self._registration, self.runner.leases
        self._entering = True
        try:
            if not registration.held():
                await registration.enter()
            if leases.runner_id not in (0, registration.id):
                ours = await registration.keep(list(leases.known.values()))
                self.runner.keep(registration.id, ours)
            with suppress(Refusal):  # the chore comes again
                await registration.reclaim(at_once=at_once)
                self.runner.carriage.apart.are_there(registration.apart)
            await self._learn()
        finally:
            self._entering = False
        if self.running:
            self.runner.begin(self._registration.id)
            self._looking.start()

    async def _end(self) -> None:
        for chore in self._chores:
            if (ended := chore.stopService()) is not None:
                await ended
        if self._beginning is not None:
            await self._beginning
        self.runner.cease()
        await self._looking.stop()
        try:
            done = await self.runner.end(self._grace)
            await self._count()
            if done:  # else the next runner takes over from us as from one that died
                await self._registration.leave()
        except Refusal:
            pass  # the same

    async def _watch(self) -> None:
        """While nobody knows whose the lock is, nothing is begun (`Runner.going`). If it is back, all goes on; if it is
        lost, others may have what was ours: begin anew, with what nobody has taken."""
        if self._entering or not self.running or (self._registration.held() and self.runner.begun):
            return
        if self.runner.begun:
            if await self._registration.resume():
                self.runner.begin(self._registration.id)
                return
            self.runner.cease()
        await self._looking.stop()
        await self._begin(at_once=False)

    def _certain(self) -> bool:
        return self._registration.held() and self.runner.id == self._registration.id

    async def _reclaim(self) -> None:
        if self._registration.held():
            await self._registration.reclaim()
            self.runner.carriage.apart.are_there(self._registration.apart)

    async def _find_strays(self) -> None:
        if self._registration.held():
            self._suspects = await self._registration.strays(self.runner.leases.known, self._suspects)

    async def _count(self) -> None:
        counts = self._tally.take()
        if counts:
            await self._database.write_long(partial(add_counts, counts=counts))

    def _changed(self, notice: Notice) -> None:
        """Something waits that may be due."""
        self._looking.wish(0)

    def _steered(self, notice: Notice) -> None:
        """An administrator wants something: what is remembered of rests may be old."""
        for destination in self._destinations:
            if notice.key in (0, destination.id):
                destination.rest_until = 0
        Deferred.fromCoroutine(self._learn_and_look())

    def _failed(self, error: Exception) -> None:
        if not isinstance(error, Refusal):  # the database has its own words for these
            self._journal.failure("queue.failed", error)

    async def _learn_and_look(self) -> None:
        try:
            await self._learn()
        finally:
            self._looking.wish(0)

    async def _learn(self) -> None:
        """Which links are down; if that cannot be read, what was known stays.

        One read after another, so that the last word is what was found last; one is enough for all who asked before it.
        """
        self._asked += 1
        asked = self._asked
        await self._learning.acquire()
        try:
            if self._learnt < asked:
                learnt = self._asked
                with suppress(Refusal):
                    self._destinations.down, self._destinations.links = await self._database.scan(
                        lambda cursor: (down_destinations(cursor), link_facts(cursor))
                    )
                    self._learnt = learnt
        finally:
            self._learning.release()


def _refused(failure: Any) -> None:
    failure.trap(Refusal)
