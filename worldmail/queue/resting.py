"""The clock of destinations whose link is down: nothing is tried there, nobody is warned, nothing expires."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from attrs import frozen
from zope.interface import implementer

from worldmail.interfaces.database import Cursor, IDatabase, Row
from worldmail.interfaces.queue import IResting
from worldmail.queue.jobs import read_envelope
from worldmail.queue.lateness import end
from worldmail.queue.rows import STEERED, recount_due
from worldmail.queue.selecting import literal

SLICE = 500
"""Recipients that one unit gives back their time."""

_BEGINNING = "key LIKE ? ESCAPE '!'"
_STAND = f"UPDATE destination SET down_since = ? WHERE down_since IS NULL AND {_BEGINNING}"
_STANDING = f"SELECT id, down_since FROM destination WHERE down_since IS NOT NULL AND {_BEGINNING} ORDER BY id"
_NEXT = (
    "SELECT r.id, r.due, r.attempts, r.expires, r.look, q.accepted, q.sender, q.envelope FROM recipient r"
    " JOIN queued q ON q.id = r.queued_id"
    " WHERE r.destination_id = ? AND r.state = 0 AND r.id > ? ORDER BY r.id LIMIT ?"
)
_GIVE_BACK = "UPDATE recipient SET expires = ?, look = ?, due = ? WHERE id = ? AND state = 0"
_GO_ON = "UPDATE destination SET down_since = NULL, rest_until = 0, failures = 0 WHERE id = ?"


@implementer(IResting)
@frozen(kw_only=True)
class Resting:
    """Provides `IResting`."""

    database: IDatabase
    now: Callable[[], float]

    async def rest(self, destinations: Sequence[str], since: int) -> None:
        """See `IResting.rest`."""
        for beginning in destinations:
            await self.database.write(partial(_stand, beginning=beginning, since=since))

    async def wake(self, destinations: Sequence[str]) -> None:
        """See `IResting.wake`. What comes in the middle of it is done again by the next call: time is given back once
        to each recipient only if nothing cuts it off, and else once more to some."""
        for beginning in destinations:
            for id_, since in await self.database.read(partial(_standing, beginning=beginning)):
                after: int | None = 0
                while after is not None:
                    after = await self.database.write_long(
                        partial(self._give_back, destination=id_, since=since, after=after)
                    )

    def _give_back(self, cursor: Cursor, *, destination: int, since: int, after: int) -> int | None:
        """One slice; the id of its last recipient, None once the destination goes on."""
        now = int(self.now())
        rows = cursor.all(_NEXT, (destination, after, SLICE))
        for row in rows:
            cursor.run(_GIVE_BACK, (*_later(row, since, now), row[0]))
        if len(rows) == SLICE:
            return int(rows[-1][0])
        cursor.run(_GO_ON, (destination,))
        recount_due(cursor, destination)
        cursor.notice(STEERED, destination)
        return None


def _later(row: Row, since: int, now: int) -> tuple[int, int, int]:
    """When it expires, is looked at, and is due. What is held for a later time goes on being held, and a time by which
    it is to be delivered is the sender's."""
    _, due, attempts, expires, look, accepted, sender, envelope = row
    began = accepted if attempts else max(accepted, due)
    stood = max(0, now - max(since, began))
    _, wishes, *_ = read_envelope(sender, envelope)
    by = wishes.deliver_by
    new_expires = end(wishes, expires + stood)
    new_look = min(look + stood, new_expires)
    if by is not None and look <= by[0]:
        new_look = min(new_look, by[0])
    return new_expires, new_look, due if began > now else now


def _stand(cursor: Cursor, *, beginning: str, since: int) -> None:
    cursor.run(_STAND, (since, f"{literal(beginning)}%"))
    cursor.notice(STEERED, 0)


def _standing(cursor: Cursor, *, beginning: str) -> list[tuple[int, int]]:
    return [(row[0], row[1]) for row in cursor.all(_STANDING, (f"{literal(beginning)}%",))]
