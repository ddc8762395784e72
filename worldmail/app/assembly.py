"""From settings to a `World`: every room is made here, and rooms meet nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
from attrs import frozen

from worldmail.app.ground import StoreParts, build_store, host_name, make_directory
from worldmail.app.outgoing import OutgoingParts, build_outgoing
from worldmail.auth.authentication import Authentication, open_authentication
from worldmail.config.settings import Settings
from worldmail.database.worker import Threads
from worldmail.directory.directory import Directory
from worldmail.interfaces.protocol import IProtocol
from worldmail.interfaces.world import Aside, IJournal, World
from worldmail.plugin import find
from worldmail.policy.chain import policy_chain
from worldmail.store.upkeep import Periodic
from worldmail.store.urls import Finder, Urls
from worldmail.transport.limits import Limits
from worldmail.transport.tls import Tls

ASIDE = 2
"""Threads for what would keep the reactor waiting."""

REMOVING_FIRST, REMOVING = 10.0, 3600.0
"""Seconds after the start, and between two looks, at which mail of removed accounts is looked for."""


@frozen(kw_only=True)
class Assembly:
    """A whole server, not started.

    Args:
        protocols: the service of each protocol, by its name.
        background: services that run beside them, stopped after them.
    """

    world: World
    store: StoreParts
    authentication: Authentication
    tls: Tls
    limits: Limits
    protocols: Mapping[str, Any]
    background: tuple[Any, ...]


def build(settings: Settings, reactor: Any, journal: IJournal) -> Assembly:
    """Everything that this configuration asks for; nothing is opened but the server key and the certificates."""
    parts = build_store(settings, reactor, journal)
    tls = Tls(settings.tls)
    limits = make_limits(settings)
    world, outgoing = _world(parts, tls, limits)
    assert isinstance(world.authentication, Authentication)
    protocols = {plugin.name: plugin.service(world, settings.protocols[plugin.name]) for plugin in find(IProtocol)}
    return Assembly(
        world=world,
        store=parts,
        authentication=world.authentication,
        tls=tls,
        limits=limits,
        protocols=protocols,
        background=(outgoing.service, parts.store.service, finishing_removals(parts, reactor)),
    )


def finishing_removals(parts: StoreParts, reactor: Any) -> Periodic:
    """Removes what a crash left of accounts that were being removed; a stopping server leaves it to the next."""

    async def work() -> None:
        await parts.admin.finish_removals(lambda: bool(service.running))

    service = Periodic(reactor, REMOVING, "removing what is left of removed accounts", work, first=REMOVING_FIRST)
    return service


def build_world(settings: Settings, reactor: Any, journal: IJournal) -> World:
    """The `World` alone, for tools and tests."""
    world, _ = _world(build_store(settings, reactor, journal), Tls(settings.tls), make_limits(settings))
    return world


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


def _world(parts: StoreParts, tls: Tls, limits: Limits) -> tuple[World, OutgoingParts]:
    foundations = parts.foundations
    settings: Settings = foundations.settings
    directory = make_directory(settings, foundations)
    aside: Aside = Threads(foundations.reactor, "worldmail-aside", ASIDE).run
    asked = attrs.evolve(foundations, directory=directory, mailboxes=parts.mailboxes)
    hostname = host_name(settings)
    outgoing = build_outgoing(parts, directory, hostname, aside)
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
    )
    return world, outgoing
