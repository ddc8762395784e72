"""Who has which message of a relay: so that what it hands over a second time is not stored a second time.

A relay that saw no reply to a message does not know whether it was taken, and hands it over again. The rows are
written in the unit that accepts: what is there was accepted, and what was accepted is there. They stay for longer than
any relay keeps a message.
"""

from __future__ import annotations

from collections.abc import Iterable

from attrs import frozen

from worldmail.errors import TakenElsewhere
from worldmail.interfaces.database import Cursor, IDatabase
from worldmail.interfaces.store import Handover

KEPT = 400 * 86400
"""Seconds."""

SLICE = 500
"""Rows that one unit removes."""

_NOTE = "INSERT INTO arrived (relay, message, recipient, at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
_ARRIVED = "SELECT recipient FROM arrived WHERE relay = ? AND message = ?"
_OLD = "SELECT relay, message, recipient FROM arrived WHERE at < ? ORDER BY at LIMIT ?"
_FORGET = "DELETE FROM arrived WHERE relay = ? AND message = ? AND recipient = ?"


def note_arrival(cursor: Cursor, handover: Handover, recipients: Iterable[str], now: int) -> None:
    """These have it from now on. Raises `TakenElsewhere` if one of them has it."""
    for recipient in sorted(set(recipients)):
        if not cursor.run(_NOTE, (handover.relay, handover.message, recipient, now)):
            raise TakenElsewhere(reason=f"{recipient} has {handover.message} of {handover.relay}")


def have_arrived(cursor: Cursor, handover: Handover) -> frozenset[str]:
    """The recipients that have it."""
    return frozenset(row[0] for row in cursor.all(_ARRIVED, (handover.relay, handover.message)))


@frozen(kw_only=True)
class Arrivals:
    """Forgets what is older than any second attempt."""

    database: IDatabase

    async def forget(self, now: int) -> None:
        """One round."""
        while await self.database.write_long(lambda cursor: _forget(cursor, now - KEPT)) == SLICE:
            pass


def _forget(cursor: Cursor, before: int) -> int:
    rows = cursor.all(_OLD, (before, SLICE))
    for row in rows:
        cursor.run(_FORGET, row)
    return len(rows)
