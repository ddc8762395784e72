"""What the queue counted, for whoever looks: replies by class, in all and by destination, kept over restarts.

There is no end of destinations, so that not each has counts of its own for ever: those with the most replies keep
theirs, and one write adds to the busiest alone. What is counted in all misses nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from attrs import define, field

from worldmail.interfaces.database import Cursor

KEPT = 1000
"""Destinations that have counts of their own."""

AT_ONCE = 200
"""Destinations that one write adds to."""

_ADD = (
    "INSERT INTO tally (name, value) VALUES (?, ?)"
    " ON CONFLICT (name) DO UPDATE SET value = tally.value + excluded.value"
)
_ALL = "reply "  # and the class
_ONE = "to "  # the class, and a destination's key


@define
class Tally:
    """Counts in memory, and brings the counts to the database now and then."""

    _counts: Counter[tuple[str, str]] = field(factory=Counter, init=False)

    def count(self, reply_class: str, destination: str) -> None:
        """One more reply of this class ("2", "4", "5", or "x" for none) from the destination of this key."""
        self._counts[destination, reply_class] += 1

    def take(self) -> Counter[tuple[str, str]]:
        """What was counted since the last time, by destination and class."""
        taken, self._counts = self._counts, Counter()
        return taken


def add_counts(cursor: Cursor, counts: Counter[tuple[str, str]]) -> None:
    """Add to what is kept."""
    totals: Counter[str] = Counter()
    by_destination: Counter[str] = Counter()
    for (destination, reply_class), number in counts.items():
        totals[reply_class] += number
        by_destination[destination] += number
    busiest = {destination for destination, _ in by_destination.most_common(AT_ONCE)}
    for reply_class in sorted(totals):
        cursor.run(_ADD, (f"{_ALL}{reply_class}", totals[reply_class]))
    for destination, reply_class in sorted(counts):
        if destination in busiest:
            cursor.run(_ADD, (f"{_ONE}{reply_class} {destination}", counts[destination, reply_class]))
    _forget(cursor)


def read_counts(cursor: Cursor) -> dict[str, int]:
    """What is kept of all."""
    rows = cursor.all("SELECT name, value FROM tally WHERE name LIKE ?", (f"{_ALL}%",))
    return {name.removeprefix(_ALL): value for name, value in rows}


def read_destinations(cursor: Cursor) -> dict[str, dict[str, int]]:
    """What is kept of destinations: their keys, classes and counts."""
    found: dict[str, dict[str, int]] = {}
    for name, value in cursor.all("SELECT name, value FROM tally WHERE name LIKE ? ORDER BY name", (f"{_ONE}%",)):
        reply_class, _, destination = name.removeprefix(_ONE).partition(" ")
        found.setdefault(destination, {})[reply_class] = value
    return found


def _forget(cursor: Cursor) -> None:
    """The least busy, once there are too many."""
    kept: Mapping[str, Mapping[str, int]] = read_destinations(cursor)
    if len(kept) <= KEPT:
        return
    by_number = sorted(kept, key=lambda destination: sum(kept[destination].values()))
    for destination in by_number[: len(kept) - KEPT]:
        for reply_class in kept[destination]:
            cursor.run("DELETE FROM tally WHERE name = ?", (f"{_ONE}{reply_class} {destination}",))
