"""Looking at a PostgreSQL database without changing anything."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from worldmail.database.look import Look
from worldmail.database.migrate import known_migrations
from worldmail.database.postgres.cursor import PostgresCursor
from worldmail.database.postgres.failures import reason_of
from worldmail.database.postgres.lane import READ
from worldmail.database.postgres.migrate import schema_of
from worldmail.database.postgres.server import PostgresServer
from worldmail.errors import ConfigurationError


@contextmanager
def looking_at(server: PostgresServer) -> Iterator[Look]:
    """A connection, for as long as the look lasts. Raises `ConfigurationError`, `SchemaTooNew`."""
    newest = max(known_migrations())
    connection = server.first_connection("check")
    try:
        connection.execute(READ.encode())
        yield Look(schema=schema_of(connection, newest), newest=newest, cursor=PostgresCursor(connection))
    except psycopg.Error as error:
        raise ConfigurationError(f"[database] the database cannot be used: {reason_of(error)}") from None
    finally:
        connection.close()
