"""Connections to the file with derived data, and what happens when it cannot be used.

The reactor has a connection of its own for what is a matter of microseconds; what writes, and what may take long, runs
in threads. While the file cannot be used (the disk is full, or fails) nothing is kept and nothing found, and after a
while it is tried again.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from typing import TypeVar

import apsw
from attrs import define, field
from twisted.logger import Logger

from worldmail.store.derived.file import DAMAGED, DerivedFile, Opened

T = TypeVar("T")
_log = Logger()

RETRY = 30.0
"""Seconds after which a file that could not be used is tried again."""

_ANY = 1 << 62

_LAST = "SELECT content_id, tag FROM summary ORDER BY content_id DESC LIMIT 16"

UNUSABLE = (apsw.Error, OSError)
"""What opening or using the file may raise."""


class Unavailable(Exception):
    """The file cannot be used now."""


@define(kw_only=True)
class Connections:
    """Args:
    seconds: a clock that only grows.
    room: whether the disk has room for more than mail; without, nothing is written.
    instance, newest: as `DerivedFile.open` takes them; the latter for the first time alone.
    """

    file: DerivedFile
    seconds: Callable[[], float]
    room: Callable[[], bool] = lambda: True
    instance: str = ""
    newest: int = 0
    _mine: Opened | None = field(default=None, init=False)
    _writing: Opened | None = field(default=None, init=False)
    _spare: list[Opened] = field(factory=list, init=False)
    _not_before: float = field(default=float("-inf"), init=False)
    _lock: int | None = field(default=None, init=False)

    def last_known(self, instance: str, newest: int) -> dict[int, bytes]:
        """The last contents that the file knows and what the digest of each begins with; to be asked before all else.

        Raises `Unavailable`.
        """
        if self.seconds() < self._not_before:
            raise Unavailable
        try:
            opened = self.file.open(instance, newest)
            try:
                return dict(opened.connection.execute(_LAST).fetchall())  # type: ignore[arg-type]  # of two columns
            finally:
                if not self.file.in_memory:
                    opened.connection.close(True)
        except DAMAGED as error:
            self.file.remove()
            raise Unavailable from error
        except UNUSABLE as error:
            self._failed(error)
            raise Unavailable from error

    def here(self, work: Callable[[apsw.Connection], T]) -> T:
        """`work` on the reactor's own connection. Raises `Unavailable`."""
        opened = self._mine = self._current(self._mine)
        return self._run(opened, work)

    def look(self, work: Callable[[apsw.Connection], T]) -> T:
        """The same, as of one moment."""
        return self.here(lambda connection: _at_one_moment(connection, work))

    def write(self, work: Callable[[apsw.Connection], T]) -> T:
        """`work` in a transaction, in the one thread that writes. Raises `Unavailable`."""
        if not self.room():
            raise Unavailable
        opened = self._writing = self._current(self._writing)

        def transaction(connection: apsw.Connection) -> T:
            connection.execute("BEGIN IMMEDIATE")
            try:
                value = work(connection)
                connection.execute("COMMIT")
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
            return value

        return self._run(opened, transaction)

    def read(self, work: Callable[[apsw.Connection], T]) -> T:
        """`work` in any thread, on a connection of its own as of one moment. Raises `Unavailable`."""
        try:
            opened = self._current(self._spare.pop())
        except IndexError:
            opened = self._current(None)
        try:
            return self._run(opened, lambda connection: _at_one_moment(connection, work))
        finally:
            if not self.file.in_memory:
                self._spare.append(opened)

    def lead(self) -> bool:
        """Whether this process has the lock that one of those at work has; it is kept until the process ends."""
        if self.file.in_memory or self._lock is not None:
            return True
        try:
            handle = os.open(f"{self.file.path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError:
            return False
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(handle)
            return False
        self._lock = handle
        return True

    def close(self) -> None:
        """Close all, once nothing runs."""
        for opened in (self._mine, self._writing, *self._spare):
            if opened is not None:
                opened.connection.close(True)
        self._mine = self._writing = None
        self._spare = []
        handle, self._lock = self._lock, None
        if handle is not None:
            os.close(handle)

    def _current(self, opened: Opened | None) -> Opened:
        """This connection if its file is still there, else a new one."""
        if opened is not None:
            if self.file.is_current(opened):
                return opened
            opened.connection.close(True)
        if self.seconds() < self._not_before:
            raise Unavailable
        try:
            opened = self.file.open(self.instance, self.newest)
        except UNUSABLE as error:
            self._failed(error)
            raise Unavailable from error
        self.newest = _ANY  # from here on nothing but what is added while we look
        return opened

    def _run(self, opened: Opened, work: Callable[[apsw.Connection], T]) -> T:
        try:
            return work(opened.connection)
        except (apsw.BusyError, apsw.LockedError) as error:
            raise Unavailable from error
        except apsw.InterruptError:
            raise
        except DAMAGED as error:
            _log.warn("{path} is damaged, it is made anew: {error}", path=self.file.path, error=error)
            self.file.remove()
            raise Unavailable from error
        except UNUSABLE as error:
            self._failed(error)
            raise Unavailable from error

    def _failed(self, error: Exception) -> None:
        self._not_before = self.seconds() + RETRY
        _log.warn("{path} cannot be used for now: {error}", path=self.file.path, error=error)


def _at_one_moment(connection: apsw.Connection, work: Callable[[apsw.Connection], T]) -> T:
    if connection.in_transaction:  # the one of a file in memory
        return work(connection)
    connection.execute("BEGIN")
    try:
        return work(connection)
    finally:
        connection.execute("ROLLBACK")
