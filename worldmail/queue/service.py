"""The queue as a service: a runner from the start of the server to its end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Any

from attrs import define, field
from twisted.application.service import Service
from twisted.internet.defer import Deferred

from worldmail.errors import Refusal
from worldmail.interfaces.database import IChanges, IDatabase, Notice
from worldmail.interfaces.world import IClock, IJournal
from worldmail.queue.destinations import Destinations
from worldmail.queue.looking import Looking
from worldmail.queue.overdue import Overdue
from worldmail.queue.registration import Registration
from worldmail.queue.rows import STEERED, TOPIC, down_destinations
from worldmail.queue.runner import Runner
from worldmail.queue.tally import Tally, add_counts

WATCH = 1.0
"""Seconds between two looks at our own lock."""

RECLAIM = 10.0
"""Seconds between two looks for runners that died."""

OVERDUE = 30.0
"""Seconds between two looks for what has waited too long."""

COUNT = 60.0
"""Seconds between two times that figures are kept."""

_SERVICE: Any = Service  # its methods have no annotations


@define(eq=False)
class Chore:
    """Something that is done again and again while it is wanted; one time after another.

    Args:
        every: seconds from the end of one time to the next.
    """

    every: float
    work: Callable[[], Awaitable[object]]
    journal: IJournal
    later: Callable[..., Any]
    _timer: Any = field(default=None, init=False)
    _running: Deferred[None] | None = field(default=None, init=False)
    _wanted: bool = field(default=False, init=False)

    def start(self) -> None:
        """Begin; the first time comes after the first pause."""
        self._wanted = True
        self._timer = self.later(self.every, self._go)

    async def stop(self) -> None:
        """No more; done when one that is under way is."""
        self._wanted = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._running is not None:
            await self._running

    def _go(self) -> None:
        self._timer = None
        self._running = Deferred.fromCoroutine(self._once())

    async def _once(self) -> None:
        try:
            await self.work()
        except Refusal:
            pass  # the database has its own words for it
        except Exception as error:  # noqa: BLE001  one time's fault must not end all that come after it
            self.journal.failure("queue.failed", error)
        self._running = None
        if self._wanted:
            self._timer = self.later(self.every, self._go)


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
        tally: Tally,
        grace: float,
        later: Callable[..., Any],
    ) -> None:
        self._database = database
        self._changes = changes
        self._clock = clock
        self._registration = registration
        self._destinations = destinations
        self._looking = looking
        self._tally = tally
        self._grace = grace
        self.runner = runner
        runner.look, runner.holds = looking.wish, registration.held
        chores = ((WATCH, self._watch), (RECLAIM, self._reclaim), (OVERDUE, overdue.round), (COUNT, self._count))
        self._chores = [Chore(every, work, journal, later) for every, work in chores]
        self._beginning: Deferred[None] | None = None
        self._entering = False
        self._suspects: set[int] = set()
        self._subscriptions: list[Callable[[], None]] = []

    def startService(self) -> None:
        """Become a runner, take over from those that died, and begin."""
        _SERVICE.startService(self)
        subscribe = self._changes.subscribe
        self._subscriptions = [subscribe(TOPIC, self._changed), subscribe(STEERED, self._steered)]
        for chore in self._chores:
            chore.start()
        self._beginning = Deferred.fromCoroutine(self._begin())
        self._beginning.addErrback(_refused)  # the watch tries again

    def stopService(self) -> Any:
        """A Deferred that fires when nothing is leased any more."""
        _SERVICE.stopService(self)
        for unsubscribe in self._subscriptions:
            unsubscribe()
        return Deferred.fromCoroutine(self._end())

    async def _begin(self) -> None:
        self._entering = True
        try:
            if not self._registration.held():
                await self._registration.enter()
            with suppress(Refusal):  # the chore comes again
                await self._registration.reclaim()
            await self._learn()
        finally:
            self._entering = False
        if self.running:
            self.runner.begin(self._registration.id)
            self._looking.start()

    async def _end(self) -> None:
        for chore in self._chores:
            await chore.stop()
        if self._beginning is not None:
            await self._beginning
        self.runner.going = False
        await self._looking.stop()
        try:
            done = await self.runner.end(self._grace)
            await self._count()
            if done:  # else the next runner takes over from us as from one that died
                await self._registration.leave()
        except Refusal:
            pass  # the same

    async def _watch(self) -> None:
        """If the lock is lost, others may have what was ours: begin anew."""
        if self._entering or not self.running or (self._registration.held() and self.runner.going):
            return
        self.runner.forget()
        await self._looking.stop()
        await self._begin()

    async def _reclaim(self) -> None:
        await self._registration.reclaim()
        if self._registration.held():
            self._suspects = await self._registration.strays(self.runner.held, self._suspects)

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
        Deferred.fromCoroutine(self._learn())
        self._looking.wish(0)

    async def _learn(self) -> None:
        """Which links are down; if that cannot be read, what was known stays."""
        with suppress(Refusal):
            self._destinations.down = await self._database.scan(down_destinations)


def _refused(failure: Any) -> None:
    failure.trap(Refusal)
