"""What has waited too long: senders are told of a delay once, and of the end.

Nothing is leased for this. A unit takes the rows as they were read or gives up (`_Passed`): then they were tried, or
another runner was faster.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from attrs import define, frozen

from worldmail.errors import OverQuota, RecipientGone, Refusal, WorldMailError
from worldmail.interfaces.database import Cursor, IDatabase, Row
from worldmail.interfaces.outbound import Fate, Phase, RecipientFate, Reply
from worldmail.interfaces.store import IAcceptancePart, ITrace
from worldmail.interfaces.world import IClock, IJournal
from worldmail.queue.jobs import Leased, Message, read_recipient
from worldmail.queue.lateness import EXPIRED, look_again, status_at_end, told_now
from worldmail.queue.reports import Happened, IReports, Manner
from worldmail.queue.rows import fewer, read_message
from worldmail.queue.schedule import Schedule
from worldmail.queue.settling import Transaction
from worldmail.queue.states import Event, sources
from worldmail.wire.flat_json import FlatJson

BATCH = 100
"""Recipients that are looked at in one read."""

TROUBLES = 50
"""Messages of which no report can be made now, in one round: then what is in the way is in the way of all."""

_LOOK = (
    "SELECT id, queued_id, address, wishes, attempts, expires, warned, reply, look FROM recipient"
    " WHERE state = 0 AND look <= ? AND (look, id) > (?, ?)"
    " AND destination_id NOT IN (SELECT id FROM destination WHERE down_since IS NOT NULL) ORDER BY look, id LIMIT ?"
)
_WARN = f"UPDATE recipient SET warned = ?, look = ? WHERE id = ? AND warned = ? AND {sources(Event.DELAYED)}"
_EXPIRE = "DELETE FROM recipient WHERE id = ? AND expires <= ? AND state = 0"
_REPLY = re.compile(r"([2-5]\d\d)(?: ([245]\.\d{1,3}\.\d{1,3}))?(?: (.*))?", re.DOTALL)

_to_json = FlatJson(ascii=False).render


class _Passed(WorldMailError):
    """A row is not as it was read."""


class _Unreported(WorldMailError):
    """No report can be made now."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(str(refusal))
        self.refusal = refusal


@frozen
class _Late:
    """One recipient that has waited too long."""

    leased: Leased
    said: str


@define(kw_only=True)
class Overdue:
    """Looks after those who wait."""

    database: IDatabase
    trace: ITrace
    journal: IJournal
    clock: IClock
    schedule: Schedule
    reports: IReports

    async def round(self) -> int:
        """See to all that has waited too long; how many recipients.

        A message of which no report can be made now (its content cannot be read, say) stands in nobody's way.
        """
        seen = troubles = 0
        after = (0, 0)
        while True:
            now = int(self.clock.now())
            rows = await self.database.read(partial(_look, now, after))
            for message, late in _by_message(rows):
                try:
                    await self._see_to(message, late, now)
                except _Unreported as unreported:
                    self.journal.record("report.waits", acceptance=message.acceptance, reason=str(unreported))
                    troubles += 1
                    if troubles >= TROUBLES:
                        raise unreported.refusal from None
            seen += len(rows)
            if len(rows) < BATCH:
                return seen
            last = rows[-1][1]
            after = (last[8], last[0])

    async def _see_to(self, message: Message, late: Sequence[_Late], now: int) -> None:
        expired = [one for one in late if one.leased.expires <= now]
        delayed = [one for one in late if one.leased.expires > now]
        for event, some in ((Event.EXPIRED, expired), (Event.DELAYED, delayed)):
            if some:
                status = status_at_end(message.wishes, now) if event is Event.EXPIRED else EXPIRED
                happened = [Happened(event=event, leased=one.leased, fate=_fate(one, status)) for one in some]
                report_of = partial(self.reports.part, message, happened, Transaction(server=""))
                await self._written(partial(self._write, event, message, some, now), report_of)

    async def _written(
        self, unit: partial[None], report_of: Callable[[Manner], Awaitable[IAcceptancePart | None]]
    ) -> None:
        """Raises what is in the way now: the next round comes."""
        try:
            part = await report_of(Manner.NOW)
        except Refusal as refusal:
            raise _Unreported(refusal) from None
        try:
            try:
                result = await self.database.write(partial(_with_part, unit, part))
            except (OverQuota, RecipientGone):
                assert part is not None
                await part.dropped(refused=True)
                part = None
                part = await report_of(Manner.BY_QUEUE)
                result = await self.database.write(partial(_with_part, unit, part))
        except BaseException as error:
            passed = isinstance(error, _Passed)
            if part is not None:
                await part.dropped(refused=passed)
            if not passed:
                raise
        else:
            if part is not None:
                part.accepted(result)

    def _write(self, event: Event, message: Message, late: Sequence[_Late], now: int, cursor: Cursor) -> None:
        for one in late:
            expired = event is Event.EXPIRED
            values = (one.leased.id, now) if expired else self._told(message, one.leased, now)
            if not cursor.run(_EXPIRE if expired else _WARN, values):
                raise _Passed
        if event is Event.EXPIRED:
            fewer(cursor, message.id, len(late), now)
        detail = {"to": [str(one.leased.recipient.address) for one in late], "said": late[0].said}
        self.trace.record(cursor, message.acceptance, now, event.value, (), _to_json(detail))

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
    for message, (id_, queued_id, address, wishes, attempts, expires, warned, reply, _) in rows:
        recipient = read_recipient(address, wishes)
        leased = Leased(id=id_, recipient=recipient, attempts=attempts, expires=expires, warned=warned)
        found.setdefault(queued_id, (message, []))[1].append(_Late(leased, reply or ""))
    return list(found.values())


def _fate(late: _Late, status: str) -> RecipientFate:
    """What was said last, as a fate."""
    said = _REPLY.fullmatch(late.said)
    if said is None:
        return RecipientFate(fate=Fate.DEFERRED, status=status, phase=Phase.NAME, reason=late.said)
    reply = Reply(code=int(said[1]), enhanced=said[2], lines=(said[3] or "",))
    return RecipientFate(fate=Fate.DEFERRED, status=status, phase=Phase.CONTENT, reply=reply)


def _with_part(unit: partial[None], part: IAcceptancePart | None, cursor: Cursor) -> object:
    unit(cursor)
    return None if part is None else part.write(cursor)
