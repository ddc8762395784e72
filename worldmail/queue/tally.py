"""What the queue counted, for whoever looks: replies by class, kept over restarts."""

from __future__ import annotations

from collections import Counter

from attrs import define, field

from worldmail.interfaces.database import Cursor

_ADD = (
    "INSERT INTO tally (name, value) VALUES (?, ?)"
    " ON CONFLICT (name) DO UPDATE SET value = tally.value + excluded.value"
)


@define
class Tally:
    """Counts in memory, and brings the counts to the database now and then."""

    _counts: Counter[str] = field(factory=Counter, init=False)

    def count(self, reply_class: str) -> None:
        """One more reply of this class: "2", "4", "5", or "x" for none."""
        self._counts[reply_class] += 1

    def take(self) -> Counter[str]:
        """What was counted since the last time."""
        taken, self._counts = self._counts, Counter()
        return taken


def add_counts(cursor: Cursor, counts: Counter[str]) -> None:
    """Add to what is kept."""
    for name in sorted(counts):
        cursor.run(_ADD, (f"reply {name}", counts[name]))


def read_counts(cursor: Cursor) -> dict[str, int]:
    """What is kept."""
    rows = cursor.all("SELECT name, value FROM tally WHERE name LIKE 'reply %'")
    return {name.removeprefix("reply "): value for name, value in rows}
