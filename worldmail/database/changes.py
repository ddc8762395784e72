"""The feed of committed changes.

Every commit with notices writes them as rows of `change`; their numbers grow without a gap, so whoever
remembers the last number it has seen knows what it missed. This process's own notices are told when their commit
is; a poll of the table's end (about 5 us, no more than `PRAGMA data_version`) finds those of other processes. Before
own notices are told, those of others with lower numbers are read and told, so every listener sees the order of the
commits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from twisted.logger import Logger
from zope.interface import implementer

from worldmail.database.cursor import Overrun
from worldmail.database.group import NumberedNotice
from worldmail.interfaces.database import Cursor, IChanges, Notice, Row

_log = Logger()

BACKLOG = 1000
"""More unread rows than this are not told one by one: everything may have changed."""

Listener = Callable[[Notice], None]


@implementer(IChanges)
class Changes:
    """Tells listeners what was committed.

    A notice may be told twice or together with others, and none is told of a unit that was not committed. Whoever
    awaits a `write` of this process finds its notices told already.

    Args:
        read: runs a unit on the reactor's reading connection at once.
    """

    def __init__(self, read: Callable[[Callable[[Cursor], list[Row]]], list[Row]]) -> None:
        self._read = read
        self._last = 0
        self._listeners: dict[str, dict[int | None, list[Listener]]] = {}

    def subscribe(self, topic: str, listener: Listener, key: int | None = None) -> Callable[[], None]:
        listeners = self._listeners.setdefault(topic, {}).setdefault(key, [])
        listeners.append(listener)

        def cancel() -> None:
            keys = self._listeners.get(topic, {})
            if listener in keys.get(key, ()):
                keys[key].remove(listener)
                if not keys[key]:
                    del keys[key]

        return cancel

    def start(self) -> None:
        """Begin after the last commit. Raises what the read raises."""
        self._last = self._read(_last_number)[0][0]

    def committed(self, notices: Sequence[NumberedNotice]) -> None:
        """Tell what this process committed."""
        if not notices:
            return
        if notices[0][0] > self._last + 1:
            self.poll()
        self._tell([notice for notice in notices if notice[0] > self._last])
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
            self._tell(unseen)
        else:
            self._lost()

    def _unseen(self, cursor: Cursor) -> list[Row]:
        """The last number, and the rows behind the last one seen."""
        (last,) = _last_number(cursor)
        rows = cursor.all(
            "SELECT number, topic, key FROM change WHERE number > ? ORDER BY number LIMIT ?", (self._last, BACKLOG)
        )
        return [last, *rows]

    def _tell(self, notices: Iterable[NumberedNotice | Row]) -> None:
        for number, topic, key in notices:
            keys = self._listeners.get(topic)
            if keys:
                self._call([*keys.get(None, ()), *keys.get(key, ())], Notice(number, topic, key))

    def _lost(self) -> None:
        """The feed has a gap (pruned, or a database from a backup): anything may have changed."""
        for topic, keys in list(self._listeners.items()):
            every = [listener for listeners in keys.values() for listener in listeners]
            self._call(every, Notice(self._last, topic, 0))

    def _call(self, listeners: list[Listener], notice: Notice) -> None:
        for listener in listeners:
            try:
                listener(notice)
            except Exception:  # noqa: BLE001 - one listener's fault is not the next one's
                _log.failure("a listener to {topic} failed", topic=notice.topic)


def _last_number(cursor: Cursor) -> list[Row]:
    return [cursor.one("SELECT coalesce(max(number), 0) FROM change") or (0,)]
