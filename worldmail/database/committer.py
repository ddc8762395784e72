"""A group in the writer's thread: its COMMIT, or all of it when the reactor could not run it.

Everything here blocks, and uses the connection that `Committer` holds: the reactor uses the same one,
never at the same time (see `worldmail.database.writer`).
"""

from __future__ import annotations

from collections.abc import Sequence

import apsw
from attrs import define, field
from twisted.logger import Logger

from worldmail.database.cursor import Overrun, Stopwatch
from worldmail.database.failures import DISTRUSTED, DatabaseMoved, SchemaChanged
from worldmail.database.file import DatabaseFile, Identity
from worldmail.database.group import Group, Job, TransactionLost, roll_back, run_jobs

_log = Logger()


@define(kw_only=True)
class Committer:
    """The writing connection, and what is done to it off the reactor.

    Args:
        file: what to open.
        busy_timeout: seconds to wait for another process's transaction.
        schema: the number of the schema that units are written for; nothing is committed into another one.
    """

    file: DatabaseFile
    busy_timeout: float
    schema: int | None = field(default=None, init=False)
    connection: apsw.Connection | None = field(default=None, init=False)
    stopwatch: Stopwatch | None = field(default=None, init=False)
    _identity: Identity | None = field(default=None, init=False)
    _suspect: bool = field(default=False, init=False)

    def open(self) -> apsw.Connection:
        """The connection, opened anew if there is none. Raises what the engine raises, `DatabaseMoved`."""
        if self.connection is not None:
            if not self.moved():
                return self.connection
            self.retire()
        identity = self.file.identity()
        if identity is None:
            raise DatabaseMoved(f"{self.file.path} is gone")
        connection = self.file.open_writer()
        if self._suspect:
            self._settle(connection)
        self._identity, self.connection = identity, connection  # in this order: other threads ask `moved`
        self.stopwatch = Stopwatch(connection)
        return connection

    def moved(self) -> bool:
        """True if a file is open, and the path does not lead to it any more."""
        return self.connection is not None and self.file.identity() != self._identity

    def close(self) -> None:
        """Give the handle up; the next group opens another."""
        connection, self.connection, self.stopwatch = self.connection, None, None
        if connection is not None:
            try:
                connection.close(True)
            except apsw.Error as error:
                _log.error("database: closing {path}: {error}", path=self.file.path, error=str(error))

    def retire(self) -> None:
        """Give up a handle whose file was moved or replaced; first empty the log into that file.

        SQLite finds the log by its name: left as it is, it would be taken for that of the file in the old one's place.
        """
        try:
            if self.connection is not None:
                self.connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        except apsw.Error as error:
            _log.error("database: the log of a file that was moved stays: {error}", error=str(error))
        self.close()

    def distrust(self) -> None:
        """Something is wrong with the handle: the next group opens another, and settles the WAL first."""
        self._suspect = True
        self.close()

    def begin(self, connection: apsw.Connection) -> None:
        """Begin a transaction that may write, on the thread that runs its statements.

        Nobody can migrate the file from here to its end. Raises what the engine raises; `SchemaChanged`, with the
        transaction open, if a later release has migrated it under us.
        """
        connection.execute("BEGIN IMMEDIATE")
        if self.schema is None:
            return
        ((found,),) = connection.execute("PRAGMA user_version").fetchall()
        if found != self.schema:
            raise SchemaChanged(f"{self.file.path} has schema {found} now, this process works with {self.schema}")

    def commit(self, group: Group) -> Group:
        """COMMIT what the reactor ran. If that fails, every job of the group fails."""
        assert self.connection is not None, "a group ran, so there is a connection"
        try:
            if self.connection.in_transaction:
                self.connection.execute("COMMIT")
        except BaseException as error:  # noqa: BLE001 - each job gets it
            self._fail(group.jobs, error)
            return Group(jobs=group.jobs)
        return group

    def run(self, jobs: Sequence[Job]) -> list[Group]:
        """Run and commit the jobs as one group; if their transaction is lost, one by one."""
        try:
            return [self._transaction(jobs)]
        except TransactionLost as lost:
            self._after(lost.error)
            if len(jobs) == 1:
                jobs[0].fail(lost.error)
                return [Group(jobs=jobs)]
        return [group for job in jobs for group in self.run([job])]

    def _transaction(self, jobs: Sequence[Job]) -> Group:
        """One group, whole. Raises `TransactionLost` if it may be tried again in smaller parts."""
        try:
            connection = self.open()
            connection.set_busy_timeout(int(self.busy_timeout * 1000))
            self.begin(connection)
        except Exception as error:  # noqa: BLE001 - each job gets it
            self._fail(jobs, error)
            return Group(jobs=jobs)
        try:
            group = run_jobs(connection, jobs)
        except Overrun as error:
            raise TransactionLost(error) from error
        group = self.commit(group)
        if self.connection is not None:
            self.connection.set_busy_timeout(0)
        return group

    def _fail(self, jobs: Sequence[Job], error: BaseException) -> None:
        _log.error("database: {count} units failed: {error}", count=len(jobs), error=f"{type(error).__name__}: {error}")
        for job in jobs:
            job.fail(error)
        self._after(error)

    def _after(self, error: BaseException) -> None:
        """Leave the connection with no transaction open, or closed."""
        if self.connection is None:
            return
        try:
            roll_back(self.connection)
            self.connection.set_busy_timeout(0)
        except TransactionLost as lost:
            error = lost.error
        if isinstance(error, DISTRUSTED):
            self.distrust()

    def _settle(self, connection: apsw.Connection) -> None:
        """After an I/O error: copy the WAL into the database and empty it, before anything leans on it.

        A commit whose fsync failed may stand whole in the WAL as the kernel shows it and not as the disk has
        it; commits behind it would be lost with it in a power cut. Copying writes every page anew.
        Raises `apsw.BusyError` while another connection reads.
        """
        try:
            connection.set_busy_timeout(int(self.busy_timeout * 1000))
            connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
            connection.set_busy_timeout(0)
        except BaseException:
            connection.close(True)
            raise
        self._suspect = False
