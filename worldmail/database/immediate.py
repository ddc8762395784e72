"""The embedded engine without threads, for tools and tests: everything is done when the call returns."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TypeVar

import apsw
from attrs import define, field
from zope.interface import implementer

from worldmail.database.changes import Changes
from worldmail.database.cursor import SqliteCursor
from worldmail.database.failures import told
from worldmail.database.file import connect, require_engine
from worldmail.database.group import Job, TransactionLost, roll_back, run_jobs
from worldmail.database.migrate import migrate
from worldmail.database.settled import Failed
from worldmail.errors import TemporaryFailure
from worldmail.interfaces.database import IDatabase, Unit
from worldmail.wire.ready import Ready

T = TypeVar("T")


@implementer(IDatabase)
@define(init=False)
class ImmediateDatabase:
    """One database in memory, one connection, each unit a transaction of its own; needs no reactor."""

    changes: Changes
    _connection: apsw.Connection | None = field(default=None)

    def __init__(self) -> None:
        self.changes = Changes(self._now)
        self._connection = None

    def start(self) -> None:
        require_engine()
        self._connection = connect(":memory:", apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE)
        self._connection.execute("PRAGMA foreign_keys=ON")
        migrate(self._connection, ":memory:")
        self.changes.start(self._now)

    def stop(self) -> Ready[None]:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close(True)
        return Ready(None)

    def write(self, unit: Unit[T]) -> Awaitable[T]:
        try:
            connection = self._open()
            connection.execute("BEGIN IMMEDIATE")
            group = run_jobs(connection, [Job(unit)])
            if connection.in_transaction:
                connection.execute("COMMIT")
        except TransactionLost as lost:
            roll_back(self._open())
            return Failed(told(lost.error))
        except (apsw.Error, TemporaryFailure) as error:
            return Failed(told(error))
        (job,) = group.jobs
        if job.error is not None:
            return Failed(job.error)
        self.changes.committed(group.notices)
        return Ready(job.value)

    write_long = write

    def read(self, unit: Unit[T]) -> Awaitable[T]:
        try:
            return Ready(self._now(unit))
        except Exception as error:  # noqa: BLE001 - whatever the unit raises is its caller's
            return Failed(told(error))

    scan = read

    def spare(self) -> int:
        return 0

    def _open(self) -> apsw.Connection:
        if self._connection is None:
            raise TemporaryFailure(reason="the database is closed")
        return self._connection

    def _now(self, unit: Unit[T]) -> T:
        connection = self._open()
        connection.execute("BEGIN")
        try:
            return unit(SqliteCursor(connection))
        finally:
            connection.execute("ROLLBACK")
