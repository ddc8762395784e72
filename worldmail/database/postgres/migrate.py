"""Bringing a PostgreSQL database to this release's schema.

The number of the schema is the one row of `worldmail_schema`; a database without that table has no schema yet. All
migrations that are missing run in one transaction, under a lock, so that several nodes may start at once. There is
no backup here: `pg_dump` makes one whenever its operator likes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import psycopg
from twisted.logger import Logger

from worldmail.database.dialect import POSTGRES
from worldmail.database.migrate import known_migrations, load
from worldmail.database.postgres.failures import reason_of
from worldmail.errors import ConfigurationError, SchemaTooNew
from worldmail.interfaces.database import Row

_log = Logger()

LOCK = 0x574D4442
"""The advisory lock of who migrates ("WMDB")."""

# Not to_regclass(), which may remember that there was none before the lock was waited for.
_HAS_SCHEMA = "SELECT 1 FROM pg_tables WHERE schemaname = current_schema() AND tablename = 'worldmail_schema'"


def schema_of(connection: psycopg.Connection[Row], newest: int) -> int:
    """The number of the database's schema, 0 if it has none; changes nothing. Raises `SchemaTooNew`."""
    if not connection.execute(_HAS_SCHEMA).fetchall():
        return 0
    rows = connection.execute("SELECT number FROM worldmail_schema").fetchall()
    version = int(rows[0][0]) if rows else 0
    if version > newest:
        raise SchemaTooNew(
            f"the database has schema {version}; this release knows schemas up to {newest}. Nothing was touched."
        )
    return version


def migrate(connection: psycopg.Connection[Row], modules: Mapping[int, str] | None = None) -> int:
    """Run what is missing; the number of the schema then. Blocks while another node does.

    Args:
        modules: instead of `known_migrations()`, for tests.

    Raises: `SchemaTooNew`; `ConfigurationError` if the tables cannot be made.
    """
    modules = known_migrations() if modules is None else modules
    newest = max(modules)
    if schema_of(connection, newest) == newest:
        return newest
    connection.execute("BEGIN")
    try:
        connection.execute("SET LOCAL lock_timeout = '5min'")
        connection.execute(f"SELECT pg_advisory_xact_lock({LOCK})")
        connection.execute("CREATE TABLE IF NOT EXISTS worldmail_schema (number BIGINT NOT NULL)")
        # Nodes that run write nothing from here on: what they write later is into another schema, and they look.
        connection.execute("LOCK TABLE worldmail_schema IN ACCESS EXCLUSIVE MODE")
        # Another node may have done it between the look and the lock.
        version = schema_of(connection, newest)
        connection.execute(
            "INSERT INTO worldmail_schema (number) SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM worldmail_schema)"
        )
        for migration in load(modules, version):
            _log.info("database: schema {number}", number=migration.number)
            for statement in migration.statements:
                spelled: Any = POSTGRES.statement(statement)
                connection.execute(spelled)
        connection.execute(f"UPDATE worldmail_schema SET number = {newest}")
        connection.execute("COMMIT")
    except psycopg.Error as error:
        _roll_back(connection)
        raise ConfigurationError(f"[database] the tables cannot be made: {reason_of(error)}") from None
    except BaseException:
        _roll_back(connection)
        raise
    return newest


def _roll_back(connection: psycopg.Connection[Row]) -> None:
    if not connection.closed:
        connection.execute("ROLLBACK")
