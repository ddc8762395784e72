"""From settings to a `World`: every room is made here, and rooms meet nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
from attrs import frozen

from worldmail.app.following import Following
from worldmail.app.ground import StoreParts, build_store, host_name, make_directory
from worldmail.app.ondemand import OnDemandParts, build_ondemand
from worldmail.app.outgoing import OutgoingParts, build_outgoing
from worldmail.app.pairing import PairParts, build_pairs
from worldmail.auth.authentication import Authentication, open_authentication
from worldmail.config.settings import Settings
from worldmail.database.worker import Threads
from worldmail.directory.directory import Directory
from worldmail.interfaces.protocol import IProtocol
from worldmail.interfaces.world import Aside, IJournal, World
from worldmail.plugin import find
from worldmail.policy.chain import policy_chain
from worldmail.queue.triggers import LOOK
from worldmail.store.urls import Finder, Urls
from worldmail.transport.limits import Limits
from worldmail.transport.periodic import Periodic
from worldmail.transport.tls import Tls

ASIDE = 2
"""Threads for what would keep the reactor waiting."""

REMOVING_FIRST, REMOVING = 10.0, 3600.0
"""Seconds after the start, and between two looks, at which mail of removed accounts is looked for."""

RELEASING = "releasing holds by the clock"

REMOVED = "removing what is left of removed accounts"


@frozen(kw_only=True)
class Assembly:
    """A whole server, not started.

    Args:
        tables: what must have been read, or tried to, before anything is served.
        protocols: the service of each protocol, by its name.
        background: services that run beside them, stopped after them.
    """

    world: World
    store: StoreParts
    authentication: Authentication
    tls: Tls
    limits: Limits
    outgoing: OutgoingParts
    ondemand: OnDemandParts
    tables: tuple[Following, ...]
    protocols: Mapping[str, Any]
    background: tuple[Any, ...]


def build(settings: Settings, reactor: Any, journal: IJournal) -> Assembly:
    """Everything that this configuration asks for; nothing is opened but the server key and the certificates."""
    parts = build_store(settings, reactor, journal)
    tls = Tls(settings.tls)
    limits = make_limits(settings)
    world, outgoing, pairing = _world(parts, tls, limits)
    assert isinstance(world.authentication, Authentication)
    world.authentication.follow(outgoing.queue.triggers.signed_in)
    protocols = {plugin.name: plugin.service(world, settings.protocols[plugin.name]) for plugin in find(IProtocol)}
    ondemand = build_ondemand(world, parts, outgoing)
    return Assembly(
        world=world,
        store=parts,
        authentication=world.authentication,
        tls=tls,
        limits=limits,
        outgoing=outgoing,
        ondemand=ondemand,
        tables=(outgoing.following, pairing.following),
        protocols=protocols,
        background=(
            ondemand.agents,
            outgoing.service,
            ondemand.service,
            parts.store.service,
            finishing_removals(parts, reactor),
            releasing_by_the_clock(outgoing, reactor),
        ),
    )


def finishing_removals(parts: StoreParts, reactor: Any) -> Periodic:
    """Removes what a crash left of accounts that were being removed; a stopping server leaves it to the next."""

    async def work() -> None:
        await parts.admin.finish_removals(lambda: bool(service.running))

    service = Periodic(reactor.callLater, REMOVING, REMOVED, work, first=REMOVING_FIRST)
    return service


def releasing_by_the_clock(outgoing: OutgoingParts, reactor: Any) -> Periodic:
    """Releases the holds that are to be released at an interval."""
    return Periodic(reactor.callLater, LOOK, RELEASING, outgoing.queue.triggers.look)


def build_world(settings: Settings, reactor: Any, journal: IJournal) -> World:
    """The `World` alone, for tools and tests."""
    world, _, _ = _world(build_store(settings, reactor, journal), Tls(settings.tls), make_limits(settings))
    return world


def world_of(parts: StoreParts) -> tuple[World, OutgoingParts, PairParts]:
    """The `World` on these parts, what sends mail there, and its pairs; for commands: nothing is begun."""
    settings: Settings = parts.foundations.settings
    return _world(parts, Tls(settings.tls), make_limits(settings))


def make_limits(settings: Settings) -> Limits:
    """The limits of [limits]."""
    section = settings.limits
    return Limits(
        connections=section.connections_per_address,
        total=section.connections,
        handshakes=section.tls_per_minute,
        events=section.commands_per_minute,
        accounts=section.connections_per_account,
        exempt=section.exempt,
    )


def make_authentication(parts: StoreParts, directory: Directory) -> Authentication:
    """The way in, for the accounts of this directory."""
    foundations = parts.foundations
    return open_authentication(
        settings=foundations.settings,
        hostname=host_name(foundations.settings),
        database=parts.database,
        changes=foundations.changes,
        directory=directory,
        clock=foundations.clock,
        journal=foundations.journal,
        passwords=parts.passwords,
        key=parts.key,
    )


def _world(parts: StoreParts, tls: Tls, limits: Limits) -> tuple[World, OutgoingParts, PairParts]:
    foundations = parts.foundations
    settings: Settings = foundations.settings
    directory = make_directory(settings, foundations)
    aside: Aside = Threads(foundations.reactor, "worldmail-aside", ASIDE).run
    hostname = host_name(settings)
    outgoing = build_outgoing(parts, directory, hostname, aside)
    pairing = build_pairs(parts, outgoing.routes)
    outgoing.queue.releases.turns.pairs = pairing.pairs
    asked = attrs.evolve(
        foundations, directory=directory, mailboxes=parts.mailboxes, routes=outgoing.routes, pairs=pairing.pairs
    )
    world = World(
        hostname=hostname,
        settings=settings,
        reactor=foundations.reactor,
        clock=foundations.clock,
        journal=foundations.journal,
        tls=tls,
        limits=limits,
        database=parts.database,
        changes=foundations.changes,
        directory=directory,
        directory_admin=parts.admin,
        authentication=make_authentication(parts, directory),
        policy=policy_chain(asked),
        mailboxes=parts.mailboxes,
        messages=parts.store.messages,
        summaries=parts.store.derived.summaries,
        search=parts.store.derived.search,
        folders=parts.store.folders,
        urls=Urls(
            folders=parts.store.folders,
            directory=directory,
            finder=Finder(parts.store.messages, aside),
            hostname=hostname,
            names_us=tls.names_us,
            now=foundations.clock.now,
        ),
        acceptance=parts.store.acceptance,
        expansion=outgoing.expansion,
        trace=parts.store.trace,
        aside=aside,
        releases=outgoing.queue.releases,
        triggers=outgoing.queue.triggers,
        pairs=pairing.pairs,
        relay_end=pairing.relay_end,
    )
    return world, outgoing, pairing
