"""The reading side: at once on the reactor's connection, or in a thread on one of the pool's.

Each unit runs in one deferred transaction, so all its statements see the same moment, and none
outlives it: the next unit sees every commit before it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from math import inf
from time import monotonic
from typing import Any, TypeVar

import apsw
from attrs import define
from twisted.internet.defer import Deferred, fail

from worldmail.database.cursor import Overrun, SqliteCursor, Stopwatch
from worldmail.database.failures import BUSY, DISTRUSTED, DatabaseMoved, told
from worldmail.database.file import DatabaseFile, Identity
from worldmail.database.settled import Failed
from worldmail.database.worker import Threads
from worldmail.errors import TemporaryFailure
from worldmail.interfaces.database import Unit
from worldmail.wire.ready import Ready

T = TypeVar("T")

PATIENCE = 0.050
"""Seconds after which a read on the reactor is broken off and goes to a thread."""


@define(kw_only=True)
class Reading:
    """One connection that reads, for one thread at a time."""

    connection: apsw.Connection
    stopwatch: Stopwatch
    identity: Identity

    @classmethod
    def open(cls, file: DatabaseFile, busy_timeout: float) -> Reading:
        """Raises what the engine raises, `DatabaseMoved`."""
        identity = file.identity()
        if identity is None:
            raise DatabaseMoved(f"{file.path} is gone")
        connection = file.open_reader(busy_timeout)
        return cls(connection=connection, stopwatch=Stopwatch(connection), identity=identity)

    def run(self, unit: Unit[T], deadline: float) -> T:
        """The unit's result. Raises its error, `Overrun`, the engine's."""
        connection = self.connection
        self.stopwatch.deadline = deadline
        try:
            connection.execute("BEGIN")
            return unit(SqliteCursor(connection, deadline))
        except apsw.InterruptError as error:
            raise Overrun from error
        finally:
            self.stopwatch.deadline = inf
            if connection.in_transaction:
                connection.execute("ROLLBACK")

    def close(self) -> None:
        """Give the handle up."""
        self.connection.close(True)


class Readers:
    """Every connection that reads.

    Args:
        file: what to open.
        reactor: for the threads' results.
        threads: how many scans run at once.
        waiting_limit: scans that may run or wait; one more fails at once.
        busy_timeout: seconds a scan waits for a lock.
        closed: True while no connection may be opened, because the writer still has a file that was moved.
    """

    def __init__(
        self,
        file: DatabaseFile,
        reactor: Any,
        *,
        threads: int,
        waiting_limit: int,
        busy_timeout: float,
        closed: Callable[[], bool],
    ) -> None:
        self._closed = closed
        self._file = file
        self._waiting_limit = waiting_limit
        self._busy_timeout = busy_timeout
        self._mine: Reading | None = None
        self._spare: list[Reading] = []
        self._scans = 0
        self._threads = Threads(reactor, "worldmail-scan", threads)
        self._serving = False

    def start(self) -> None:
        """Open the reactor's connection. Raises what the engine raises."""
        self._mine = Reading.open(self._file, 0.0)
        self._serving = True

    def stop(self) -> None:
        """Wait for the scans that run, close everything."""
        if self._serving:
            self._serving = False
            self._threads.stop()
        for reading in (self._mine, *self._spare):
            if reading is not None:
                reading.close()
        self._mine, self._spare = None, []

    def follow(self) -> None:
        """Let go of connections whose file was moved or replaced; cheap, to be called now and then."""
        identity = self._file.identity()
        if self._mine is not None and self._mine.identity != identity:
            self._mine.close()
            self._mine = None
        for _ in range(len(self._spare)):
            with suppress(IndexError):  # a thread may have taken it meanwhile
                reading = self._spare.pop(0)
                if reading.identity == identity:
                    self._spare.append(reading)
                else:
                    reading.close()

    def now(self, unit: Unit[T]) -> T:
        """Run `unit` on this thread. Raises its error, `Overrun`, the engine's."""
        return self._here(unit, monotonic() + PATIENCE)

    def first(self, unit: Unit[T]) -> T:
        """The same for as long as it takes: nothing else is done yet. Raises its error, the engine's."""
        return self._here(unit, inf)

    def _here(self, unit: Unit[T], deadline: float) -> T:
        reading = self._mine
        if reading is None:
            if not self._serving:
                raise TemporaryFailure(reason="the database is closed")
            reading = self._mine = self._open(0.0)
        try:
            return reading.run(unit, deadline)
        except DISTRUSTED:
            self._mine = None
            reading.close()
            raise

    def _open(self, busy_timeout: float) -> Reading:
        if self._closed():
            raise DatabaseMoved(f"{self._file.path} was moved")
        return Reading.open(self._file, busy_timeout)

    def read(self, unit: Unit[T]) -> Awaitable[T]:
        """At once; on a thread after all if it must wait for a lock, or takes too long."""
        try:
            return Ready(self.now(unit))
        except (Overrun, *BUSY):
            return self.scan(unit)
        except Exception as error:  # noqa: BLE001 - whatever the unit raises is its caller's
            return Failed(told(error))

    def scan(self, unit: Unit[T]) -> Deferred[T]:
        """In a thread."""
        if not self._serving:
            return fail(TemporaryFailure(reason="the database is closed"))
        if self._scans >= self._waiting_limit:
            return fail(TemporaryFailure(reason=f"{self._scans} scans are under way"))
        self._scans += 1
        scanning: Deferred[T] = self._threads.run(lambda: self._scan(unit))
        return scanning.addBoth(self._scanned)

    def _scanned(self, result: Any) -> Any:
        self._scans -= 1
        return result

    def _scan(self, unit: Unit[T]) -> T:
        """In one of the pool's threads. `list.pop` and `append` are atomic."""
        reading: Reading | None = None
        try:
            try:
                reading = self._spare.pop()
            except IndexError:
                reading = None
            if reading is not None and reading.identity != self._file.identity():
                reading.close()
                reading = None
            if reading is None:
                reading = self._open(self._busy_timeout)
            result = reading.run(unit, inf)
        except DISTRUSTED as error:
            if reading is not None:
                reading.close()
            raise told(error) from error
        except Exception as error:
            if reading is not None:
                self._spare.append(reading)
            raise told(error) from error
        self._spare.append(reading)
        return result
