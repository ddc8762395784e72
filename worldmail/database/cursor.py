"""What a unit of work gets to see of an SQLite connection."""

from __future__ import annotations

from collections.abc import Iterable
from math import inf
from time import monotonic

import apsw

from worldmail.interfaces.database import Parameters, Row


class Overrun(BaseException):
    """A unit takes longer than its thread can wait: it is undone, and run again on another thread.

    Not an `Exception`, so that a unit that catches those does not swallow it.
    """


class SqliteCursor:
    """Provides `worldmail.interfaces.database.Cursor` for one run of one unit.

    Args:
        connection: with a transaction open.
        deadline: `time.monotonic` of when the next statement is an `Overrun`.
    """

    __slots__ = ("_connection", "_deadline", "_execute", "notices")

    def __init__(self, connection: apsw.Connection, deadline: float = inf) -> None:
        self._connection = connection
        self._execute = connection.execute
        self._deadline = deadline
        self.notices: list[tuple[str, int]] = []

    def run(self, sql: str, parameters: Parameters = ()) -> int:
        if monotonic() > self._deadline:
            raise Overrun
        self._execute(sql, parameters).fetchall()
        return self._connection.changes()

    def run_many(self, sql: str, rows: Iterable[Parameters]) -> None:
        for row in rows:
            self.run(sql, row)

    def one(self, sql: str, parameters: Parameters = ()) -> Row | None:
        if monotonic() > self._deadline:
            raise Overrun
        rows = self._execute(sql, parameters).fetchall()
        return rows[0] if rows else None

    def all(self, sql: str, parameters: Parameters = ()) -> list[Row]:
        if monotonic() > self._deadline:
            raise Overrun
        return self._execute(sql, parameters).fetchall()

    def lock(self, sql: str, parameters: Parameters = ()) -> list[Row]:
        return self.all(sql, parameters)

    def notice(self, topic: str, key: int) -> None:
        self.notices.append((topic, key))


class Stopwatch:
    """Ends a single statement that runs on beyond a deadline, which a check between statements cannot.

    SQLite asks it every so many steps of its virtual machine (a few hundred microseconds).
    """

    STEPS = 20_000

    def __init__(self, connection: apsw.Connection) -> None:
        self.deadline = inf
        connection.set_progress_handler(self._late, self.STEPS)

    def _late(self) -> bool:
        return monotonic() > self.deadline
