"""What a unit of work gets to see of a PostgreSQL connection."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from itertools import count
from typing import Any

import psycopg

from worldmail.database.postgres.values import without_nul
from worldmail.interfaces.database import Parameters, Row

_PIECE = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|\?")


@lru_cache(maxsize=1024)
def numbered(sql: str) -> str:
    """The statement with $1, $2, ... in place of each `?` that stands outside of quotes."""
    numbers = count(1)
    return _PIECE.sub(lambda piece: f"${next(numbers)}" if piece[0] == "?" else piece[0], sql)


class PostgresCursor:
    """Provides `worldmail.interfaces.database.Cursor` for one run of one unit.

    Args:
        connection: with a transaction open; its cursors are `psycopg.RawCursor`.
    """

    __slots__ = ("_cursor", "failure", "notices")

    def __init__(self, connection: psycopg.Connection[Row]) -> None:
        self._cursor = connection.cursor(binary=True)
        self.notices: list[tuple[str, int]] = []
        self.failure: psycopg.Error | None = None
        """The first error of the server: after it the transaction is lost, whatever the unit makes of it."""

    def run(self, sql: str, parameters: Parameters = ()) -> int:
        self._execute(sql, parameters)
        return max(self._cursor.rowcount, 0)

    def run_many(self, sql: str, rows: Iterable[Parameters]) -> None:
        for row in rows:
            self._execute(sql, row)

    def one(self, sql: str, parameters: Parameters = ()) -> Row | None:
        self._execute(sql, parameters)
        return self._cursor.fetchone()

    def all(self, sql: str, parameters: Parameters = ()) -> list[Row]:
        self._execute(sql, parameters)
        return self._cursor.fetchall()

    def lock(self, sql: str, parameters: Parameters = ()) -> list[Row]:
        return self.all(f"{sql} FOR UPDATE", parameters)

    def notice(self, topic: str, key: int) -> None:
        self.notices.append((topic, key))

    def _execute(self, sql: str, parameters: Parameters) -> None:
        statement: Any = numbered(sql)
        try:
            try:
                self._cursor.execute(statement, parameters)
            except psycopg.DataError as error:
                # One that was never sent has no SQLSTATE: the driver found a NUL in a text.
                if error.sqlstate is not None:
                    raise
                self._cursor.execute(statement, [without_nul(value) for value in parameters])
        except psycopg.Error as error:
            self.failure = self.failure or error
            raise
