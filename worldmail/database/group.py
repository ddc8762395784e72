"""Many units in one transaction: the savepoints, the notices, the errors.

See `worldmail.database` for the theory of operation.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from time import monotonic
from typing import Any

import apsw
from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from worldmail.database.cursor import Overrun, SqliteCursor
from worldmail.database.failures import ENGINE, told
from worldmail.interfaces.database import Unit

NumberedNotice = tuple[int, str, int]


class TransactionLost(Exception):
    """The whole transaction is gone, or not to be trusted; nothing of it may be acknowledged."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(str(error))
        self.error = error


class UnitFailed(Exception):
    """A unit failed that could not be undone alone: roll back, and run them all apart."""


class Job:
    """One unit that waits for its turn, and then for its commit.

    Args:
        unit: what to run.
        long: True if it goes to the writer's thread from the start.
    """

    __slots__ = ("deferred", "error", "long", "unit", "value")

    def __init__(self, unit: Unit[Any], long: bool = False) -> None:
        self.unit = unit
        self.long = long
        self.deferred: Deferred[Any] = Deferred()
        self.value: Any = None
        self.error: BaseException | None = None

    def fail(self, error: BaseException) -> None:
        """Nothing of it is kept, because of this error; one that it had before stays."""
        if self.error is None:
            self.error = told(error)

    def settle(self) -> None:
        """Tell its caller."""
        if self.error is None:
            self.deferred.callback(self.value)
        else:
            self.deferred.errback(Failure(self.error))  # type: ignore[no-untyped-call]  # Twisted's is untyped


@define(kw_only=True)
class Group:
    """Units that ran in one transaction, and the notices that are rows of it."""

    jobs: Sequence[Job]
    notices: list[NumberedNotice] = field(factory=list)


def run_jobs(
    connection: apsw.Connection,
    jobs: Sequence[Job],
    *,
    slice_end: float = inf,
    deadline: float = inf,
    apart: bool = True,
) -> Group:
    """Run the jobs in the open transaction; does not commit.

    A job that is alone needs no savepoint: if it fails, the transaction is rolled back. At least one is
    run; those not begun before `slice_end` are left out of the group.

    Args:
        apart: each in a savepoint of its own, which costs a fifth of a unit's time.

    Raises: `TransactionLost`; `Overrun` if one was not done by `deadline`; `UnitFailed` if one failed and they are not
        apart. Roll back after each of these.
    """
    execute = connection.execute
    notices: dict[tuple[str, int], None] = {}
    alone = len(jobs) == 1
    apart = apart and not alone
    done = 0
    for job in jobs:
        if done and monotonic() > slice_end:
            break
        job.error = None
        cursor = SqliteCursor(connection, deadline)
        try:
            if apart:
                execute("SAVEPOINT unit")
            job.value = job.unit(cursor)
        except Overrun:
            raise
        except ENGINE as error:
            if isinstance(error, apsw.InterruptError) and monotonic() > deadline:
                raise Overrun from error
            raise TransactionLost(error) from error
        except BaseException as error:  # it is the job's result
            if not (alone or apart):
                raise UnitFailed from error
            job.error = error
            _undo(connection, alone, error)
        else:
            _keep(connection, apart)
            notices.update(dict.fromkeys(cursor.notices))
        done += 1
    return Group(jobs=jobs[:done], notices=_file_notices(connection, notices))


def _keep(connection: apsw.Connection, apart: bool) -> None:
    """The unit succeeded, as far as it knows: SQLite may have ended the transaction all the same."""
    if not connection.in_transaction:
        raise TransactionLost(apsw.AbortError("the transaction was rolled back"))
    if apart:
        try:
            connection.execute("RELEASE unit")
        except apsw.Error as error:
            raise TransactionLost(error) from error


def _undo(connection: apsw.Connection, alone: bool, error: BaseException) -> None:
    """Take back what the failed unit did, and nothing else."""
    if not connection.in_transaction:
        raise TransactionLost(error) from error
    try:
        connection.execute("ROLLBACK" if alone else "ROLLBACK TO unit")
        if not alone:
            connection.execute("RELEASE unit")
    except apsw.Error as failure:
        raise TransactionLost(failure) from error


def _file_notices(connection: apsw.Connection, notices: dict[tuple[str, int], None]) -> list[NumberedNotice]:
    """Make rows of the notices; they get growing numbers without a gap."""
    filed = []
    try:
        for topic, key in notices:
            connection.execute("INSERT INTO change (topic, key) VALUES (?, ?)", (topic, key))
            filed.append((connection.last_insert_rowid(), topic, key))
    except apsw.Error as error:
        raise TransactionLost(error) from error
    return filed


def roll_back(connection: apsw.Connection) -> None:
    """End the transaction if one is open, whatever state it is in."""
    if connection.in_transaction:
        try:
            connection.execute("ROLLBACK")
        except apsw.Error as error:
            raise TransactionLost(error) from error
