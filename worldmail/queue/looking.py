"""Looking for what is due, and for what has waited too long."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator, Sequence
from functools import partial
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred, DeferredList
from twisted.python.failure import Failure

from worldmail.errors import Refusal
from worldmail.interfaces.database import IDatabase, Row
from worldmail.interfaces.queue import IRoutes, Via
from worldmail.interfaces.world import IClock, IJournal
from worldmail.mail.domain import normal_domain
from worldmail.queue.destinations import READY, Destination, Destinations
from worldmail.queue.jobs import Job, Leased, Message
from worldmail.queue.parcels import LOCAL
from worldmail.queue.routes import BUILT_IN
from worldmail.queue.rows import Place, due_destinations, next_due, return_leased, take_due
from worldmail.queue.runner import LEASED, Runner

PAGE = 100
"""Destinations that are looked at in one read."""

SIDE_BY_SIDE = 20
"""Destinations that are leased for at once; so many times `READY` may be leased beyond `LEASED`."""

SOONEST = 0.05
"""Seconds from a wish to look until it is done: wishes come in swarms."""

LONGEST = 30.0
"""Seconds between two looks at most: nothing depends on every notice coming through."""


@define(kw_only=True, eq=False)
class Looking:
    """Takes what is due for a runner.

    Args:
        later: calls back after so many seconds; gives what cancels it.
    """

    database: IDatabase
    clock: IClock
    journal: IJournal
    routes: IRoutes
    destinations: Destinations
    runner: Runner
    later: Callable[..., Any]
    _timer: Any = field(default=None, init=False)
    _at: float = field(default=0.0, init=False)
    _looking: Deferred[None] | None = field(default=None, init=False)
    _stopped: bool = field(default=False, init=False)

    def wish(self, due: int) -> None:
        """Look at that moment (epoch seconds; one that has passed: soon)."""
        at = max(self.clock.now() + SOONEST, due)
        if self._stopped or (self._timer is not None and self._at <= at):
            return
        self._set(at)

    async def stop(self) -> None:
        """Look no more; done when a look that was under way is."""
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._looking is not None:
            await self._looking

    def start(self) -> None:
        """Look from now on."""
        self._stopped = False
        self.wish(0)

    def _set(self, at: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._at = at
        self._timer = self.later(max(0.0, at - self.clock.now()), self._look)

    def _look(self) -> None:
        self._timer = None
        if self._looking is not None:  # one after another
            self.wish(0)
            return
        self._looking = Deferred.fromCoroutine(self._rounds())
        self._looking.addBoth(self._looked)

    def _looked(self, result: Any) -> None:
        self._looking = None
        if hasattr(result, "value"):
            if not isinstance(result.value, Refusal):
                self.journal.failure("queue.failed", result.value)
            self.wish(int(self.clock.now() + 1))

    async def _rounds(self) -> None:
        await self.routes.settled()  # what is to be tried after a change of routes goes by that change
        now, after = int(self.clock.now()), (-1, 0)
        while self.runner.going:
            rows = await self.database.read(partial(due_destinations, now=now, after=after, most=PAGE))
            for some in batched(rows, SIDE_BY_SIDE):
                if self.runner.leases.count < LEASED:  # their units share a commit
                    await _all([self._take(row, now) for row in some])
            if self.runner.leases.count >= LEASED:
                self.runner.short = True
                break
            if len(rows) < PAGE:
                break
            after = rows[-1][0], rows[-1][1]
        due = await self.database.read(partial(next_due, now=now))
        at = self.clock.now() + LONGEST
        if not self._stopped:
            self.wish(int(at if due is None else min(at, due)))

    async def _take(self, row: Row, now: int) -> None:
        _, id_, key, domain, name, rest_until, failures = row
        destination = self._destination(key, domain, name)
        room = READY
        if destination is not None:
            destination.id = id_
            if destination.idle:
                destination.rest_until, destination.failures = rest_until, failures
            if destination.route.via is not Via.HOLD:
                room = self.runner.room(destination)
            if room <= 0:
                destination.more = destination.rest_until <= now
                return
        runner_id, way = self.runner.id, partial(self._way, key)
        left = tuple(self.runner.carriage.apart.left)
        jobs, seen = await self.database.write(
            partial(take_due, destination=id_, runner_id=runner_id, now=now, most=room, way=way, left=left)
        )
        destination = destination or self._destination(key, domain, name)
        if destination is not None:
            destination.more = seen == room
            self.runner.take(destination, jobs)
            return
        for job in jobs:  # its route came and went in this moment
            await self._give_back(id_, job, runner_id, now)
        if seen == room:
            self.wish(0)

    async def _give_back(self, destination: int, job: Job, runner_id: int, now: int) -> None:
        ids = [leased.id for leased in job.recipients]
        await self.database.write(
            partial(return_leased, destination=destination, ids=ids, runner_id=runner_id, now=now)
        )

    def _destination(self, key: str, domain: str, name: str) -> Destination | None:
        """The destination of a row; None if its route is gone, so that all of it is others' now."""
        if key == LOCAL.destination(domain):
            return self.destinations.of(LOCAL, domain)
        route = self.routes.named(name) if name else BUILT_IN
        if route is not None and route.destination(domain) == key:
            return self.destinations.of(route, domain)
        return None

    def _way(self, key: str, message: Message, leased: Leased) -> Place | None:
        """The destination of a recipient, if it is not this one: what waits does not know of changes of routes."""
        domain = normal_domain(leased.recipient.address.domain)
        if key == LOCAL.destination(domain):
            return None
        route = self.routes.onward(message.envelope.sender, domain)
        place = (route.destination(domain), domain, route.name)
        return None if place[0] == key else place


async def _all(works: Sequence[Coroutine[Any, Any, None]]) -> None:
    """Done when all are; the first failure is raised then."""
    for _, result in await DeferredList([Deferred.fromCoroutine(work) for work in works], consumeErrors=True):
        if isinstance(result, Failure):
            result.raiseException()


def batched(rows: Sequence[Row], most: int) -> Iterator[Sequence[Row]]:
    """So many at a time."""
    return (rows[start : start + most] for start in range(0, len(rows), most))
