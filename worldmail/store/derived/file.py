"""The file `derived.sqlite` beside the embedded store, and the connections to it.

What it holds can be made anew, so no commit of it is synced, and a file that is damaged, of another version or of
another store is removed and begun again. Whoever removes it, while servers run or not, costs them some work and nothing
else: each use looks whether the file at the path is still the one that is open.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import apsw
from attrs import define, field
from twisted.logger import Logger

from worldmail.database.file import connect
from worldmail.store.derived.tables import APPLICATION_ID, STATEMENTS, VERSION

_log = Logger()

# NORMAL syncs nothing but checkpoints. Without even that, pages from before and after could lie beside each other once
# the power was cut, and an index that looks whole would not find all.
_PRAGMAS = (
    "PRAGMA synchronous=NORMAL; PRAGMA trusted_schema=OFF; PRAGMA temp_store=MEMORY; PRAGMA wal_autocheckpoint=1000;"
    " PRAGMA journal_size_limit=16777216; PRAGMA cache_size=-8192;"
)
_PATIENCE = 2000  # milliseconds

DAMAGED = (apsw.CorruptError, apsw.NotADBError, apsw.FormatError)
"""After one of these the file is made anew."""

_HIGHEST = (
    "SELECT max(coalesce((SELECT max(content_id) FROM summary), 0), coalesce((SELECT max(content_id) FROM indexed), 0))"
)

Identity = tuple[int, int]


@define(kw_only=True)
class Opened:
    """A connection, for one thread at a time, and which file it is to."""

    connection: apsw.Connection
    identity: Identity | None


@define(kw_only=True)
class DerivedFile:
    """Args:
    path: where it is; ":memory:" for one connection that is used by all, for tests and tools.
    """

    path: str
    _shared: Opened | None = field(default=None, init=False)
    _changing: threading.Lock = field(factory=threading.Lock, init=False)

    @property
    def in_memory(self) -> bool:
        """True if nothing is on the disk."""
        return self.path == ":memory:"

    def open(self, instance: str, newest: int) -> Opened:
        """A connection to a file that is fit for use, made if need be. Raises what the engine raises, `OSError`.

        Args:
            instance: of the store; a file of another one is made anew.
            newest: the highest id that the store has given to a content. A file that knows of later ones was there
                before the store was set back to an older copy: their ids will be given to other contents.
        """
        if self._shared is not None:
            return self._shared
        for last in (False, True):
            opened = self._connect()
            try:
                self._begin_log(opened.connection)
                if _prepare(opened.connection, instance, newest):
                    break
                _log.info("{path} is not of this store as it is now: it is made anew", path=self.path)
            except (*DAMAGED, apsw.SQLError) as error:  # the latter: its tables are not what they should be
                if last:
                    opened.connection.close(True)
                    raise
                _log.warn("{path} is damaged, it is made anew: {error}", path=self.path, error=error)
            except BaseException:
                opened.connection.close(True)
                raise
            opened.connection.close(True)
            self.remove()
        else:
            raise apsw.CantOpenError(f"{self.path} is made by others again and again")
        if self.in_memory:
            self._shared = opened
        return opened

    def _begin_log(self, connection: apsw.Connection) -> None:
        """Journal mode WAL. Who switches while another reads is told, without any wait, that it is locked."""
        if not self.in_memory:
            with self._alone():
                connection.execute("PRAGMA journal_mode=WAL").fetchall()

    def is_current(self, opened: Opened) -> bool:
        """Whether this connection is to what is at the path now. Cheap."""
        return self.in_memory or opened.identity == self._identity()

    def remove(self) -> None:
        """Take the file away."""
        if not self.in_memory:
            with self._alone():
                self._unlink("", "-wal", "-shm")

    def _unlink(self, *suffixes: str) -> None:
        for suffix in suffixes:
            with suppress(FileNotFoundError):
                os.unlink(f"{self.path}{suffix}")

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """While nobody else makes or removes the file, or changes its mode."""
        with self._changing:
            handle = os.open(f"{self.path}.changes", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX)
                yield
            finally:
                os.close(handle)

    def _make(self) -> None:
        """Make the file if it is gone. Log and index of the one before would be taken for its own: they go first."""
        if self._identity() is None:
            with self._alone():
                if self._identity() is None:
                    self._unlink("-wal", "-shm")
                    os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))

    def _identity(self) -> Identity | None:
        try:
            status = os.stat(self.path)
        except OSError:
            return None
        return status.st_dev, status.st_ino

    def _connect(self) -> Opened:
        if not self.in_memory:
            self._make()
        identity = self._identity()
        flags = apsw.SQLITE_OPEN_READWRITE | (apsw.SQLITE_OPEN_CREATE if self.in_memory else 0)
        connection = connect(self.path, flags, statements=128)
        connection.set_busy_timeout(_PATIENCE)
        return Opened(connection=connection, identity=identity)


def _prepare(connection: apsw.Connection, instance: str, newest: int) -> bool:
    """Make the tables of an empty file; False if the file is not one for this store and release."""
    connection.execute(_PRAGMAS).fetchall()
    if _number(connection, "PRAGMA user_version") == 0:
        _make(connection, instance)
    if (
        _number(connection, "PRAGMA user_version") != VERSION
        or _number(connection, "PRAGMA application_id") != APPLICATION_ID
    ):
        return False
    rows = connection.execute("SELECT value FROM fact WHERE name = 'instance'").fetchall()
    return rows == [(instance,)] and _number(connection, _HIGHEST) <= newest


def _make(connection: apsw.Connection, instance: str) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Another process may have done it between the look and the lock.
        if _number(connection, "PRAGMA user_version") == 0:
            for statement in STATEMENTS:
                connection.execute(statement).fetchall()
            connection.execute("INSERT INTO fact (name, value) VALUES ('instance', ?)", (instance,))
            connection.execute(f"PRAGMA user_version={VERSION}; PRAGMA application_id={APPLICATION_ID}").fetchall()
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _number(connection: apsw.Connection, sql: str) -> int:
    return int(connection.execute(sql).fetchall()[0][0])  # type: ignore[arg-type]  # these are always integers
