"""What an error of the engine means to whoever waits for the unit.

Three kinds: the engine could not do it now (a `Refusal` that a peer may see), the handle is
not to be trusted any more (it is closed and opened anew), and faults of ours, such as wrong SQL
or a broken constraint, which go to the caller as they are.
"""

from __future__ import annotations

import errno

import apsw

from worldmail.errors import Refusal, StorageFull, TemporaryFailure


class SchemaChanged(Exception):
    """A later release has migrated the file while this process had it open."""


BUSY = (apsw.BusyError, apsw.LockedError)

DISTRUSTED: tuple[type[BaseException], ...] = (
    apsw.IOError,
    apsw.CorruptError,
    apsw.NotADBError,
    apsw.CantOpenError,
    apsw.ReadOnlyError,
    apsw.PermissionsError,
    apsw.NoMemError,
    apsw.ProtocolError,
    apsw.NoLFSError,
    apsw.InternalError,
    apsw.ConnectionClosedError,
    OSError,
)
"""After one of these the handle is closed: after a failed fsync nobody knows what is on disk."""

ENGINE: tuple[type[BaseException], ...] = (
    *BUSY,
    SchemaChanged,
    *(kind for kind in DISTRUSTED if kind is not OSError),
    apsw.FullError,
    apsw.InterruptError,
    apsw.AbortError,
)
"""Raised within a unit, these are not the unit's own errors but the engine's."""


class DatabaseMoved(OSError):
    """The file at the database's path is not the one that is open: moved, removed or replaced."""


def refusal(error: BaseException) -> Refusal:
    """What the caller of a unit gets when the engine failed with `error`."""
    reason = f"{type(error).__name__}: {error}"
    if isinstance(error, apsw.FullError) or getattr(error, "errno", None) == errno.ENOSPC:
        return StorageFull(reason=reason)
    if isinstance(error, apsw.Error) and getattr(error, "extendedresult", 0) == apsw.SQLITE_IOERR_SHMSIZE:
        return StorageFull(reason=reason)
    return TemporaryFailure(reason=reason)


def told(error: BaseException) -> BaseException:
    """`error` as a caller sees it: the engine's as a `Refusal`, any other as it is."""
    return refusal(error) if isinstance(error, (*ENGINE, *DISTRUSTED)) else error
