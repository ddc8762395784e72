"""What waits in one hold for a domain that is in another now."""

from __future__ import annotations

from worldmail.interfaces.database import Cursor
from worldmail.queue.routes import OF_HOLD, RouteTable
from worldmail.queue.rows import STEERED, destination_id, recount_due
from worldmail.queue.states import Event, sources

_HOLDS = "SELECT id, key, domain FROM destination WHERE key >= 'hold ' AND key < 'hold!' ORDER BY id"
_MOVE = f"UPDATE recipient SET destination_id = ? WHERE destination_id = ? AND {sources(Event.REHELD)}"


def take_over(cursor: Cursor, table: RouteTable) -> None:
    """Mail goes with its domain from hold to hold; what is leased at the moment stays where it was.

    Args:
        table: of all holds. What none of them is for stays where it waits.
    """
    for id_, key, domain in cursor.all(_HOLDS):
        _, _, of = key.removeprefix("hold ").partition(" ")  # none: the queue of a route
        hold = table.holding(domain) if of == domain else None
        if hold is None or key == f"hold {hold.name} {domain}":
            continue
        target = destination_id(cursor, f"hold {hold.name} {domain}", domain, f"{OF_HOLD}{hold.name}")
        if cursor.run(_MOVE, (target, id_)):
            for each in (id_, target):
                recount_due(cursor, each)
                cursor.notice(STEERED, each)
