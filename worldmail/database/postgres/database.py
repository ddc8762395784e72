"""The second engine: `IDatabase` on a PostgreSQL server."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeVar

import psycopg
from twisted.internet.defer import Deferred, fail, gatherResults, succeed
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from zope.interface import implementer

from worldmail.database.changes import PRUNED_AT_ONCE, prunable_changes, prune_changes
from worldmail.database.listeners import NumberedNotice
from worldmail.database.postgres.failures import reason_of
from worldmail.database.postgres.feed import Feed, begin
from worldmail.database.postgres.lane import Lane
from worldmail.database.postgres.locks import SessionLocks
from worldmail.database.postgres.migrate import migrate
from worldmail.database.postgres.pool import Pool, Results
from worldmail.database.postgres.server import LONGEST, PostgresServer
from worldmail.database.postgres.watch import Watch
from worldmail.errors import ConfigurationError, Refusal, TemporaryFailure
from worldmail.interfaces.database import IDatabase, Row, Unit

T = TypeVar("T")

_log = Logger()

PRUNE = 10.0

ELSEWHERE = 1 << 62
"""Octets: the database takes nothing of this machine's disk, however much it stores."""


@implementer(IDatabase)
class PostgresDatabase:
    """Units of work on a PostgreSQL database. All methods are for the reactor's thread; only `start` blocks.

    Args:
        server: where it is.
        reactor: `callLater`, `callFromThread`.
        connections: of the pool; one more watches.
        patience: seconds that a unit waits for a server that cannot be reached.
        waiting_limit: units that may wait for a thread.
    """

    def __init__(
        self, server: PostgresServer, reactor: Any, *, connections: int, patience: float, waiting_limit: int = 4096
    ) -> None:
        self._server = server
        self._reactor = reactor
        self._patience = patience
        self._limits = {"threads": connections, "waiting_limit": waiting_limit}
        self._results = Results(reactor)
        self._pool: Pool | None = None
        self._schema = 0
        self._stopping = False
        self._pruning: LoopingCall | None = None
        self.changes = Feed()
        self._watch = Watch(server, self._results, self.changes.question, self.changes.answered, self._migrated)
        self.locks = SessionLocks(self._watch)

    def start(self) -> None:
        connection = self._server.first_connection("watch")
        try:
            connection.bound(None)  # a migration takes what it takes
            self._watch.schema = self._schema = migrate(connection)
            connection.bound(LONGEST)
            _warn_of_no_sync(connection)
            self.changes.start(begin(connection))
        except psycopg.Error as error:
            connection.close()
            raise ConfigurationError(f"[database] the database cannot be used: {reason_of(error)}") from None
        except BaseException:
            connection.close()
            raise
        self._watch.start(connection)
        self._pool = Pool(self._make_lane, self._results, **self._limits)
        self._pruning = LoopingCall(self._prune)
        self._pruning.clock = self._reactor
        self._pruning.start(PRUNE, now=False)

    def stop(self) -> Deferred[None]:
        pool, self._pool = self._pool, None
        self._stopping = True
        if self._pruning is not None:
            self._pruning.stop()
            self._pruning = None
        if pool is None:
            return succeed(None)
        return gatherResults([pool.stop(), self._watch.stop()]).addCallback(lambda _: None)

    def write(self, unit: Unit[T]) -> Awaitable[T]:
        return self._write(unit, False)

    def write_long(self, unit: Unit[T]) -> Awaitable[T]:
        return self._write(unit, True)

    def read(self, unit: Unit[T]) -> Awaitable[T]:
        return self._run(lambda lane: lane.read(unit), False)

    def scan(self, unit: Unit[T]) -> Awaitable[T]:
        return self._run(lambda lane: lane.read(unit), True)

    def spare(self) -> int:
        return ELSEWHERE

    def _write(self, unit: Unit[T], long: bool) -> Awaitable[T]:
        return self._run(lambda lane: lane.write(unit), long).addCallback(self._committed)

    def _committed(self, result: tuple[T, list[NumberedNotice]]) -> T:
        """First the notices, then the result: who awaits it finds every cache of this process told."""
        value, notices = result
        if notices:
            self.changes.committed(notices)
        return value

    def _run(self, task: Callable[[Lane], T], long: bool) -> Deferred[T]:
        if self._pool is None:
            return fail(TemporaryFailure(reason="the database is closed"))
        return self._pool.run(task, long)

    def _make_lane(self) -> Lane:
        return Lane(server=self._server, schema=self._schema, patience=self._patience, stopping=lambda: self._stopping)

    def _migrated(self, found: int) -> None:
        """Give up a database that a later release has migrated: what is in it may not mean what we think."""
        _log.critical(
            "a later release has migrated the database to schema {found}, this one works with {schema}: all that needs"
            " it fails temporarily until that release is started in this one's place",
            found=found,
            schema=self._schema,
        )
        self.stop()

    def _prune(self) -> Deferred[None]:
        """Remove change rows that every node has seen, a slice a unit; a fault ends one round, not the next ones."""

        async def prune() -> None:
            try:
                while await self.scan(prunable_changes):
                    if await self.write_long(prune_changes) < PRUNED_AT_ONCE:
                        break
            except Refusal:
                pass  # the server is away: in ten seconds again

        return Deferred.fromCoroutine(prune()).addErrback(partial(_log.failure, "database housekeeping"))


def _warn_of_no_sync(connection: psycopg.Connection[Row]) -> None:
    if connection.execute("SHOW fsync").fetchall()[0][0] == "off":
        _log.warn("database: the PostgreSQL server runs with fsync = off; a power cut can lose accepted mail")
