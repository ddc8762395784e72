"""From settings to what sends mail: resolver, connections, client, routes, queue."""

from __future__ import annotations

import os
import random
import secrets
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from functools import partial
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any

from attrs import frozen
from twisted.application.service import Service
from twisted.internet.defer import Deferred
from zope.interface import implementer

from worldmail.app.ground import StoreParts
from worldmail.config.listeners import listeners
from worldmail.config.settings import Settings
from worldmail.errors import WorldMailError
from worldmail.interfaces.directory import IDirectory
from worldmail.interfaces.store import IMaildropLocks
from worldmail.interfaces.world import Aside, IJournal
from worldmail.mail.domain import normal_domain
from worldmail.mail.mime.downgrade import CannotConvert, eight_bit, seven_bit
from worldmail.protocols.smtp.client.means import Conversions, Means
from worldmail.protocols.smtp.client.outbound import Outbound
from worldmail.queue.current_routes import CurrentRoutes
from worldmail.queue.exchangers import Exchangers, Families, Ourselves
from worldmail.queue.expansion import Expansion
from worldmail.queue.opening import Queue, Surroundings, open_queue
from worldmail.queue.route_keys import SMTP_PORT
from worldmail.queue.service import QueueService
from worldmail.store.maildrop import FileLocks
from worldmail.transport.client_tls import ClientTls
from worldmail.transport.connecting import Connector
from worldmail.transport.dns.resolver import Resolver

LOOPBACK = ip_network("127.0.0.0/8"), ip_network("::1/128")
ANYWHERE = ("*", "0.0.0.0", "::")

AGAIN = 5.0
"""Seconds after which routes that could not be read are read again."""

_SERVICE: Any = Service  # its methods have no annotations


class Sending(Service):
    """Routes, queue and connections, started and stopped in their order."""

    def __init__(
        self,
        routes: CurrentRoutes,
        queue: QueueService,
        connector: Connector,
        *,
        grace: float,
        journal: IJournal,
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._journal = journal
        self._sleep = sleep
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
        """Without its routes mail could take a way that nobody wanted: it waits until they can be read."""
        while self.running:
            try:
                await self._routes.start()
            except WorldMailError as error:
                self._journal.failure("queue.no-routes", error)
                await self._sleep(AGAIN)
            else:
                break
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
    queue: Queue
    service: Sending


def build_outgoing(parts: StoreParts, directory: IDirectory, hostname: str, aside: Aside) -> OutgoingParts:
    """Everything that sends mail; nothing is begun."""
    foundations = parts.foundations
    settings: Settings = foundations.settings
    reactor, clock = foundations.reactor, foundations.clock
    resolver = Resolver(reactor=reactor, servers=settings.dns.servers, limit=float(settings.dns.timeout))
    connector = Connector(reactor=reactor, journal=foundations.journal, tls=ClientTls(trust=settings.queue.trust))
    outbound = Outbound(connector, _means(parts, aside))
    routes = CurrentRoutes(parts.database, foundations.changes, parts.key.unseal, clock.sleep)
    expansion = Expansion(folders=parts.store.folders, delimiters=settings.directory.recipient_delimiter)
    queue = open_queue(
        settings.queue,
        Surroundings(
            database=parts.database,
            changes=foundations.changes,
            clock=clock,
            journal=foundations.journal,
            trace=parts.store.trace,
            acceptance=parts.store.acceptance,
            directory=directory,
            locks=runner_locks(parts),
            host=hostname,
            node=f"{socket.gethostname()}:{os.getpid()}",
            grace=float(settings.server.shutdown_timeout),
            later=reactor.callLater,
        ),
        routes=routes,
        expansion=expansion,
        ways=make_exchangers(settings, resolver, hostname),
        outbound=outbound,
    )
    parts.store.acceptance.onward = queue.parcels
    grace = float(settings.server.shutdown_timeout)
    service = Sending(routes, queue.service, connector, grace=grace, journal=foundations.journal, sleep=clock.sleep)
    return OutgoingParts(expansion=expansion, resolver=resolver, outbound=outbound, queue=queue, service=service)


def _means(parts: StoreParts, aside: Aside) -> Means:
    return Means(
        clock=parts.foundations.clock,
        journal=parts.foundations.journal,
        promise=Deferred,
        conversions=Conversions(seven_bit=seven_bit, eight_bit=eight_bit, impossible=CannotConvert),
        aside=aside,
        nonce=partial(secrets.token_urlsafe, 18),
    )


def make_exchangers(settings: Settings, resolver: Resolver, hostname: str) -> Exchangers:
    """The way from a route to its hosts."""
    queue = settings.queue
    return Exchangers(
        resolver=resolver,
        shuffle=random.shuffle,
        helo=hostname,
        ourselves=Ourselves(names=frozenset({normal_domain(hostname)}), networks=tuple(_our_networks(settings))),
        families=Families(queue.addresses),
        source=queue.source,
        port=queue.port,
    )


def _our_networks(settings: Settings) -> Iterator[IPv4Network | IPv6Network]:
    """Where a connection to the port of mail comes back to us: the loopback, and what we listen on."""
    if settings.queue.port == SMTP_PORT:
        yield from LOOPBACK
    for _, place in listeners(settings.protocols):
        if place.port == settings.queue.port and place.host not in ANYWHERE:
            with suppress(ValueError):
                yield ip_network(place.host)


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
