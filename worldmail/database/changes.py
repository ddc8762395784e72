"""The feed of committed changes.

Every commit with notices writes them as rows of `change`; their numbers grow without a gap, so whoever
remembers the last number it has seen knows what it missed. This process's own notices are told when their commit
is; a poll of the table's end (about 5 us, no more than `PRAGMA data_version`) finds those of other processes. Before
own notices are told, those of others with lower numbers are read and told, so every listener sees the order of the
commits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from zope.interface import implementer

from worldmail.database.cursor import Overrun
from worldmail.database.group import NumberedNotice
from worldmail.database.listeners import Listener, Listeners
from worldmail.interfaces.database import Cursor, IChanges, Row

KEPT_CHANGES = 10_000
PRUNED_AT_ONCE = 2_000
BACKLOG = 1000
"""More unread rows than this are not told one by one: everything may have changed."""

Read = Callable[[Callable[[Cursor], list[Row]]], list[Row]]


@implementer(IChanges)
class Changes:
    """Tells listeners what was committed.

    A notice may be told twice or together with others, and none is told of a unit that was not committed. Whoever
    awaits a `write` of this process finds its notices told already.

    Args:
        read: runs a unit on the reactor's reading connection at once.
    """

    def __init__(self, read: Read) -> None:
        self._read = read
        self._last = 0
        self._listeners = Listeners()

    def subscribe(self, topic: str, listener: Listener, key: int | None = None) -> Callable[[], None]:
        return self._listeners.subscribe(topic, listener, key)

    def start(self, read: Read) -> None:
        """Begin after the last commit, which this read finds. Raises what it raises."""
        self._last = read(_last_number)[0][0]

    def committed(self, notices: Sequence[NumberedNotice]) -> None:
        """Tell what this process committed."""
        if not notices:
            return
        if notices[0][0] > self._last + 1:
            self.poll()
        self._listeners.tell([notice for notice in notices if notice[0] > self._last])
        if notices[0][0] <= self._last + 1:
            self._last = max(self._last, notices[-1][0])
        # Else the poll could not read what others did before: the next one tells that, and these a second time.

    def poll(self) -> None:
        """Tell what others committed. A database that cannot be read now is read at the next poll."""
        try:
            rows = self._read(self._unseen)
        except (Overrun, Exception):  # noqa: BLE001 - whatever is wrong, the next poll reads the same rows
            return
        last = rows[0][0]
        if last == self._last:
            return
        unseen = rows[1:]
        whole = last > self._last and len(unseen) == last - self._last
        self._last, first = last, self._last + 1
        if whole and unseen[0][0] == first:
            self._listeners.tell(unseen)
        else:
            self._listeners.lost(self._last)

    def _unseen(self, cursor: Cursor) -> list[Row]:
        """The last number, and the rows behind the last one seen."""
        (last,) = _last_number(cursor)
        rows = cursor.all(
            "SELECT number, topic, key FROM change WHERE number > ? ORDER BY number LIMIT ?", (self._last, BACKLOG)
        )
        return [last, *rows]


def _last_number(cursor: Cursor) -> list[Row]:
    return [cursor.one("SELECT coalesce(max(number), 0) FROM change") or (0,)]


def prunable_changes(cursor: Cursor) -> bool:
    """Whether there are change rows to remove."""
    lowest, highest = cursor.one("SELECT min(number), max(number) FROM change") or (None, None)
    return lowest is not None and lowest < highest - KEPT_CHANGES


def prune_changes(cursor: Cursor) -> int:
    """Remove the oldest change rows but for the newest 10,000; at most 2,000 at once, and how many.

    The newest row always stays: the next number is one above it.
    """
    lowest, highest = cursor.one("SELECT min(number), max(number) FROM change") or (None, None)
    if lowest is None:
        return 0
    below = min(lowest + PRUNED_AT_ONCE, highest - KEPT_CHANGES)
    return cursor.run("DELETE FROM change WHERE number < ?", (below,)) if below > lowest else 0
