"""The embedded engine: `IDatabase` on one SQLite file."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import apsw
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from zope.interface import implementer

from worldmail.database.changes import PRUNED_AT_ONCE, Changes, prune_changes
from worldmail.database.committer import Committer
from worldmail.database.cursor import Overrun
from worldmail.database.file import DatabaseFile
from worldmail.database.migrate import known_migrations, migrate, schema_of
from worldmail.database.readers import Readers
from worldmail.database.settled import Failed
from worldmail.database.writer import Writer
from worldmail.errors import ConfigurationError, Refusal, TemporaryFailure
from worldmail.interfaces.database import Cursor, IDatabase, Unit

T = TypeVar("T")

_log = Logger()

POLL = 0.1
PRUNE = 10.0


@implementer(IDatabase)
class SqliteDatabase:
    """Units of work on one SQLite file, group-committed. All methods are for the reactor's thread.

    Args:
        file: where it is and how it is opened.
        reactor: `callLater`, `callFromThread`.
        busy_timeout: seconds that a group waits for another process's transaction before it fails temporarily.
        group_limit, waiting_limit: units in one transaction; units that may wait for one.
        scan_threads: scans at once.
    """

    def __init__(
        self,
        file: DatabaseFile,
        reactor: Any,
        *,
        busy_timeout: float = 5.0,
        group_limit: int = 128,
        waiting_limit: int = 4096,
        scan_threads: int = 2,
    ) -> None:
        self._file = file
        self._reactor = reactor
        self._limits = {"group_limit": group_limit, "waiting_limit": waiting_limit}
        self._committer = Committer(file=file, busy_timeout=busy_timeout)
        self._readers = Readers(
            file,
            reactor,
            threads=scan_threads,
            waiting_limit=waiting_limit,
            busy_timeout=busy_timeout,
            closed=self._committer.moved,
        )
        self._writer: Writer | None = None
        self._calls: list[LoopingCall] = []
        self.changes = Changes(self._readers.now)

    def start(self) -> None:
        self._file.prepare()
        self._check()
        try:
            self._committer.schema = migrate(self._committer.open(), self._file.path)
            self._readers.start()
            self.changes.start(self._readers.first)
        except apsw.Error as error:
            self._readers.stop()
            self._committer.close()
            raise ConfigurationError(f"{self._file.path} cannot be opened: {error}") from error
        except BaseException:
            self._readers.stop()
            self._committer.close()
            raise
        self._writer = Writer(
            self._committer, self._reactor, self.changes.committed, self._readers.follow, **self._limits
        )
        self._repeat(POLL, self._poll)
        self._repeat(PRUNE, self._prune)

    def stop(self) -> Deferred[None]:
        for call in self._calls:
            call.stop()
        self._calls = []
        writer, self._writer = self._writer, None
        if writer is None:
            done: Deferred[None] = Deferred()
            done.callback(None)
            return done
        return writer.stop().addCallback(lambda _: self._readers.stop())

    def write(self, unit: Unit[T]) -> Awaitable[T]:
        return self._submit(unit, False)

    def write_long(self, unit: Unit[T]) -> Awaitable[T]:
        return self._submit(unit, True)

    def read(self, unit: Unit[T]) -> Awaitable[T]:
        return self._readers.read(unit)

    def scan(self, unit: Unit[T]) -> Awaitable[T]:
        return self._readers.scan(unit)

    def spare(self) -> int:
        try:
            return self._readers.now(spare_octets)
        except (Overrun, apsw.Error, OSError, TemporaryFailure):
            return 0

    def _submit(self, unit: Unit[T], long: bool) -> Awaitable[T]:
        if self._writer is None:
            return Failed(TemporaryFailure(reason="the database is closed"))
        return self._writer.submit(unit, long)

    def _check(self) -> None:
        """Look at the schema before anything is changed. Raises `SchemaTooNew`, `ConfigurationError`."""
        try:
            connection = self._file.open_bare()
            try:
                connection.set_busy_timeout(5000)
                schema_of(connection, self._file.path, max(known_migrations()))
            finally:
                connection.close(True)
        except apsw.Error as error:
            raise ConfigurationError(f"{self._file.path} cannot be opened: {error}") from error

    def _repeat(self, seconds: float, work: Callable[[], Any]) -> None:
        """Do it every so often, for as long as the database is open: a fault ends one round, not the next ones."""

        def round_() -> Deferred[Any]:
            return maybeDeferred(work).addErrback(lambda failure: _log.failure("database housekeeping", failure))

        call = LoopingCall(round_)
        call.clock = self._reactor
        call.start(seconds, now=False)
        self._calls.append(call)

    def _poll(self) -> None:
        self._readers.follow()
        if self._writer is not None:
            self._writer.follow()
        self.changes.poll()
        self._look_at_schema()

    def _look_at_schema(self) -> None:
        """Give up a store that a later release has migrated: what is in it may not mean what we think."""
        try:
            (found,) = self._readers.now(lambda cursor: cursor.one("PRAGMA user_version")) or (0,)
        except (Overrun, Exception):  # noqa: BLE001 - whatever is wrong, the next poll looks again
            return
        if self._committer.schema is not None and found > self._committer.schema:
            _log.critical(
                "a later release has migrated {path} to schema {found}, this one works with {schema}: all that needs"
                " the store fails temporarily until that release is started in this one's place",
                path=self._file.path,
                found=found,
                schema=self._committer.schema,
            )
            self.stop()

    def _prune(self) -> Deferred[None]:
        """Remove change rows that every process has seen, a slice a unit."""

        async def prune() -> None:
            try:
                while await self.write(prune_changes) == PRUNED_AT_ONCE:
                    pass
            except Refusal:
                pass

        return Deferred.fromCoroutine(prune())


def spare_octets(cursor: Cursor) -> int:
    """What the free pages within the file can take."""
    (pages,) = cursor.one("PRAGMA freelist_count") or (0,)
    (size,) = cursor.one("PRAGMA page_size") or (0,)
    return int(pages) * int(size)
