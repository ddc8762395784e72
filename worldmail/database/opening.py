"""From the configuration to a database."""

from __future__ import annotations

import os
from typing import Any, Protocol

from worldmail.database.file import DatabaseFile
from worldmail.database.sqlite import SqliteDatabase


class DatabaseOptions(Protocol):
    """What is read of the section [database]. `busy_timeout` in seconds, `cache` in octets."""

    @property
    def file(self) -> str: ...
    @property
    def busy_timeout(self) -> float: ...
    @property
    def group_limit(self) -> int: ...
    @property
    def cache(self) -> int: ...


def open_database(settings: DatabaseOptions, data_dir: str, reactor: Any) -> SqliteDatabase:
    """The database that the settings name; `start` opens it. Its feed of changes is the attribute `changes`.

    Args:
        settings: the section [database].
        data_dir: the data directory, which `settings.file` is relative to.
    """
    kibibytes = settings.cache // 1024
    file = DatabaseFile(
        path=os.path.join(data_dir, settings.file), writer_cache=kibibytes // 2, reader_cache=kibibytes // 4
    )
    return SqliteDatabase(file, reactor, busy_timeout=float(settings.busy_timeout), group_limit=settings.group_limit)
