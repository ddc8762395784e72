"""From settings to what sends mail: resolver, connections, client, routes, queue."""

from __future__ import annotations

import os
import random
import secrets
import socket
from functools import partial
from pathlib import Path
from typing import Any

from attrs import frozen
from twisted.application.service import Service
from twisted.internet.defer import Deferred
from zope.interface import implementer

from worldmail.app.ground import StoreParts
from worldmail.config.settings import Settings
from worldmail.interfaces.directory import IDirectory
from worldmail.interfaces.store import IMaildropLocks
from worldmail.interfaces.world import Aside
from worldmail.mail.domain import normal_domain
from worldmail.mail.mime.downgrade import CannotConvert, eight_bit, seven_bit
from worldmail.protocols.smtp.client.means import Conversions, Means
from worldmail.protocols.smtp.client.outbound import Outbound
from worldmail.queue.carrier import Carriage
from worldmail.queue.current_routes import CurrentRoutes
from worldmail.queue.destinations import Destinations
from worldmail.queue.exchangers import Exchangers, Families, Ourselves
from worldmail.queue.expansion import Expansion
from worldmail.queue.here import Here
from worldmail.queue.looking import Looking
from worldmail.queue.overdue import Overdue
from worldmail.queue.parcels import Parcels
from worldmail.queue.registration import Registration
from worldmail.queue.reports import Reports
from worldmail.queue.runner import Runner
from worldmail.queue.schedule import Schedule
from worldmail.queue.service import QueueService
from worldmail.queue.settling import Settler
from worldmail.queue.tally import Tally
from worldmail.store.maildrop import FileLocks
from worldmail.transport.client_tls import ClientTls
from worldmail.transport.connecting import Connector
from worldmail.transport.dns.resolver import Resolver

_SERVICE: Any = Service  # its methods have no annotations


class Sending(Service):
    """Routes, queue and connections, started and stopped in their order."""

    def __init__(self, routes: CurrentRoutes, queue: QueueService, connector: Connector, grace: float) -> None:
        self._routes = routes
        self._queue = queue
        self._connector = connector
        self._grace = grace
        self._starting: Deferred[None] | None = None

    def startService(self) -> None:
        """Read the routes, then send."""
        _SERVICE.startService(self)
        self._starting = Deferred.fromCoroutine(self._start())

    def stopService(self) -> Any:
        """A Deferred that fires when nothing is under way."""
        _SERVICE.stopService(self)
        return Deferred.fromCoroutine(self._stop())

    async def _start(self) -> None:
        await self._routes.start()
        if self.running:
            self._queue.startService()

    async def _stop(self) -> None:
        if self._starting is not None:
            await self._starting
        if self._queue.running:
            await self._queue.stopService()
        await self._connector.shutdown(self._grace)
        self._routes.stop()


@frozen(kw_only=True)
class OutgoingParts:
    """What sends mail.

    Args:
        service: to run while the server does; stop it after the protocols.
    """

    expansion: Expansion
    resolver: Resolver
    outbound: Outbound
    parcels: Parcels
    queue: QueueService
    service: Sending


