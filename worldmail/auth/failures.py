"""Counts of failed logins, by minute, over every protocol and every process, kept over a restart.

A failure counts in memory at once and is written behind, many in one unit, so that a flood of failures costs no
flood of syncs. What is read is what the database holds plus what is not yet written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from attrs import define, field, frozen

from worldmail.interfaces.database import Cursor

MINUTES_OF_DAY = 24 * 60
_MAXIMUM_UNWRITTEN = 20_000

Key = tuple[str, str]
"""What is counted: ("client", a network) or ("account", a keyed digest of the address), or ("owner", both)."""


@frozen
class Tally:
    """Failures of one key: in this and the last minute, and in the last 24 hours."""

    lately: int
    day: int


@define
class LoginFailures:
    """The counters. `record` counts, `tally` reads; `take` gives what has to be written."""

    _unwritten: dict[Key, Counter[int]] = field(factory=dict)
    _writing: dict[Key, Counter[int]] = field(factory=dict)

    @property
    def pending(self) -> bool:
        """True if there is something to write."""
        return bool(self._unwritten)

    def record(self, keys: Iterable[Key], minute: int) -> None:
        """One more failure of each key in this minute (minutes since the epoch)."""
        for key in keys:
            self._add(key, Counter({minute: 1}))

    def tally(self, cursor: Cursor, key: Key, minute: int) -> Tally:
        """Within a unit: the failures of a key up to this minute.

        What lies in the future, once the clock was set back, is of the day but not of this minute.
        """
        row = cursor.one(
            "SELECT COALESCE(SUM(CASE WHEN minute BETWEEN ? AND ? THEN failures ELSE 0 END), 0),"
            " COALESCE(SUM(failures), 0)"
            " FROM login_failure WHERE scope = ? AND key = ? AND minute > ?",
            (minute - 1, minute + 1, *key, minute - MINUTES_OF_DAY),
        )
        lately, day = (0, 0) if row is None else (int(row[0]), int(row[1]))
        for counters in (self._unwritten, self._writing):
            minutes = counters.get(key)
            if minutes is not None:
                counted = dict(minutes)  # in one step: a unit may run in a thread, and failures come in meanwhile
                lately += counted.get(minute, 0) + counted.get(minute - 1, 0)
                day += sum(counted.values())
        return Tally(lately, day)

    def take(self) -> list[tuple[str, str, int, int]]:
        """The rows to write now; then comes `written` or `not_written`."""
        self._writing, self._unwritten = self._unwritten, {}
        return [
            (*key, minute, failures) for key, minutes in self._writing.items() for minute, failures in minutes.items()
        ]

    def written(self) -> None:
        """What was taken is in the database."""
        self._writing = {}

    def not_written(self) -> None:
        """What was taken has to be written later."""
        writing, self._writing = self._writing, {}
        for key, minutes in writing.items():
            self._add(key, minutes)

    def _add(self, key: Key, minutes: Counter[int]) -> None:
        known = self._unwritten.get(key)
        if known is not None:
            known.update(minutes)
            return
        if len(self._unwritten) >= _MAXIMUM_UNWRITTEN:  # the database has been away for long
            del self._unwritten[next(iter(self._unwritten))]
        self._unwritten[key] = Counter(minutes)


def write_failures(cursor: Cursor, rows: Iterable[tuple[str, str, int, int]]) -> None:
    """A unit of work: add the rows to the table."""
    cursor.run_many(
        "INSERT INTO login_failure (scope, key, minute, failures) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (scope, key, minute) DO UPDATE SET failures = login_failure.failures + excluded.failures",
        rows,
    )


def prune_failures(cursor: Cursor, minute: int) -> None:
    """A unit of work: forget what no limit looks at any more."""
    cursor.run("DELETE FROM login_failure WHERE minute <= ?", (minute - MINUTES_OF_DAY,))
