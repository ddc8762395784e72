"""Bringing a database file to this release's schema.

Migrations are the modules `migrations/mNNNN_*.py`, in the order of their numbers; `PRAGMA user_version`
is the number of the last one that was run. All that are missing run in one transaction, after a
backup of the file if it had a schema already. A schema of a later release is left alone.
"""

from __future__ import annotations

import os
import pkgutil
import re
import time
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module

import apsw
from attrs import frozen
from twisted.logger import Logger

from worldmail.database import migrations
from worldmail.database.dialect import SQLITE
from worldmail.database.file import APPLICATION_ID, sync_directory
from worldmail.errors import ConfigurationError, SchemaTooNew

_log = Logger()


@frozen(kw_only=True)
class Migration:
    """One step. `statements` are templates of `Dialect.statement`."""

    number: int
    statements: Sequence[str]


@cache
def known_migrations() -> Mapping[int, str]:
    """Number to module name, for every migration of this release. Looked for once: later they may be out of reach."""
    found = {}
    for module in pkgutil.iter_modules(migrations.__path__):
        match = re.fullmatch(r"m(\d{4})_\w+", module.name)
        if match:
            found[int(match[1])] = f"{migrations.__name__}.{module.name}"
    return found


def load(modules: Mapping[int, str], after: int) -> list[Migration]:
    """The migrations with a number above `after`, in order."""
    return [
        Migration(number=number, statements=import_module(modules[number]).STATEMENTS)
        for number in sorted(modules)
        if number > after
    ]


def schema_of(connection: apsw.Connection, path: str, newest: int) -> int:
    """The number of the file's schema, 0 for an empty file; changes nothing.

    Raises: `SchemaTooNew`; `ConfigurationError` if it is no database of ours.
    """

    def number(sql: str) -> int:
        return int(connection.execute(sql).fetchall()[0][0])  # type: ignore[arg-type]  # these are always integers

    try:
        version, application = number("PRAGMA user_version"), number("PRAGMA application_id")
        objects = number("SELECT count(*) FROM sqlite_schema")
    except apsw.NotADBError as error:
        raise ConfigurationError(f"{path} is not a database") from error
    if application != APPLICATION_ID and (application or version or objects):
        raise ConfigurationError(f"{path} is not a database of WorldMail")
    if version > newest:
        raise SchemaTooNew(
            f"{path} has schema {version}; this release knows schemas up to {newest}. Nothing was touched."
        )
    return version


def migrate(connection: apsw.Connection, path: str, modules: Mapping[int, str] | None = None) -> int:
    """Run what is missing; the number of the schema then. Blocks; other processes wait or fail.

    Args:
        connection: one that writes, in WAL mode.
        modules: instead of `known_migrations()`, for tests.
    """
    modules = known_migrations() if modules is None else modules
    newest = max(modules)
    version = schema_of(connection, path, newest)
    if version == newest:
        return version
    if version:
        back_up(connection, f"{path}.schema-{version}-{time.time_ns()}.backup")
    connection.set_busy_timeout(30_000)
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Another process may have done it between the look and the lock.
        version = schema_of(connection, path, newest)
        for migration in load(modules, version):
            _log.info("database: schema {number}", number=migration.number)
            for statement in migration.statements:
                connection.execute(SQLITE.statement(statement)).fetchall()
        connection.execute(f"PRAGMA user_version={newest}; PRAGMA application_id={APPLICATION_ID}").fetchall()
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    finally:
        connection.set_busy_timeout(0)
    return newest


def back_up(connection: apsw.Connection, target: str) -> None:
    """Copy the whole database, as of now, into a new file with mode 0600; on disk when this returns."""
    handle = os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        connection.execute("VACUUM INTO ?", (target,)).fetchall()
        os.fsync(handle)
    except BaseException:
        os.unlink(target)
        raise
    finally:
        os.close(handle)
    sync_directory(os.path.dirname(target) or ".")
    _log.info("database: backup in {target}", target=target)
