"""From the configuration to a queue."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, Protocol

from attrs import frozen

from worldmail.interfaces.database import IChanges, IDatabase
from worldmail.interfaces.directory import IDirectory
from worldmail.interfaces.outbound import IOutbound
from worldmail.interfaces.queue import IRoutes
from worldmail.interfaces.store import IAcceptance, IMaildropLocks, ITrace
from worldmail.interfaces.world import IClock, IJournal
from worldmail.queue.carrier import Carriage, Ways
from worldmail.queue.destinations import Destinations
from worldmail.queue.expansion import Expansion
from worldmail.queue.here import Here
from worldmail.queue.looking import Looking
from worldmail.queue.overdue import Overdue
from worldmail.queue.parcels import Parcels
from worldmail.queue.places import Pace
from worldmail.queue.registration import Registration
from worldmail.queue.reports import Reports
from worldmail.queue.resting import Resting
from worldmail.queue.runner import Runner
from worldmail.queue.schedule import Schedule
from worldmail.queue.service import QueueService
from worldmail.queue.settling import Settler
from worldmail.queue.tally import Tally


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
        grace: seconds that deliveries under way have when the server stops.
        later: calls back after so many seconds; gives what cancels it.
    """

    database: IDatabase
    changes: IChanges
    clock: IClock
    journal: IJournal
    trace: ITrace
    acceptance: IAcceptance
    directory: IDirectory
    locks: IMaildropLocks
    host: str
    node: str
    grace: float
    later: Callable[..., Any]


@frozen(kw_only=True)
class Queue:
    """The queue of a server: where mail comes in, and the service that sends it."""

    parcels: Parcels
    runner: Runner
    overdue: Overdue
    resting: Resting
    service: QueueService


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
    settler = Settler(
        database=on.database,
        trace=on.trace,
        journal=on.journal,
        clock=on.clock,
        schedule=schedule,
        reports=reports,
        tally=tally,
    )
    runner = Runner(
        database=on.database,
        clock=on.clock,
        journal=on.journal,
        destinations=destinations,
        schedule=schedule,
        settler=settler,
        carriage=Carriage(
            ways=ways,
            outbound=outbound,
            acceptance=on.acceptance,
            here=Here(directory=on.directory, expansion=expansion, acceptance=on.acceptance),
            pace=Pace(seconds=on.clock.seconds, later=on.later),
        ),
        most=settings.connections,
        later=on.later,
    )
    overdue = Overdue(
        database=on.database, trace=on.trace, journal=on.journal, clock=on.clock, schedule=schedule, reports=reports
    )
    return Queue(
        parcels=Parcels(routes=routes, destinations=destinations, schedule=schedule, now=on.clock.now, taker=runner),
        runner=runner,
        overdue=overdue,
        resting=Resting(database=on.database, now=on.clock.now),
        service=_service(on, runner, overdue, tally, routes, destinations),
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
        host=on.host,
        double_failures=settings.double_failures,
    )


def _service(
    on: Surroundings, runner: Runner, overdue: Overdue, tally: Tally, routes: IRoutes, destinations: Destinations
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
    registration = Registration(database=on.database, locks=on.locks, trace=on.trace, node=on.node, now=on.clock.now)
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
        tally=tally,
        grace=on.grace,
        later=on.later,
    )
