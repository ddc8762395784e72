"""From settings to a `World`: every room is made here, and rooms meet nowhere else."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
from attrs import frozen

from worldmail.auth.authentication import Authentication, open_authentication
from worldmail.auth.credential_maker import CredentialMaker
from worldmail.auth.passwords import Passwords
from worldmail.auth.server_key import FILE_NAME, ServerKey, check_server_key, create_server_key, read_server_key
from worldmail.config.reader import read_settings
from worldmail.config.settings import Settings
from worldmail.database import SqliteDatabase, open_database
from worldmail.directory.admin import DirectoryAdmin
from worldmail.directory.directory import Directory
from worldmail.errors import ConfigurationError
from worldmail.interfaces.plugin import Foundations, IContentStorePlugin, IDirectorySourcePlugin
from worldmail.interfaces.protocol import IProtocol
from worldmail.interfaces.world import IJournal, World
from worldmail.plugin import find
from worldmail.policy.chain import policy_chain
from worldmail.store import Mailboxes, Store, open_store
from worldmail.transport.clock import ReactorClock
from worldmail.transport.limits import Limits
from worldmail.transport.tls import Tls


def protocol_classes() -> dict[str, type[Any]]:
    """The settings class of every installed protocol, by its name."""
    return {plugin.name: plugin.settings() for plugin in find(IProtocol)}


def read_configuration(file: Path) -> Settings:
    """The configuration in this file, the sections of all installed protocols among it. Raises `ConfigurationError`."""
    return read_settings(file, protocol_classes())


@frozen(kw_only=True)
class StoreParts:
    """What keeps mail and accounts: all that a command line needs, and the ground of a World."""

    foundations: Foundations
    database: SqliteDatabase
    store: Store
    key: ServerKey
    passwords: Passwords
    admin: DirectoryAdmin

    @property
    def mailboxes(self) -> Mailboxes:
        """The mailbox store."""
        return self.store.mailboxes

    async def check_key(self) -> None:
        """Bind the database to its server key. Raises `ConfigurationError` if it has another."""
        await self.database.write(lambda cursor: check_server_key(cursor, self.key))


def build_store(settings: Settings, reactor: Any, journal: IJournal) -> StoreParts:
    """The store of this configuration; `database.start` opens it."""
    foundations = _foundations(settings, reactor, journal)
    contents = _chosen(IContentStorePlugin, settings.store.content, "[store] content").create(foundations)
    database, clock = foundations.database, foundations.clock
    assert isinstance(database, SqliteDatabase)
    store = open_store(settings.store, str(settings.data), database, contents, clock, reactor)
    key = server_key(settings)
    passwords = Passwords(reactor, settings.auth)
    admin = DirectoryAdmin(database, [store.mailboxes], CredentialMaker(passwords, key), clock.now)
    return StoreParts(
        foundations=foundations, database=database, store=store, key=key, passwords=passwords, admin=admin
    )


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
    world = _world(parts, tls, limits)
    assert isinstance(world.authentication, Authentication)
    protocols = {plugin.name: plugin.service(world, settings.protocols[plugin.name]) for plugin in find(IProtocol)}
    return Assembly(
        world=world,
        store=parts,
        authentication=world.authentication,
        tls=tls,
        limits=limits,
        protocols=protocols,
        background=(parts.store.service,),
    )


def build_world(settings: Settings, reactor: Any, journal: IJournal) -> World:
    """The `World` alone, for tools and tests."""
    return _world(build_store(settings, reactor, journal), Tls(settings.tls), make_limits(settings))


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


def make_directory(settings: Settings, foundations: Foundations) -> Directory:
    """The directory, asking the sources of [directory] in their order."""
    sources = [
        _chosen(IDirectorySourcePlugin, name, "[directory] sources").create(foundations)
        for name in settings.directory.sources
    ]
    section = settings.directory
    capacity, delimiters = section.cache_entries, section.recipient_delimiter
    return Directory(sources, foundations.changes, capacity=capacity, delimiters=delimiters)


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


def _world(parts: StoreParts, tls: Tls, limits: Limits) -> World:
    foundations = parts.foundations
    settings: Settings = foundations.settings
    directory = make_directory(settings, foundations)
    asked = attrs.evolve(foundations, directory=directory, mailboxes=parts.mailboxes)
    return World(
        hostname=host_name(settings),
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
        acceptance=parts.store.acceptance,
        trace=parts.store.trace,
    )


def server_key(settings: Settings) -> ServerKey:
    """The key beside the store, made with a new store. Raises `ConfigurationError` if it was lost."""
    path = settings.data / FILE_NAME
    if not path.exists() and not (settings.data / settings.database.file).exists():
        try:
            settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
            return create_server_key(path)
        except FileExistsError:
            pass  # another process was faster
        except OSError as error:
            raise ConfigurationError(f"{path}: the server key cannot be made: {error.strerror}") from None
    return read_server_key(path)


def host_name(settings: Settings) -> str:
    """The server's own name."""
    return settings.server.hostname or socket.getfqdn()


def _foundations(settings: Settings, reactor: Any, journal: IJournal) -> Foundations:
    database = open_database(settings.database, str(settings.data), reactor)
    return Foundations(
        settings=settings,
        data=settings.data,
        reactor=reactor,
        clock=ReactorClock(reactor=reactor),
        journal=journal,
        database=database,
        changes=database.changes,
    )


def _chosen(interface: Any, name: str, where: str) -> Any:
    plugins = {plugin.name: plugin for plugin in find(interface)}
    if name not in plugins:
        raise ConfigurationError(f"{where} names {name!r}, which is not installed; there are: {', '.join(plugins)}")
    return plugins[name]
