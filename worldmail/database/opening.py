"""From the configuration to a database."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from attrs import frozen

from worldmail.database.file import DatabaseFile
from worldmail.database.look import Look, looking_at
from worldmail.database.sqlite import SqliteDatabase
from worldmail.errors import ConfigurationError
from worldmail.interfaces.database import IChanges, IDatabase
from worldmail.interfaces.store import ILeaseLocks

if TYPE_CHECKING:
    from worldmail.database.postgres.server import PostgresServer


class DatabaseOptions(Protocol):
    """What is read of the section [database]. `busy_timeout` in seconds, `cache` in octets."""

    @property
    def engine(self) -> str: ...
    @property
    def file(self) -> str: ...
    @property
    def busy_timeout(self) -> float: ...
    @property
    def group_limit(self) -> int: ...
    @property
    def cache(self) -> int: ...
    @property
    def url(self) -> str: ...
    @property
    def password_file(self) -> Path | None: ...
    @property
    def connections(self) -> int: ...


@frozen(kw_only=True)
class DatabaseParts:
    """A database, its feed of changes, and the locks of maildrops if it keeps them for many machines."""

    database: IDatabase
    changes: IChanges
    locks: ILeaseLocks | None = None


def open_database(settings: DatabaseOptions, data_dir: str, reactor: Any) -> DatabaseParts:
    """The database that the settings name; its `start` opens it. Raises `ConfigurationError`.

    Args:
        settings: the section [database].
        data_dir: the data directory, which `settings.file` is relative to.
    """
    if settings.engine == "postgres":
        return _postgres(settings, reactor)
    kibibytes = settings.cache // 1024
    file = DatabaseFile(
        path=os.path.join(data_dir, settings.file), writer_cache=kibibytes // 2, reader_cache=kibibytes // 4
    )
    timeout, limit = float(settings.busy_timeout), settings.group_limit
    database = SqliteDatabase(file, reactor, busy_timeout=timeout, group_limit=limit)
    return DatabaseParts(database=database, changes=database.changes)


def look_at(settings: DatabaseOptions, data_dir: str) -> AbstractContextManager[Look]:
    """Look at the database that the settings name; nothing is changed. Raises `ConfigurationError`, `SchemaTooNew`."""
    if settings.engine == "postgres":
        server = _server(settings)
        from worldmail.database.postgres import look

        return look.looking_at(server)
    return looking_at(os.path.join(data_dir, settings.file))


def _postgres(settings: DatabaseOptions, reactor: Any) -> DatabaseParts:
    server = _server(settings)
    from worldmail.database.postgres.database import PostgresDatabase

    patience = float(settings.busy_timeout)
    database = PostgresDatabase(server, reactor, connections=settings.connections, patience=patience)
    return DatabaseParts(database=database, changes=database.changes, locks=database.locks)


def _server(settings: DatabaseOptions) -> PostgresServer:
    try:
        from worldmail.database.postgres.server import PostgresServer
    except ImportError as error:
        raise ConfigurationError(
            f'[database] engine = "postgres" needs the package psycopg ({error}): pip install "worldmail[postgres]"'
        ) from None
    password_file = None if settings.password_file is None else str(settings.password_file)
    return PostgresServer(url=settings.url, password_file=password_file, lock_timeout=float(settings.busy_timeout))
