"""The PostgreSQL server: where it is, and how connections to it are opened."""

from __future__ import annotations

from typing import Any

import psycopg
from attrs import field, frozen
from psycopg import conninfo

from worldmail.database.postgres.bounded import BoundedConnection
from worldmail.database.postgres.failures import reason_of
from worldmail.database.postgres.values import adapt
from worldmail.errors import ConfigurationError

OLDEST = 130000
"""PostgreSQL 13: the first with pg_current_snapshot()."""

LONGEST = 30.0
"""Seconds that a statement may take beside its waits for locks: no silent server holds a thread for ever."""

_NETWORK = {
    "keepalives": "1",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "20000",
    "client_encoding": "utf8",
}
"""A machine that vanished is noticed within half a minute, where the connection string says nothing else."""

_SESSION = (
    # Acknowledged mail is on disk whatever the server's default.
    "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'",
    # A node that stands still in a transaction must not hold up the others.
    "SET idle_in_transaction_session_timeout = '20s'",
    # What is wrong with a COMMIT that comes about may be said by a warning alone.
    "SET client_min_messages = warning",
    # Every statement of ours has its index; a scan of a small table would conflict with all writes to it.
    "SET enable_seqscan = off",
)


@frozen(kw_only=True)
class PostgresServer:
    """Args:
    url: a connection string of libpq, as URL or as key=value pairs.
    password_file: a file with the password, read at every connection; None for what libpq finds by itself.
    lock_timeout: seconds that a statement waits for a lock.
    """

    url: str = field(repr=False)
    password_file: str | None
    lock_timeout: float

    def connect(self, purpose: str) -> BoundedConnection:
        """A new connection, in autocommit mode. Raises `psycopg.Error`, OSError; blocks for a few seconds at most."""
        given = _parts(self.url)
        wanted: dict[str, Any] = {**_NETWORK, "connect_timeout": "5", "application_name": f"worldmail {purpose}"}
        wanted.update(given)
        if self.password_file is not None:
            wanted["password"] = self._password()
        connection = BoundedConnection.connect(autocommit=True, cursor_factory=psycopg.RawCursor, **wanted)
        connection.bound(LONGEST + self.lock_timeout)
        try:
            adapt(connection)
            for statement in (*_SESSION, f"SET lock_timeout = {int(self.lock_timeout * 1000)}"):
                connection.execute(statement)
        except BaseException:
            connection.close()
            raise
        return connection

    def first_connection(self, purpose: str) -> BoundedConnection:
        """As `connect`, for the start. Raises `ConfigurationError` with what an administrator can do about it."""
        try:
            connection = self.connect(purpose)
        except psycopg.ProgrammingError:
            # Its text may show a part of the string, which may hold a password.
            raise ConfigurationError(
                "[database] url is not a connection string of PostgreSQL; %-escape the password"
            ) from None
        except psycopg.Error as error:
            raise ConfigurationError(f"[database] the PostgreSQL server cannot be used: {reason_of(error)}") from None
        except OSError as error:
            raise ConfigurationError(f"[database] password_file: {error.filename}: {error.strerror}") from None
        try:
            self._check(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _check(self, connection: BoundedConnection) -> None:
        if connection.info.server_version < OLDEST:
            found = connection.info.server_version // 10000
            raise ConfigurationError(f"[database] PostgreSQL {found} is too old; 13 or later is needed")
        encoding = connection.info.parameter_status("server_encoding")
        if encoding != "UTF8":
            raise ConfigurationError(f"[database] the database has the encoding {encoding}; make it with UTF8")

    def _password(self) -> str:
        assert self.password_file is not None, "asked for only if there is one"
        with open(self.password_file, encoding="utf-8") as file:
            return file.read().rstrip("\r\n")


def _parts(url: str) -> dict[str, Any]:
    """What a connection string says. Raises `psycopg.ProgrammingError`."""
    given = conninfo.conninfo_to_dict(url)
    # A password with "@" or "/" that was not escaped ends too early: its rest would be told as a host or a port.
    if "@" in str(given.get("host", "")) or str(given.get("port", "")).strip("0123456789,"):
        raise psycopg.ProgrammingError("neither a host nor a port: a password may need %-escapes")
    return given
