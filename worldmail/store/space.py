"""Room on the disk: new mail is refused before there is none, and deleting works when there is none."""

from __future__ import annotations

import os
from collections.abc import Callable

from attrs import define, field
from twisted.logger import Logger

from worldmail.errors import StorageFull

_log = Logger()

CACHED = 1.0
"""Seconds for which the figure of the file system is believed."""


@define(kw_only=True)
class Space:
    """The file system that holds the store.

    A database that holds much deleted mail does not give the disk back, but has room within, which counts for
    messages that go into it.

    Args:
        directory: a directory on it.
        minimum_free: octets that new mail leaves free.
        seconds: a clock that only grows.
        inline_limit: octets up to which a message goes into the database.
        spare: octets that the database can take without growing; none unless given.
    """

    directory: str
    minimum_free: int
    seconds: Callable[[], float]
    inline_limit: int = 0
    spare: Callable[[], int] = int
    _free: int = field(default=0, init=False)
    _within: int = field(default=0, init=False)
    _until: float = field(default=float("-inf"), init=False)

    def free(self) -> int:
        """Octets that the disk can take, as of the last second; as many as ever if the system does not say."""
        now = self.seconds()
        if now >= self._until:
            try:
                status = os.statvfs(self.directory)
                self._free = status.f_bavail * status.f_frsize
            except OSError:
                self._free = 1 << 62
            self._within = self.spare() if self._free < self.minimum_free else 0
            self._until = now + CACHED
        return self._free

    def check(self, size: int) -> None:
        """Raise `StorageFull` unless a message of `size` octets leaves the minimum, and half of itself, free."""
        free = self.free()
        if size <= self.inline_limit:
            free += self._within
        if free < max(self.minimum_free, size + size // 2):
            raise StorageFull(reason=f"{free} octets free in {self.directory}")


@define(kw_only=True)
class Reserve:
    """Space set aside in a file: removing mail takes space too (the log of the change) before it gives any.

    Args:
        path: the file, on the file system of the database.
        size: octets; 0 sets none aside.
        space: that file system.
    """

    path: str
    size: int
    space: Space

    def restore(self) -> bool:
        """Set the space aside (again) if there is plenty; True if it is set aside. Blocks for a moment."""
        try:
            if os.stat(self.path).st_size >= self.size:
                return True
        except FileNotFoundError:
            pass
        if not self.size or self.space.free() < max(self.space.minimum_free, self.size) + self.size:
            return False
        return self._allocate()

    def _allocate(self) -> bool:
        handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(handle, 0, self.size)
        except OSError as error:
            os.ftruncate(handle, 0)
            _log.warn("no room for the reserve: {reason}", reason=error.strerror)
            return False
        finally:
            os.close(handle)
        return True

    def release(self) -> bool:
        """Give the space up; True if there was any."""
        try:
            had = os.stat(self.path).st_blocks
            os.truncate(self.path, 0)
        except FileNotFoundError:
            return False
        if had:
            _log.warn("the disk is full: the reserve is given up")
        return had > 0