def build_outgoing(parts: StoreParts, directory: IDirectory, hostname: str, aside: Aside) -> OutgoingParts:
    """Everything that sends mail; nothing is begun."""
    foundations = parts.foundations
    settings: Settings = foundations.settings
    clock, journal, reactor = foundations.clock, foundations.journal, foundations.reactor
    queue, database, acceptance = settings.queue, parts.database, parts.store.acceptance
    grace = float(settings.server.shutdown_timeout)
    schedule = make_schedule(settings)
    resolver = Resolver(reactor=reactor, servers=settings.dns.servers, limit=float(settings.dns.timeout))
    connector = Connector(reactor=reactor, journal=journal, tls=ClientTls(trust=queue.trust))
    conversions = Conversions(seven_bit=seven_bit, eight_bit=eight_bit, impossible=CannotConvert)
    means = Means(
        clock=clock,
        journal=journal,
        promise=Deferred,
        conversions=conversions,
        aside=aside,
        nonce=partial(secrets.token_urlsafe, 18),
    )
    outbound = Outbound(connector, means)
    expansion = Expansion(folders=parts.store.folders, delimiters=settings.directory.recipient_delimiter)
    routes = CurrentRoutes(database, foundations.changes, parts.key.unseal, clock.sleep)
    destinations = Destinations(queue.connections_per_destination)
    tally = Tally()
    reports = Reports(
        acceptance=acceptance,
        directory=directory,
        expansion=expansion,
        clock=clock,
        journal=journal,
        host=hostname,
        double_failures=queue.double_failures,
    )
    settler = Settler(
        database=database,
        trace=parts.store.trace,
        journal=journal,
        clock=clock,
        schedule=schedule,
        reports=reports,
        tally=tally,
    )
    carriage = Carriage(
        ways=make_exchangers(settings, resolver, hostname),
        outbound=outbound,
        acceptance=acceptance,
        here=Here(directory=directory, expansion=expansion, acceptance=acceptance),
    )
    runner = Runner(
        database=database,
        clock=clock,
        journal=journal,
        destinations=destinations,
        schedule=schedule,
        settler=settler,
        carriage=carriage,
        most=queue.connections,
        later=reactor.callLater,
    )
    looking = Looking(
        database=database,
        clock=clock,
        journal=journal,
        routes=routes,
        destinations=destinations,
        runner=runner,
        later=reactor.callLater,
    )
    registration = Registration(
        database=database,
        locks=runner_locks(parts),
        trace=parts.store.trace,
        node=f"{socket.gethostname()}:{os.getpid()}",
        now=clock.now,
    )
    overdue = Overdue(database=database, trace=parts.store.trace, journal=journal, clock=clock, reports=reports)
    service = QueueService(
        database=database,
        changes=foundations.changes,
        clock=clock,
        journal=journal,
        registration=registration,
        destinations=destinations,
        runner=runner,
        looking=looking,
        overdue=overdue,
        tally=tally,
        grace=grace,
        later=reactor.callLater,
    )
    parcels = Parcels(routes=routes, destinations=destinations, schedule=schedule, now=clock.now, taker=runner)
    acceptance.onward = parcels
    return OutgoingParts(
        expansion=expansion,
        resolver=resolver,
        outbound=outbound,
        parcels=parcels,
        queue=service,
        service=Sending(routes, service, connector, grace),
    )


def make_schedule(settings: Settings) -> Schedule:
    """The times of [queue]."""
    queue = settings.queue
    return Schedule(
        first=float(queue.first_retry),
        longest=float(queue.longest_retry),
        lifetime=float(queue.lifetime),
        warn=float(queue.warn_after),
        random=random.random,
    )


def make_exchangers(settings: Settings, resolver: Resolver, hostname: str) -> Exchangers:
    """The way from a route to its hosts."""
    queue = settings.queue
    return Exchangers(
        resolver=resolver,
        shuffle=random.shuffle,
        helo=hostname,
        ourselves=Ourselves(names=frozenset({normal_domain(hostname)})),
        families=Families(queue.addresses),
        source=queue.source,
        port=queue.port,
    )


def runner_locks(parts: StoreParts) -> IMaildropLocks:
    """One lock for each runner's id: where the maildrops' are, and apart from them."""
    shared = parts.locks
    return FileLocks(str(Path(parts.foundations.data) / "runners.lock")) if shared is None else Below(shared)


@implementer(IMaildropLocks)
@frozen
class Below:
    """The locks of a shared database for numbers that no account has."""

    _locks: IMaildropLocks

    def lock(self, account_id: int) -> Any:
        """See `IMaildropLocks.lock`."""
        return self._locks.lock(-account_id)
