"""Looking for what is due, and for what has waited too long."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred

from worldmail.errors import Refusal
from worldmail.interfaces.database import IDatabase, Row
from worldmail.interfaces.queue import IRoutes, Route, Via
from worldmail.interfaces.world import IClock, IJournal
from worldmail.mail.domain import normal_domain
from worldmail.queue.destinations import Destination, Destinations
from worldmail.queue.jobs import Job, Leased
from worldmail.queue.parcels import LOCAL
from worldmail.queue.routes import BUILT_IN
from worldmail.queue.rows import due_destinations, move_leased, next_due, take_due
from worldmail.queue.runner import LEASED, Runner

PAGE = 100
"""Destinations that are looked at in one read."""

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
        now, after = int(self.clock.now()), (-1, 0)
        while self.runner.going:
            rows = await self.database.read(partial(due_destinations, now=now, after=after, most=PAGE))
            for row in rows:
                if self.runner.leased < LEASED:
                    await self._take(row, now)
            if len(rows) < PAGE or self.runner.leased >= LEASED:
                break
            after = rows[-1][0], rows[-1][1]
        due = await self.database.read(partial(next_due, now=now))
        at = self.clock.now() + LONGEST
        if not self._stopped:
            self.wish(int(at if due is None else min(at, due)))

    async def _take(self, row: Row, now: int) -> None:
        _, id_, key, domain, route, rest_until, failures = row
        destination = self._destination(key, domain, route)
        destination.id = id_
        if destination.idle:
            destination.rest_until, destination.failures = rest_until, failures
        room = self.runner.room(destination)
        if room <= 0:
            destination.more = destination.rest_until <= now
            return
        runner_id = self.runner.id
        jobs = await self.database.write(partial(take_due, destination=id_, runner_id=runner_id, now=now, most=room))
        taken = sum(len(job.recipients) for job in jobs)
        destination.more = taken == room
        self.runner.leased += taken
        for job in jobs:
            await self._send(destination, job, runner_id)

    def _destination(self, key: str, domain: str, name: str) -> Destination:
        """The destination of a row. If its route is gone, one that leads nowhere: all of it is given to others."""
        if key == LOCAL.destination(domain):
            return self.destinations.of(LOCAL, domain)
        route = self.routes.named(name) if name else BUILT_IN
        if route is not None and route.destination(domain) == key:
            return self.destinations.of(route, domain)
        return Destination(key=key, domain=domain, route=Route(name=name, via=Via.REFUSE), most=1)

    async def _send(self, destination: Destination, job: Job, runner_id: int) -> None:
        """Offer a job, but for recipients whose way is another one now: routes may have changed while they waited."""
        stay: list[Leased] = []
        moved: dict[tuple[str, str, str], list[int]] = {}
        for leased in job.recipients:
            domain = normal_domain(leased.recipient.address.domain)
            route = self.routes.route(job.message.envelope.sender, domain)
            if destination.route is LOCAL or route.destination(domain) == destination.key:
                stay.append(leased)
            else:
                moved.setdefault((route.destination(domain), domain, route.name), []).append(leased.id)
        for (key, domain, name), ids in moved.items():
            await self.database.write(partial(move_leased, to=(key, domain, name), ids=ids, runner_id=runner_id))
            self.runner.leased -= len(ids)
            self.wish(0)
        if stay:
            job.recipients = stay
            self.runner.offer(destination, job, 0)
