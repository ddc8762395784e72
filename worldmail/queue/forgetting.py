"""Rows of destinations that nothing is queued for: they go after a day.

Whoever writes a recipient for a destination that he remembers looks whether its row is still there (`rows`), and makes
it anew. What refers to a row keeps it: that is looked at in the unit that removes it, and held by the foreign key.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from attrs import define, field

from worldmail.interfaces.database import Cursor, IDatabase

AFTER = 86_400.0
"""Seconds for which nothing was queued, at every look."""

MOST = 10_000
"""Destinations that one process watches."""

SMALL = 10_000
"""Recipients: while there are more, nothing is removed. No index finds those of a destination in every state, since
that would cost each message something; so each removal looks through them."""

BATCH = 25
"""Rows that one unit removes."""

_IDLE = "due IS NULL AND down_since IS NULL AND rest_until <= ?"
_FIND = (
    f"SELECT id FROM destination d WHERE {_IDLE} AND id NOT IN (SELECT destination_id FROM recipient"
    " WHERE runner_id IS NOT NULL) AND NOT EXISTS (SELECT 1 FROM recipient r WHERE r.destination_id = d.id AND"
    " r.state = 1) ORDER BY id LIMIT ?"
)
_MANY = "SELECT count(*) FROM (SELECT 1 FROM recipient LIMIT ?) AS few"
_REMOVE = (
    f"DELETE FROM destination WHERE id = ? AND {_IDLE}"
    " AND NOT EXISTS (SELECT 1 FROM recipient r WHERE r.destination_id = destination.id)"
)


@define(kw_only=True)
class Forgetting:
    """Watches for destinations without anything, and removes them.

    Args:
        now: epoch seconds.
    """

    database: IDatabase
    now: Callable[[], float]
    _since: dict[int, float] = field(factory=dict, init=False)

    async def round(self) -> int:
        """One look; how many rows are gone. It is to come every hour or so."""
        now = self.now()
        idle = await self.database.scan(partial(_find, now=int(now)))
        self._since = {id_: self._since.get(id_, now) for id_ in idle}
        old = [id_ for id_, since in self._since.items() if now - since >= AFTER]
        gone = 0
        for start in range(0, len(old), BATCH):
            some = old[start : start + BATCH]
            removed = await self.database.write_long(partial(_remove, some=some, now=int(now)))
            if removed is None:
                break
            gone += removed
        return gone


def _find(cursor: Cursor, *, now: int) -> list[int]:
    return [row[0] for row in cursor.all(_FIND, (now, MOST))]


def _remove(cursor: Cursor, *, some: Sequence[int], now: int) -> int | None:
    """None if there are too many recipients to look through."""
    row = cursor.one(_MANY, (SMALL + 1,))
    if row is None or row[0] > SMALL:
        return None
    return sum(cursor.run(_REMOVE, (id_, now)) for id_ in some)
