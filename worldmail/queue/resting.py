"""The clock of destinations whose link is down: nothing is tried there, nobody is warned, nothing expires.

Of which routes the link is down are facts of their own (`linked`), so that they hold for destinations, too, that come
after them. A row of a destination remembers since when it stands, until all that waits there has its time back.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from functools import partial

from attrs import frozen
from zope.interface import implementer

from worldmail.interfaces.database import Cursor, IDatabase, Row
from worldmail.interfaces.resting import ANY_ROUTE, Behind, IResting, Waiting
from worldmail.queue.jobs import read_envelope
from worldmail.queue.lateness import end
from worldmail.queue.linked import LINK, behind, link_facts
from worldmail.queue.parcels import URGENCY
from worldmail.queue.rows import STEERED, end_rest, recount_due

SLICE = 500
"""Recipients that one unit gives back their time."""

_DOUBLING = 140
"""Steps of the order by size from one size to its double; 25 doublings stay below `URGENCY`."""

_FORGET = "DELETE FROM fact WHERE name = ?"
_LEARN = "INSERT INTO fact (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
_STANDING = "SELECT d.id, d.key, d.route, d.down_since FROM destination d WHERE d.down_since IS NOT NULL ORDER BY d.id"
_NEXT = (
    "SELECT r.id, r.due, r.attempts, r.expires, r.look, q.accepted, q.sender, q.envelope, q.size, q.priority"
    " FROM recipient r JOIN queued q ON q.id = r.queued_id"
    " WHERE r.destination_id = ? AND r.state = 0 AND r.id > ? ORDER BY r.id LIMIT ?"
)
_GIVE_BACK = "UPDATE recipient SET expires = ?, look = ?, due = ? WHERE id = ? AND state = 0"
_UNREACHED = "SELECT id FROM destination WHERE route = ? AND failures > 0 AND down_since IS NULL ORDER BY id"
_TRY_NOW = (
    "UPDATE recipient SET due = ? WHERE id IN (SELECT id FROM recipient"
    " WHERE destination_id = ? AND state = 0 AND attempts > 0 AND due > ? ORDER BY id LIMIT ?)"
)
_GO_ON = "UPDATE destination SET down_since = NULL, rest_until = 0 WHERE id = ?"


@implementer(IResting)
@frozen(kw_only=True)
class Resting:
    """Provides `IResting`."""

    database: IDatabase
    now: Callable[[], float]

    async def follow(self, links: Mapping[str, Behind]) -> None:
        """See `IResting.follow`. What comes in the middle of it is done again by the next call: time is given back once
        to each recipient only if nothing cuts it off, and else once more to some."""
        for id_, since, small_first in await self.database.write(partial(_learn, links=dict(links))):
            after: int | None = 0
            while after is not None:
                unit = partial(self._give_back, destination=id_, since=since, small_first=small_first, after=after)
                after = await self.database.write_long(unit)

    async def is_back(self, route: str) -> None:
        """See `IResting.is_back`."""
        for (id_,) in await self.database.read(lambda cursor: cursor.all(_UNREACHED, (route,))):
            while await self.database.write_long(partial(self._try_now, destination=id_)):
                pass

    async def waiting(self, routes: Collection[str], most: int | None) -> Waiting:
        """See `IResting.waiting`."""
        now = int(self.now())
        return await self.database.read(partial(_waiting, routes=tuple(routes), most=most, now=now))

    def _try_now(self, cursor: Cursor, *, destination: int) -> bool:
        """One slice; True if more is left. What was never tried is due at the end of the rest, or its sender's own."""
        now = int(self.now())
        if cursor.run(_TRY_NOW, (now, destination, now, SLICE)) == SLICE:
            return True
        end_rest(cursor, destination)
        cursor.notice(STEERED, destination)
        return False

    def _give_back(self, cursor: Cursor, *, destination: int, since: int, small_first: bool, after: int) -> int | None:
        """One slice; the id of its last recipient, None once the destination goes on."""
        now = int(self.now())
        rows = cursor.all(_NEXT, (destination, after, SLICE))
        for row in rows:
            *later, due = _later(row, since, now)
            if small_first and due <= now:
                due = in_turn(now, size=row[8], priority=row[9])
            cursor.run(_GIVE_BACK, (*later, due, row[0]))
        if len(rows) == SLICE:
            return int(rows[-1][0])
        cursor.run(_GO_ON, (destination,))
        recount_due(cursor, destination)
        cursor.notice(STEERED, destination)
        return None


