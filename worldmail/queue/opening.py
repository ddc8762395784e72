"""From the configuration to a queue."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, Protocol

from attrs import frozen

from worldmail.interfaces.database import IChanges, IDatabase
from worldmail.interfaces.directory import IDirectory
from worldmail.interfaces.outbound import IOutbound
from worldmail.interfaces.pairs import IPairs
from worldmail.interfaces.queue import IRoutes
from worldmail.interfaces.store import IAcceptance, ILeaseLocks, ITrace
from worldmail.interfaces.world import IClock, IJournal
from worldmail.queue.apart import Apart
from worldmail.queue.carrier import Carriage, Ways
from worldmail.queue.destinations import Destinations
from worldmail.queue.expansion import Expansion
from worldmail.queue.here import Here
from worldmail.queue.looking import Looking
from worldmail.queue.overdue import Overdue
from worldmail.queue.parcels import Parcels
from worldmail.queue.places import Pace
from worldmail.queue.registration import Registration
from worldmail.queue.releases import Releases
from worldmail.queue.releasing import Releasing
from worldmail.queue.reports import Reports
from worldmail.queue.resting import Resting
from worldmail.queue.runner import Runner
from worldmail.queue.schedule import Schedule
from worldmail.queue.service import QueueService
from worldmail.queue.settling import Settler
from worldmail.queue.tally import Tally
from worldmail.queue.telling import Teller
from worldmail.queue.triggers import Triggers
from worldmail.queue.turning import Turns
from worldmail.queue.waking import Waking


class QueueOptions(Protocol):
    """What is read of the section [queue]. Times in seconds."""

    @property
    def first_retry(self) -> float: ...
    @property
    def longest_retry(self) -> float: ...
    @property
    def lifetime(self) -> float: ...
    @property
    def warn_after(self) -> float: ...
    @property
    def connections(self) -> int: ...
    @property
    def connections_per_destination(self) -> int: ...
    @property
    def double_failures(self) -> str: ...


@frozen(kw_only=True)
class Surroundings:
    """What a queue stands on.

    Args:
        locks: one for each id of a runner.
        host: our own name.
        node: the machine and process, for people.
        mark: what tells our content store from that of another machine; "" where all have one.
        grace: seconds that deliveries under way have when the server stops.
        later: calls back after so many seconds; gives what cancels it.
        pairs: None where nobody is paired with us.
    """

    database: IDatabase
    changes: IChanges
    clock: IClock
    journal: IJournal
    trace: ITrace
    acceptance: IAcceptance
    directory: IDirectory
    locks: ILeaseLocks
    host: str
    node: str
    grace: float
    later: Callable[..., Any]
    mark: Callable[[], str] = lambda: ""
    pairs: IPairs | None = None


@frozen(kw_only=True)
class Queue:
    """The queue of a server: where mail comes in, and the service that sends it."""

    parcels: Parcels
    runner: Runner
    overdue: Overdue
    teller: Teller
    reports: Reports
    resting: Resting
    releases: Releases
    triggers: Triggers
    service: QueueService

    def reload(self, settings: QueueOptions, ways: Ways) -> None:
        """Go by these from now on. What waits keeps the time that it has, and the moment of its next try."""
        self.runner.schedule.follow(make_schedule(settings))
        self.reports.double_failures = settings.double_failures
        self.runner.carriage.ways = ways
        self.runner.places.most = settings.connections
        self.runner.destinations.bound(settings.connections_per_destination)
        if self.runner.begun:
            self.runner.begin(self.runner.id)  # who waits for a connection may have one


def open_queue(
    settings: QueueOptions,
    on: Surroundings,
    *,
    routes: IRoutes,
    expansion: Expansion,
    ways: Ways,
    outbound: IOutbound,
) -> Queue:
    """The queue; nothing is begun before its service starts."""
    schedule = make_schedule(settings)
    destinations = Destinations(settings.connections_per_destination)
    tally = Tally()
    reports = _reports(settings, on, expansion)
    teller = Teller(database=on.database, clock=on.clock, journal=on.journal, reports=reports)
    runner = Runner(
        database=on.database,
        clock=on.clock,
        journal=on.journal,
        destinations=destinations,
        schedule=schedule,
        settler=_settler(on, schedule, reports, teller, tally),
        carriage=_carriage(on, expansion, ways, outbound),
        most=settings.connections,
        later=on.later,
    )
    overdue = Overdue(
        database=on.database, trace=on.trace, clock=on.clock, schedule=schedule, reports=reports, teller=teller
    )
    releases = _releases(on, runner, routes, outbound)
    return Queue(
        parcels=Parcels(
            routes=routes,
            destinations=destinations,
            schedule=schedule,
            now=on.clock.now,
            taker=runner,
            waking=_waking(on, releases.releasing),
        ),
        runner=runner,
        overdue=overdue,
        teller=teller,
        reports=reports,
        resting=Resting(database=on.database, now=on.clock.now),
        releases=releases,
        triggers=Triggers(releasing=releases.releasing, routes=routes, clock=on.clock, journal=on.journal),
        service=_service(on, runner, overdue, teller, tally, routes, destinations),
    )


def _settler(on: Surroundings, schedule: Schedule, reports: Reports, teller: Teller, tally: Tally) -> Settler:
    return Settler(
        database=on.database,
        trace=on.trace,
        journal=on.journal,
        clock=on.clock,
        schedule=schedule,
        reports=reports,
        teller=teller,
        tally=tally,
    )


def _carriage(on: Surroundings, expansion: Expansion, ways: Ways, outbound: IOutbound) -> Carriage:
    return Carriage(
        ways=ways,
        outbound=outbound,
        acceptance=on.acceptance,
        here=Here(directory=on.directory, expansion=expansion, acceptance=on.acceptance),
        pace=Pace(seconds=on.clock.seconds, later=on.later),
        apart=Apart(database=on.database, clock=on.clock, journal=on.journal),
    )


def _releases(on: Surroundings, runner: Runner, routes: IRoutes, outbound: IOutbound) -> Releases:
    releasing = Releasing(database=on.database, routes=routes, trace=on.trace, clock=on.clock, journal=on.journal)
    turns = Turns(
        database=on.database,
        changes=on.changes,
        directory=on.directory,
        routes=routes,
        runner=runner,
        outbound=outbound,
        journal=on.journal,
        pairs=on.pairs,
        host=on.host,
    )
    return Releases(releasing=releasing, turns=turns)


def _waking(on: Surroundings, releasing: Releasing) -> Waking:
    return Waking(
        database=on.database,
        releasing=releasing,
        routes=releasing.routes,
        trace=on.trace,
        clock=on.clock,
        journal=on.journal,
    )


def make_schedule(settings: QueueOptions) -> Schedule:
    """The times of [queue]."""
    return Schedule(
        first=float(settings.first_retry),
        longest=float(settings.longest_retry),
        lifetime=float(settings.lifetime),
        warn=float(settings.warn_after),
        random=random.random,
    )


def _reports(settings: QueueOptions, on: Surroundings, expansion: Expansion) -> Reports:
    return Reports(
        acceptance=on.acceptance,
        directory=on.directory,
        expansion=expansion,
        clock=on.clock,
        journal=on.journal,
        trace=on.trace,
        host=on.host,
        double_failures=settings.double_failures,
    )


def _service(
    on: Surroundings,
    runner: Runner,
    overdue: Overdue,
    teller: Teller,
    tally: Tally,
    routes: IRoutes,
    destinations: Destinations,
) -> QueueService:
    looking = Looking(
        database=on.database,
        clock=on.clock,
        journal=on.journal,
        routes=routes,
        destinations=destinations,
        runner=runner,
        later=on.later,
    )
    registration = Registration(
        database=on.database,
        locks=on.locks,
        trace=on.trace,
        node=on.node,
        mark=on.mark,
        reports=overdue.reports,
        now=on.clock.now,
        seconds=on.clock.seconds,
    )
    return QueueService(
        database=on.database,
        changes=on.changes,
        clock=on.clock,
        journal=on.journal,
        registration=registration,
        destinations=destinations,
        runner=runner,
        looking=looking,
        overdue=overdue,
        teller=teller,
        tally=tally,
        grace=on.grace,
        later=on.later,
    )
