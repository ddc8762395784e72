"""What has waited too long: senders are told of a delay once, and of the end.

Nothing is leased for this. A unit takes the rows as they were read or gives up (`_Passed`): then they were tried, or
another runner was faster.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial

from attrs import define, field, frozen

from worldmail.errors import WorldMailError
from worldmail.interfaces.database import Cursor, IDatabase, Row
from worldmail.interfaces.outbound import Fate, Phase, RecipientFate, Reply
from worldmail.interfaces.store import ITrace
from worldmail.interfaces.world import IClock
from worldmail.mail.dsn.values import Happening
from worldmail.queue.jobs import Attempt, Leased, Message, read_recipient
from worldmail.queue.lateness import EXPIRED, look_again, status_at_end, told_now
from worldmail.queue.reports import Happened, IReports
from worldmail.queue.rows import fewer, read_message
from worldmail.queue.schedule import Schedule
from worldmail.queue.settling import Transaction
from worldmail.queue.states import Event, sources
from worldmail.queue.telling import Teller
from worldmail.queue.untold import add_untold
from worldmail.wire.flat_json import FlatJson

BATCH = 100
"""Recipients that are looked at in one read."""

_LOOK = (
    "SELECT id, queued_id, address, wishes, attempts, expires, warned, reply, look, server, tried"
    " FROM recipient"
    " WHERE state < 2 AND look <= ? AND (look, id) > (?, ?)"
    " AND destination_id NOT IN (SELECT id FROM destination WHERE down_since IS NOT NULL) ORDER BY look, id LIMIT ?"
)
_WARN = f"UPDATE recipient SET warned = ?, look = ? WHERE id = ? AND warned = ? AND {sources(Event.DELAYED)}"
_EXPIRE = "DELETE FROM recipient WHERE id = ? AND expires <= ? AND state < 2"
_REPLY = re.compile(r"([2-5]\d\d)(?: ([245]\.\d{1,3}\.\d{1,3}))?(?: (.*))?", re.DOTALL)

_to_json = FlatJson(ascii=False).render


class _Passed(WorldMailError):
    """A row is not as it was read."""


@frozen
class _Late:
    """One recipient that has waited too long."""

    leased: Leased
    said: str
    last: Attempt


@define(kw_only=True)
class Overdue:
    """Looks after those who wait."""

    database: IDatabase
    trace: ITrace
    clock: IClock
    schedule: Schedule
    reports: IReports
    teller: Teller
    _last: int = field(default=0, init=False)

    async def lately(self) -> int:
        """See to what has come to wait too long since the last look; how many recipients."""
        return await self._round(self._last)

    async def round(self) -> int:
        """See to all that has waited too long; how many recipients."""
        return await self._round(0)

    async def _round(self, since: int) -> int:
        """The same of those that were to be looked at then or later."""
        seen = 0
        after = (since, 0)
        begun = int(self.clock.now())
        while True:
            now = int(self.clock.now())
            rows = await self.database.read(partial(_look, now, after))
            for message, late in _by_message(rows):
                await self._see_to(message, late, now)
            seen += len(rows)
            if len(rows) < BATCH:
                self._last = begun
                return seen
            last = rows[-1][1]
            after = (last[8], last[0])

    async def _see_to(self, message: Message, late: Sequence[_Late], now: int) -> None:
        expired = [one for one in late if one.leased.expires <= now]
        delayed = [one for one in late if one.leased.expires > now]
        for event, some in ((Event.EXPIRED, expired), (Event.DELAYED, delayed)):
            if some:
                status = status_at_end(message.wishes, now) if event is Event.EXPIRED else EXPIRED
                happened = [
                    Happened(event=event, leased=one.leased, fate=_fate(one, status), last=one.last) for one in some
                ]
                happenings = self.reports.due(message, happened, Transaction(server=""))
                try:
                    await self.database.write(partial(self._write, event, message, some, happenings, now))
                except _Passed:
                    continue
                if happenings:
                    self.teller.wrote(message.id)

    def _write(
        self,
        event: Event,
        message: Message,
        late: Sequence[_Late],
        happenings: Sequence[Happening],
        now: int,
        cursor: Cursor,
    ) -> None:
        if not add_untold(cursor, message.id, happenings, now):
            raise _Passed
        for one in late:
            expired = event is Event.EXPIRED
            values = (one.leased.id, now) if expired else self._told(message, one.leased, now)
            if not cursor.run(_EXPIRE if expired else _WARN, values):
                raise _Passed
        if event is Event.EXPIRED:
            fewer(cursor, message.id, len(late), now)
        alike: dict[str, list[str]] = {}
        for one in late:
            alike.setdefault(one.said, []).append(str(one.leased.recipient.address))
        for said, to in alike.items():
            self.trace.record(cursor, message.acceptance, now, event.value, (), _to_json({"to": to, "said": said}))

    def _told(self, message: Message, leased: Leased, now: int) -> tuple[int, int, int, int]:
        """The values of `_WARN`."""
        wishes, accepted = message.wishes, message.accepted
        told = told_now(wishes, accepted, leased.warned, now)
        look = look_again(self.schedule, wishes, accepted=accepted, expires=leased.expires, told=told)
        return told, look, leased.id, leased.warned


def _look(now: int, after: tuple[int, int], cursor: Cursor) -> list[tuple[Message, Row]]:
    messages: dict[int, Message] = {}
    rows = cursor.all(_LOOK, (now, *after, BATCH))
    for row in rows:
        if row[1] not in messages:
            messages[row[1]] = read_message(cursor, row[1])
    return [(messages[row[1]], row) for row in rows]


def _by_message(rows: Sequence[tuple[Message, Row]]) -> list[tuple[Message, list[_Late]]]:
    found: dict[int, tuple[Message, list[_Late]]] = {}
    for message, (id_, queued_id, address, wishes, attempts, expires, warned, reply, _, *last) in rows:
        recipient = read_recipient(address, wishes)
        leased = Leased(id=id_, recipient=recipient, attempts=attempts, expires=expires, warned=warned)
        found.setdefault(queued_id, (message, []))[1].append(_Late(leased, reply or "", Attempt(*last)))
    return list(found.values())


def _fate(late: _Late, status: str) -> RecipientFate:
    """What was said last, as a fate."""
    said = _REPLY.fullmatch(late.said)
    if said is None:
        return RecipientFate(fate=Fate.DEFERRED, status=status, phase=Phase.NAME, reason=late.said)
    reply = Reply(code=int(said[1]), enhanced=said[2], lines=(said[3] or "",))
    return RecipientFate(fate=Fate.DEFERRED, status=status, phase=Phase.CONTENT, reply=reply)
