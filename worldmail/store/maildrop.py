"""The exclusive right to a maildrop, over all processes on one store (RFC 1939 §4).

One byte an account in a lock file beside the store, locked by the operating system: it dies with its process, and
costs no write. Such locks belong to the process, and all of them are lost when any descriptor of the file is closed
(POSIX fcntl); so the file is opened once, never closed, and a set says what this process holds itself.
"""

from __future__ import annotations

import fcntl
import os
import struct
from collections.abc import Awaitable, Sequence

from attrs import define, field
from zope.interface import implementer

from worldmail.database.settled import Failed
from worldmail.errors import TemporaryFailure
from worldmail.interfaces.store import ILeaseLock, ILeaseLocks
from worldmail.wire.ready import Ready

_FLOCK = "hhqqi4x"
"""`struct flock`: kind of lock, where from, first octet, number of octets, process."""


@implementer(ILeaseLocks)
class FileLocks:
    """Provides `IMaildropLocks` and `ILeaseLocks` for the processes of one machine.

    Args:
        path: the lock file; made when first needed.
    """

    patience = 0.0

    def __init__(self, path: str) -> None:
        self._path = path
        self._handle: int | None = None
        self._held: set[int] = set()

    def lock(self, account_id: int) -> Awaitable[ILeaseLock | None]:
        try:
            return Ready(self._lock(account_id))
        except OSError as error:
            return Failed(TemporaryFailure(reason=f"{self._path}: {error.strerror}"))

    def free(self, numbers: Sequence[int]) -> Awaitable[list[int]]:
        """See `ILeaseLocks.free`."""
        try:
            return Ready([number for number in numbers if self._is_free(number)])
        except OSError as error:
            return Failed(TemporaryFailure(reason=f"{self._path}: {error.strerror}"))

    def _is_free(self, number: int) -> bool:
        if number in self._held:
            return False
        asked = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, number, 1, 0)
        return bool(struct.unpack(_FLOCK, fcntl.fcntl(self._open(), fcntl.F_GETLK, asked))[0] == fcntl.F_UNLCK)

    def _lock(self, account_id: int) -> MaildropLock | None:
        if account_id in self._held:
            return None
        handle = self._open()
        try:
            fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, account_id, os.SEEK_SET)
        except (BlockingIOError, PermissionError):
            return None
        self._held.add(account_id)
        return MaildropLock(locks=self, account_id=account_id)

    def unlock(self, account_id: int) -> None:
        """Give it back; for `MaildropLock`."""
        self._held.discard(account_id)
        fcntl.lockf(self._open(), fcntl.LOCK_UN, 1, account_id, os.SEEK_SET)

    def _open(self) -> int:
        if self._handle is None:
            self._handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        return self._handle


@implementer(ILeaseLock)
@define(kw_only=True)
class MaildropLock:
    """One account's maildrop."""

    interruptions = 0

    _locks: FileLocks
    _account_id: int
    _released: bool = field(default=False, init=False)

    def held(self) -> bool:
        return not self._released

    def lost(self) -> bool:
        """See `ILeaseLock.lost`."""
        return self._released

    def release(self) -> Awaitable[None]:
        if not self._released:
            self._released = True
            self._locks.unlock(self._account_id)
        return Ready(None)