def in_turn(now: int, *, size: int, priority: int) -> int:
    """The `due` of what goes now in the order of its urgency, and then of its size: what is due longest goes first."""
    if priority < 0:
        return now
    return now - URGENCY * (priority + 1) + min(URGENCY - 1, round(_DOUBLING * math.log2(size + 1)))


def _later(row: Row, since: int, now: int) -> tuple[int, int, int]:
    """When it expires, is looked at, and is due. What is held for a later time goes on being held, and a time by which
    it is to be delivered is the sender's."""
    _, due, attempts, expires, look, accepted, sender, envelope, *_ = row
    began = accepted if attempts else max(accepted, due)
    stood = max(0, now - max(since, began))
    _, wishes, *_ = read_envelope(sender, envelope)
    by = wishes.deliver_by
    new_expires = end(wishes, expires + stood)
    new_look = min(look + stood, new_expires)
    if by is not None and look <= by[0]:
        new_look = min(new_look, by[0])
    return new_expires, new_look, due if began > now else now


def _learn(cursor: Cursor, *, links: Mapping[str, Behind]) -> list[tuple[int, int, bool]]:
    """Write down how it is; the destinations that go on: their ids, since when they stood, and in which order."""
    before = link_facts(cursor).since
    for route in before.keys() - links.keys():
        cursor.run(_FORGET, (f"{LINK}{route}",))
    for route, one in links.items():
        since = (before.get(route) or one.since) if one.since else 0
        if before.get(route) != since:
            cursor.run(_LEARN, (f"{LINK}{route}", str(since)))
    facts = link_facts(cursor)
    if facts.since != before:
        cursor.notice(STEERED, 0)
    for route, since in facts.since.items():
        if since:
            condition, values = behind(route)
            stand = f"UPDATE destination AS d SET down_since = ? WHERE d.down_since IS NULL AND {condition}"
            cursor.run(stand, (since, *values))
    return [
        (id_, since, _of(links, route).small_first)
        for id_, key, route, since in cursor.all(_STANDING)
        if facts.down_since(key, route) is None
    ]


def _of(links: Mapping[str, Behind], route: str) -> Behind:
    return links.get(route) or links.get(ANY_ROUTE) or Behind()


def _waiting(cursor: Cursor, *, routes: tuple[str, ...], most: int | None, now: int) -> Waiting:
    if not routes:
        return Waiting(due=False, under_way=0)
    conditions, values = zip(*[behind(route) for route in routes], strict=True)
    where, of_routes = " OR ".join(conditions), [value for some in values for value in some]
    fits = ""
    bound: tuple[int, ...] = ()
    if most is not None:
        fits = (
            " AND EXISTS (SELECT 1 FROM recipient r JOIN queued q ON q.id = r.queued_id WHERE r.destination_id = d.id"
            " AND r.state = 0 AND r.due <= ? AND q.size <= ?)"
        )
        bound = (now, most)
    due = cursor.one(
        f"SELECT 1 FROM destination d WHERE d.due IS NOT NULL AND d.due <= ? AND ({where}){fits} LIMIT 1",
        (now, *of_routes, *bound),
    )
    row = cursor.one(
        "SELECT count(*) FROM recipient r JOIN destination d ON d.id = r.destination_id"
        f" WHERE r.runner_id IS NOT NULL AND ({where})",
        tuple(of_routes),
    )
    return Waiting(due=due is not None, under_way=0 if row is None else int(row[0]))
