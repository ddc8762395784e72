"""What an error of the server means to the unit, and to whoever waits for it."""

from __future__ import annotations

import psycopg

from worldmail.errors import Refusal, StorageFull, TemporaryFailure

CONFLICTS = frozenset({"40001", "40P01"})
"""serialization_failure, deadlock_detected: the unit may succeed when it is run again."""

_GONE = frozenset({"57P01", "57P02", "57P03", "57P05", "25P03", "25P04", "25006"})
"""The server ended the session, starts or stops, or is one that only reads (a standby): connect anew."""

_DISK_FULL = "53100"
_SHORT = ("55P03", "53", "54", "57", "58", "XX")
"""A lock not had in time; the classes resources, limits, an operator's intervention, the system, internal errors."""


class Conflict(Exception):
    """Nothing was kept; the unit may be run again on the same connection."""


class Lost(Exception):
    """The connection is gone, before COMMIT was sent: nothing was kept; the unit may be run again on another one."""


def is_lost(error: psycopg.Error, connection: psycopg.Connection[tuple[object, ...]]) -> bool:
    """True if nothing more can be had from this connection."""
    if connection.closed or error.sqlstate in _GONE or (error.sqlstate or "").startswith("08"):
        return True
    if error.diag.severity_nonlocalized in ("FATAL", "PANIC"):
        return True
    return error.sqlstate is None and isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)


def told(error: psycopg.Error) -> BaseException:
    """`error` as a caller sees it: the server's trouble as a `Refusal`, a fault of ours (wrong SQL) as it is."""
    state = error.sqlstate or ""
    if state == _DISK_FULL:
        return StorageFull(reason=reason_of(error))
    if state in CONFLICTS or state.startswith(_SHORT) or isinstance(error, psycopg.OperationalError):
        return refusal(error)
    return error


def refusal(error: BaseException) -> Refusal:
    """A temporary failure with this private reason."""
    return TemporaryFailure(reason=reason_of(error))


def reason_of(error: BaseException) -> str:
    """One line. Errors of psycopg name host, port and user, never a password."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"
