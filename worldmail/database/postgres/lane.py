"""One connection of the pool, and how a unit runs on it: all of it blocks, in the thread that the lane belongs to."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

import psycopg
from attrs import define, field
from psycopg.pq import TransactionStatus
from twisted.logger import Logger

from worldmail.database.listeners import NumberedNotice
from worldmail.database.postgres.bounded import BoundedConnection
from worldmail.database.postgres.cursor import PostgresCursor
from worldmail.database.postgres.failures import CONFLICTS, Conflict, Lost, is_lost, reason_of, told
from worldmail.database.postgres.server import PostgresServer
from worldmail.errors import TemporaryFailure
from worldmail.interfaces.database import Shared, Unit

T = TypeVar("T")

_log = Logger()

READ = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"

# One trip to the server. Who migrates takes the lock for itself, and the snapshot is taken when it is had.
_SCHEMA = "LOCK TABLE worldmail_schema IN ACCESS SHARE MODE; SELECT number FROM worldmail_schema"
WRITE = f"BEGIN ISOLATION LEVEL SERIALIZABLE; {_SCHEMA}"
WRITE_SHARED = f"BEGIN ISOLATION LEVEL READ COMMITTED; {_SCHEMA}"

CONFLICTS_BORNE = 20
QUEUE_AFTER = 4
"""Conflicts after which a unit stands in a queue, so that of those that meet again and again one always gets on."""

CONSTRAINTS_BORNE = 5
"""Two that meet may break a constraint for one of them; if it is broken each time, the unit is at fault."""

LOSSES_BORNE = 3
LONGEST_PAUSE = 0.2
BETWEEN_TRIES = 0.25

QUEUE = 0x574D5155
"""The advisory lock of that queue ("WMQU")."""

# The condition gives the transaction its id before a number is taken: see the package.
_FILE_NOTICES = (
    "INSERT INTO change (topic, key) SELECT topic, key FROM unnest($1::text[], $2::bigint[])"
    " WITH ORDINALITY AS told (topic, key, place) WHERE pg_current_xact_id() IS NOT NULL ORDER BY place"
    " RETURNING number, topic, key"
)


@define(kw_only=True)
class Lane:
    """Args:
    schema: the number of the schema that units are written for; nothing is written into another one.
    patience: seconds that a unit waits for a server that cannot be reached.
    stopping: True once there is no time to wait for a server.
    """

    server: PostgresServer
    schema: int
    patience: float
    stopping: Callable[[], bool] = field(default=lambda: False)
    _connection: BoundedConnection | None = field(default=None, init=False)
    _lost_at: float | None = field(default=None, init=False)
    _next_try: float = field(default=0.0, init=False)

    def read(self, unit: Unit[T]) -> T:
        """The unit's result, as of one moment. Raises its error, or `Refusal`."""

        def once() -> T:
            connection = self._begin(READ)
            value = self._run(connection, PostgresCursor(connection), unit)
            self._roll_back()
            return value

        return self._repeated(once)

    def write(self, unit: Unit[T]) -> tuple[T, list[NumberedNotice]]:
        """The unit's result and its notices, committed. Raises its error, or `Refusal`."""
        level = WRITE_SHARED if isinstance(unit, Shared) else WRITE

        def once() -> tuple[T, list[NumberedNotice]]:
            connection = self._begin(level)
            cursor = PostgresCursor(connection)
            value = self._run(connection, cursor, unit)
            notices = self._file(connection, cursor.notices)
            self._commit(connection)
            return value, notices

        return self._repeated(once)

    def close(self) -> None:
        """Give the connection up; the next unit opens another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _repeated(self, once: Callable[[], T]) -> T:
        conflicts = constraints = losses = 0
        while True:
            try:
                return self._in_turn(once) if conflicts > QUEUE_AFTER else once()
            except Conflict as error:
                self._roll_back()
                conflicts += 1
                (cause,) = error.args
                constraints += isinstance(cause, psycopg.IntegrityError)
                if constraints >= CONSTRAINTS_BORNE or conflicts >= CONFLICTS_BORNE:
                    raise told(cause) from None
                time.sleep(random.random() * min(LONGEST_PAUSE, 0.002 * 2**conflicts))  # noqa: S311 - no secret
            except Lost as error:
                self.close()
                losses += 1
                if losses == LOSSES_BORNE:
                    raise TemporaryFailure(reason=f"the connection was lost: {error}") from error
            except BaseException:
                self._roll_back()
                raise

    def _in_turn(self, once: Callable[[], T]) -> T:
        """Once, while no other unit that comes this way does: the lock is had before the transaction sees anything."""
        connection = self._connection or self._connect()
        try:
            connection.execute(f"SELECT pg_advisory_lock({QUEUE})".encode())
        except psycopg.Error as error:
            _raise_meant(error, connection)
        try:
            return once()
        finally:
            self._roll_back()
            if self._connection is connection:
                try:
                    connection.execute(f"SELECT pg_advisory_unlock({QUEUE})".encode())
                except psycopg.Error:
                    self.close()

    def _begin(self, level: str) -> BoundedConnection:
        connection = self._connection or self._connect()
        try:
            begun = connection.execute(level.encode())
        except psycopg.Error as error:
            _raise_meant(error, connection)
        while begun.nextset():
            pass
        if level != READ and (row := begun.fetchone()) != (self.schema,):
            raise TemporaryFailure(reason=f"the database has schema {row} now, this process works with {self.schema}")
        return connection

    def _connect(self) -> BoundedConnection:
        """A new connection. While there is none, units wait for `patience` all in all, then fail at once."""
        while True:
            if self._lost_at is not None and time.monotonic() < self._next_try:
                raise TemporaryFailure(reason="the PostgreSQL server cannot be reached")
            began = time.monotonic()
            try:
                connection = self._connection = self.server.connect("unit")
            except (psycopg.Error, OSError) as error:
                now = time.monotonic()
                if self._lost_at is None:
                    self._lost_at = now
                    _log.error("database: {reason}", reason=reason_of(error))
                if now - self._lost_at >= self.patience or self.stopping():
                    # A try may take seconds: those that wait behind this unit do not each make one.
                    self._next_try = 2 * now - began
                    raise TemporaryFailure(reason=reason_of(error)) from error
                time.sleep(BETWEEN_TRIES)
            else:
                self._lost_at = None
                return connection

    def _run(self, connection: BoundedConnection, cursor: PostgresCursor, unit: Unit[T]) -> T:
        """The unit's result. An error of the server counts, whatever the unit made of it."""
        try:
            value = unit(cursor)
        except Exception:
            if cursor.failure is None:
                raise
        if cursor.failure is not None:
            _raise_meant(cursor.failure, connection)
        return value

    def _file(self, connection: BoundedConnection, notices: list[tuple[str, int]]) -> list[NumberedNotice]:
        """Make rows of the notices."""
        if not notices:
            return []
        topics, keys = zip(*dict.fromkeys(notices), strict=True)
        try:
            rows: list[Any] = connection.execute(_FILE_NOTICES, (list(topics), list(keys))).fetchall()
        except psycopg.Error as error:
            _raise_meant(error, connection)
        return rows

    def _commit(self, connection: BoundedConnection) -> None:
        connection.warning = None
        try:
            status = connection.execute(b"COMMIT").statusmessage
        except psycopg.Error as error:
            if is_lost(error, connection):
                self.close()
                raise _unknown(f"the connection was lost during a commit: {reason_of(error)}") from error
            _raise_meant(error, connection)
        if status != "COMMIT":
            raise TemporaryFailure(reason=f"the server answered COMMIT with {status}")
        if connection.warning is not None:  # such as that it waited for a standby no longer
            raise _unknown(f"the server warned of a commit: {connection.warning}")

    def _roll_back(self) -> None:
        """End the transaction if one is open; a connection that cannot do so is closed."""
        connection = self._connection
        if connection is None:
            return
        try:
            if connection.info.transaction_status is not TransactionStatus.IDLE:
                connection.execute(b"ROLLBACK")
        except psycopg.Error:
            self.close()


def _unknown(what: str) -> TemporaryFailure:
    """What is kept of the unit nobody knows."""
    reason = f"{what}; it may have come about"
    _log.error("database: {reason}", reason=reason)
    return TemporaryFailure(reason=reason)


def _raise_meant(error: psycopg.Error, connection: BoundedConnection) -> NoReturn:
    """Raise what an error of the server means before COMMIT."""
    if is_lost(error, connection):
        raise Lost(reason_of(error)) from error
    if error.sqlstate in CONFLICTS or isinstance(error, psycopg.IntegrityError):
        raise Conflict(error) from error
    raise told(error)
