"""From settings to what sends mail: resolver, connections, client, routes, queue."""

from __future__ import annotations

import os
import random
import secrets
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any

from attrs import frozen
from twisted.application.service import Service
from twisted.internet.defer import Deferred
from zope.interface import implementer

from worldmail.app.following import Following
from worldmail.app.ground import StoreParts, contents_mark
from worldmail.config.listeners import listeners
from worldmail.config.settings import Settings
from worldmail.interfaces.directory import IDirectory
from worldmail.interfaces.store import ILeaseLocks
from worldmail.interfaces.world import Aside
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

_SERVICE: Any = Service  # its methods have no annotations


class Sending(Service):
    """Queue and connections, started and stopped in their order."""

    def __init__(self, queue: QueueService, connector: Connector, *, grace: float) -> None:
        self._queue = queue
        self._connector = connector
        self._grace = grace

    def startService(self) -> None:
        """Send from now on."""
        _SERVICE.startService(self)
        self._queue.startService()

    def stopService(self) -> Any:
        """A Deferred that fires when nothing is under way."""
        _SERVICE.stopService(self)
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        await self._queue.stopService()
        await self._connector.shutdown(self._grace)


@frozen(kw_only=True)
class OutgoingParts:
    """What sends mail.

    Args:
        following: has the routes read; to run before anything is served.
        service: to run while the server does; stop it after the protocols.
    """

    expansion: Expansion
    resolver: Resolver
    outbound: Outbound
    routes: CurrentRoutes
    queue: Queue
    following: Following
    service: Sending
    connector: Connector
    hostname: str

    def renewed(self, settings: Settings) -> Callable[[], None]:
        """What makes the running queue go by these settings. Raises `ConfigurationError`; then nothing was changed."""
        tls = ClientTls(trust=settings.queue.trust)
        ways = make_exchangers(settings, self.resolver, self.hostname)

        def take_up() -> None:
            self.connector.tls = tls
            self.queue.reload(settings.queue, ways)

        return take_up


def build_outgoing(parts: StoreParts, directory: IDirectory, hostname: str, aside: Aside) -> OutgoingParts:
    """Everything that sends mail; nothing is begun."""
    foundations = parts.foundations
    settings: Settings = foundations.settings
    reactor, clock = foundations.reactor, foundations.clock
    resolver = Resolver(reactor=reactor, servers=settings.dns.servers, limit=float(settings.dns.timeout))
    connector = Connector(reactor=reactor, journal=foundations.journal, tls=ClientTls(trust=settings.queue.trust))
    outbound = Outbound(connector, make_means(parts, aside))
    unseal, delimiters = parts.key.unseal, settings.directory.recipient_delimiter
    routes = CurrentRoutes(parts.database, foundations.changes, unseal, clock.sleep, delimiters=delimiters)
    expansion = Expansion(
        folders=parts.store.folders,
        delimiters=delimiters,
        wakes=lambda key: key in routes.triggers.waking,
    )
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
            mark=partial(contents_mark, settings),
        ),
        routes=routes,
        expansion=expansion,
        ways=make_exchangers(settings, resolver, hostname),
        outbound=outbound,
    )
    parts.store.acceptance.onward = queue.parcels
    grace = float(settings.server.shutdown_timeout)
    return OutgoingParts(
        expansion=expansion,
        resolver=resolver,
        outbound=outbound,
        routes=routes,
        queue=queue,
        following=Following(routes, "queue.no-routes", foundations.journal, clock.sleep),
        service=Sending(queue.service, connector, grace=grace),
        connector=connector,
        hostname=hostname,
    )


def make_means(parts: StoreParts, aside: Aside) -> Means:
    """What all conversations of ours share."""
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


def runner_locks(parts: StoreParts) -> ILeaseLocks:
    """One lock for each runner's id: where the maildrops' are, and apart from them."""
    shared = parts.locks
    return FileLocks(str(Path(parts.foundations.data) / "runners.lock")) if shared is None else Below(shared)


@implementer(ILeaseLocks)
@frozen
class Below:
    """The locks of a shared database for numbers that no account has."""

    _locks: ILeaseLocks

    @property
    def patience(self) -> float:
        """See `ILeaseLocks`."""
        return float(self._locks.patience)

    def lock(self, account_id: int) -> Any:
        """See `ILeaseLocks.lock`."""
        return self._locks.lock(-account_id)

    async def free(self, numbers: Sequence[int]) -> list[int]:
        """See `ILeaseLocks.free`."""
        return [-number for number in await self._locks.free([-number for number in numbers])]
