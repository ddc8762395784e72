"""The database's file: where it is, and how connections to it are opened."""

from __future__ import annotations

import os
import stat
from contextlib import suppress

import apsw
from attrs import field, frozen

from worldmail.errors import ConfigurationError

OLDEST_ENGINE = (3, 51, 3)
"""Older ones can corrupt a WAL that two connections reset at once."""

APPLICATION_ID = 0x574D4442
"""In the header of every file of ours ("WMDB"), so that another program's is never migrated."""

CHECKPOINT_PAGES = 1000
"""A commit that leaves more than this in the WAL copies it into the database before it is told.

Four times as many saved a tenth of a commit's time, and needed four times the room: on a full disk what is set aside
for deletions must hold both the log and what it adds to the database.
"""

LOG_LIMIT = 16 << 20
"""Octets that the WAL keeps on the disk after a large transaction."""

_PRAGMAS = (
    "PRAGMA synchronous=FULL; PRAGMA fullfsync=ON; PRAGMA checkpoint_fullfsync=ON; PRAGMA foreign_keys=ON;"
    f" PRAGMA trusted_schema=OFF; PRAGMA temp_store=MEMORY; PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES};"
    f" PRAGMA journal_size_limit={LOG_LIMIT};"
)

Identity = tuple[int, int]


def sync_directory(directory: str) -> None:
    """Put the names in a directory on disk."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _sync_names(directory: str) -> None:
    """Put the name of a new database, and that of its directory, on disk: a sync of the file may leave them out."""
    sync_directory(directory)
    with suppress(OSError):  # the one above may be closed to us
        sync_directory(os.path.dirname(directory))


def require_engine(version: str | None = None) -> None:
    """Refuse an SQLite that is not safe. Raises `ConfigurationError`."""
    found = version or apsw.sqlite_lib_version()
    if tuple(int(part) for part in found.split(".")[:3]) < OLDEST_ENGINE:
        oldest = ".".join(str(part) for part in OLDEST_ENGINE)
        raise ConfigurationError(
            f"SQLite {found} can corrupt its write-ahead log; install an apsw with {oldest} or later"
        )


def connect(
    path: str, flags: int = apsw.SQLITE_OPEN_READWRITE, *, vfs: str | None = None, statements: int = 256
) -> apsw.Connection:
    """A connection to a file, or to ":memory:". Each that there is, is made here.

    Args:
        vfs: the name of the SQLite VFS, None for the default.
        statements: so many are kept parsed.
    """
    connection = apsw.Connection(path, flags=flags, vfs=vfs, statementcachesize=statements)
    # Else a statement with a range or a limit is parsed anew each time: the values might ask for another plan.
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
    return connection


@frozen(kw_only=True)
class DatabaseFile:
    """One SQLite file.

    Args:
        path: where it is.
        vfs: the name of the SQLite VFS to open it with, None for the default (tests put a failing one below).
        writer_cache, reader_cache: page cache of a connection, KiB.
    """

    path: str
    vfs: str | None = None
    writer_cache: int = field(default=16384)
    reader_cache: int = field(default=4096)

    def prepare(self) -> None:
        """Make file and directory if they are missing, for our eyes only. Raises `ConfigurationError`."""
        require_engine()
        try:
            os.makedirs(os.path.dirname(self.path) or ".", mode=0o700, exist_ok=True)
            handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise ConfigurationError(f"{self.path}: {error.strerror}") from error
        try:
            status = os.fstat(handle)
            if status.st_size == 0:
                _sync_names(os.path.dirname(os.path.abspath(self.path)))
            if stat.S_IMODE(status.st_mode) & 0o077 and status.st_uid == os.geteuid():
                os.fchmod(handle, 0o600)
        finally:
            os.close(handle)

    def identity(self) -> Identity | None:
        """Device and inode of what is at the path now; None if nothing is."""
        try:
            status = os.stat(self.path)
        except OSError:
            return None
        return status.st_dev, status.st_ino

    def open_bare(self) -> apsw.Connection:
        """A connection with nothing set: to look, before anything is touched."""
        return connect(self.path, vfs=self.vfs)

    def open_writer(self) -> apsw.Connection:
        """A connection that commits durably, in WAL mode. Never waits for locks unless told to."""
        connection = self.open_bare()
        try:
            connection.set_busy_timeout(5000)
            connection.execute(f"{_PRAGMAS} PRAGMA cache_size=-{self.writer_cache}").fetchall()
            (mode,) = connection.execute("PRAGMA journal_mode=WAL").fetchall()[0]
            if mode != "wal":
                raise apsw.CantOpenError(f"journal mode is {mode}, not wal")
            connection.set_busy_timeout(0)
        except BaseException:
            connection.close(True)
            raise
        return connection

    def open_reader(self, busy_timeout: float = 0.0) -> apsw.Connection:
        """A connection that only reads; waits up to `busy_timeout` seconds for a lock."""
        connection = self.open_bare()
        try:
            connection.set_busy_timeout(int(busy_timeout * 1000))
            connection.execute(f"{_PRAGMAS} PRAGMA query_only=ON; PRAGMA cache_size=-{self.reader_cache}").fetchall()
        except BaseException:
            connection.close(True)
            raise
        return connection
