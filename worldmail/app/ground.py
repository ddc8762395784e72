"""From settings to what keeps mail and accounts: all that a command needs, and the ground that a `World` stands on.

A command is over in a moment, so nothing is imported here that only a server needs: no TLS, no way in, no policy.
"""

from __future__ import annotations

import os
import secrets
import socket
from contextlib import suppress
from pathlib import Path
from typing import Any

from attrs import frozen

from worldmail.auth.credential_maker import CredentialMaker
from worldmail.auth.passwords import Passwords
from worldmail.auth.server_key import FILE_NAME, ServerKey, check_server_key, create_server_key, read_server_key
from worldmail.config.reader import read_settings
from worldmail.config.settings import Settings
from worldmail.database import DatabaseParts, open_database
from worldmail.directory.admin import DirectoryAdmin
from worldmail.directory.directory import Directory
from worldmail.directory.recipient_admin import RecipientAdmin
from worldmail.errors import ConfigurationError
from worldmail.interfaces.database import IDatabase
from worldmail.interfaces.plugin import (
    Foundations,
    IContentStorePlugin,
    IDirectorySourcePlugin,
    IRecipientSourcePlugin,
)
from worldmail.interfaces.protocol import IProtocol
from worldmail.interfaces.store import ILeaseLocks
from worldmail.interfaces.world import IJournal
from worldmail.ondemand.agent_admin import AgentAdmin
from worldmail.ondemand.link_admin import LinkAdmin
from worldmail.plugin import find
from worldmail.queue.hold_admin import HoldAdmin
from worldmail.queue.route_admin import RouteAdmin
from worldmail.store import Mailboxes, Store, open_store
from worldmail.store.folders import FolderAdmin
from worldmail.transport.clock import ReactorClock


def protocol_classes() -> dict[str, type[Any]]:
    """The settings class of every installed protocol, by its name."""
    return {plugin.name: plugin.settings() for plugin in find(IProtocol)}


def store_classes() -> dict[str, type[Any]]:
    """The settings class of every installed content store that has settings of its own, by its name."""
    found = {plugin.name: plugin.settings() for plugin in find(IContentStorePlugin)}
    return {name: made for name, made in found.items() if made is not None}


def read_configuration(file: Path) -> Settings:
    """The configuration in this file, the sections of all installed parts among it. Raises `ConfigurationError`."""
    return read_settings(file, protocol_classes(), store_classes())


@frozen(kw_only=True)
class StoreParts:
    """What keeps mail and accounts. `locks` are those of a database that many machines share, else None."""

    foundations: Foundations
    database: IDatabase
    store: Store
    key: ServerKey
    passwords: Passwords
    locks: ILeaseLocks | None
    admin: DirectoryAdmin
    recipient_admin: RecipientAdmin
    route_admin: RouteAdmin
    hold_admin: HoldAdmin
    link_admin: LinkAdmin
    agent_admin: AgentAdmin

    @property
    def mailboxes(self) -> Mailboxes:
        """The mailbox store."""
        return self.store.mailboxes

    @property
    def folder_admin(self) -> FolderAdmin:
        """The folders of all accounts and domains."""
        return FolderAdmin(database=self.database, folders=self.store.folders, now=self.foundations.clock.now)

    async def check_key(self) -> None:
        """Bind the database to its server key. Raises `ConfigurationError` if it has another."""
        await self.database.write(lambda cursor: check_server_key(cursor, self.key))


def build_store(settings: Settings, reactor: Any, journal: IJournal) -> StoreParts:
    """The store of this configuration; `database.start` opens it."""
    opened = open_database(settings.database, str(settings.data), reactor)
    foundations = _foundations(settings, reactor, journal, opened)
    contents = chosen(IContentStorePlugin, settings.store.content, "[store] content").create(foundations)
    database, clock = foundations.database, foundations.clock
    store = open_store(
        settings.store, str(settings.data), database, contents, clock, reactor, opened.locks, changes=opened.changes
    )
    key = server_key(settings)
    passwords = Passwords(reactor, settings.auth)
    holds = HoldAdmin(database, key.seal)
    maker = CredentialMaker(passwords, key)
    admin = DirectoryAdmin(database, store.participants, maker, clock.now, clock.sleep, (holds.leave,))
    return StoreParts(
        foundations=foundations,
        database=database,
        store=store,
        key=key,
        passwords=passwords,
        locks=opened.locks,
        admin=admin,
        recipient_admin=RecipientAdmin(database, foundations.clock.sleep),
        route_admin=RouteAdmin(database, key.seal, key.unseal),
        hold_admin=holds,
        link_admin=LinkAdmin(database, clock),
        agent_admin=AgentAdmin(database, clock, key.seal, key.unseal),
    )


def server_key(settings: Settings) -> ServerKey:
    """The key beside the store, made with a new store. Raises `ConfigurationError` if it was lost."""
    path = settings.data / FILE_NAME
    if not path.exists() and not _has_file(settings):
        try:
            settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
            return create_server_key(path)
        except FileExistsError:
            pass  # another process was faster
        except OSError as error:
            raise ConfigurationError(f"{path}: the server key cannot be made: {error.strerror}") from None
    return read_server_key(path)


def _has_file(settings: Settings) -> bool:
    """Whether there is an embedded database. One elsewhere tells by itself if its key is another one."""
    return settings.database.engine == "sqlite" and (settings.data / settings.database.file).exists()


def _foundations(settings: Settings, reactor: Any, journal: IJournal, opened: DatabaseParts) -> Foundations:
    return Foundations(
        settings=settings,
        data=settings.data,
        reactor=reactor,
        clock=ReactorClock(reactor=reactor),
        journal=journal,
        database=opened.database,
        changes=opened.changes,
    )


def make_directory(settings: Settings, foundations: Foundations) -> Directory:
    """The directory, asking the sources of [directory] and those of [relay] in their order."""
    sources = [
        chosen(IDirectorySourcePlugin, name, "[directory] sources").create(foundations)
        for name in settings.directory.sources
    ]
    section = settings.directory
    capacity, delimiters = section.cache_entries, section.recipient_delimiter
    recipients = [
        chosen(IRecipientSourcePlugin, name, "[relay] sources").create(foundations) for name in settings.relay.sources
    ]
    return Directory(sources, foundations.changes, capacity=capacity, delimiters=delimiters, recipients=recipients)


def chosen(interface: Any, name: str, where: str) -> Any:
    """The installed plugin of this name, which stands in this setting. Raises `ConfigurationError` if there is none."""
    plugins = {plugin.name: plugin for plugin in find(interface)}
    if name not in plugins:
        raise ConfigurationError(f"{where} names {name!r}, which is not installed; there are: {', '.join(plugins)}")
    return plugins[name]


def host_name(settings: Settings) -> str:
    """The server's own name."""
    return settings.server.hostname or socket.getfqdn()


def contents_mark(settings: Settings, *, make: bool = True) -> str:
    """What tells the files of large content that this machine has from those of another on the same database.

    "" where all have the same, or it cannot be told. It lies in their directory, and is made with it.
    """
    if settings.database.engine != "postgres" or settings.store.content != "files":
        return ""
    file = settings.data / "content" / "mark"
    try:
        if make and not file.exists():
            file.parent.mkdir(mode=0o700, exist_ok=True)
            made = file.with_name(f"mark.{secrets.token_hex(8)}")
            made.write_text(secrets.token_hex(8))
            with suppress(FileExistsError):  # another process was faster
                os.link(made, file)
            made.unlink()
        return file.read_text().strip()
    except OSError:
        return ""
