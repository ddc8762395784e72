"""What became of recipients, brought into the database: one unit of work for each transaction that was made.

In that unit recipients that are done with leave the queue, others wait again, the trace tells of all, and a report to
the sender is accepted: a crash leaves all of it or none of it, so that no report is lost or sent twice. A unit that
cannot be written now is written later: the leases last as long as the runner lives, so nobody else tries meanwhile.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from attrs import define, field, frozen
from twisted.internet.defer import Deferred, gatherResults

from worldmail.errors import OverQuota, RecipientGone, Refusal
from worldmail.interfaces.database import Cursor, IDatabase
from worldmail.interfaces.outbound import Fate, RecipientFate
from worldmail.interfaces.store import IAcceptancePart, ITrace
from worldmail.interfaces.world import IClock, IJournal
from worldmail.queue.destinations import Destination
from worldmail.queue.jobs import Job, Leased, Message
from worldmail.queue.reports import Happened, IReports
from worldmail.queue.rows import defer_recipient, end_recipients, may_be_due, take_wish
from worldmail.queue.schedule import Schedule
from worldmail.queue.states import Event
from worldmail.queue.tally import Tally
from worldmail.wire.flat_json import FlatJson

AGAIN = (0.2, 1.0, 5.0, 15.0)
"""Seconds after which a unit that could not be written is tried again; the last one for ever."""

UNDELIVERED = "4.4.7"  # RFC 3463 §3.5: delivery time expired

_to_json = FlatJson(ascii=False).render


@frozen(kw_only=True)
class Transaction:
    """One attempt, as it is settled: which server, and whether it took our DSN wishes over."""

    server: str
    dsn: bool = False
    tls: str | None = None


@frozen
class _Ended:
    """One recipient's end or deferral, as the unit writes it."""

    event: Event
    leased: Leased
    fate: RecipientFate
    due: int = 0
    look: int = 0


@define(kw_only=True, eq=False)
class Settler:
    """Settles what a runner did.

    Args:
        runner_id: gives the id of the runner whose leases these are.
        woken: told of a destination for which something waits again, and until when.
    """

    database: IDatabase
    trace: ITrace
    journal: IJournal
    clock: IClock
    schedule: Schedule
    reports: IReports
    tally: Tally
    _pending: set[Deferred[None]] = field(factory=set, init=False)

    def settle(
        self,
        runner_id: int,
        destination: Destination,
        job: Job,
        fates: Sequence[tuple[Leased, RecipientFate]],
        transaction: Transaction,
    ) -> Deferred[None]:
        """Begin to settle a transaction; fires when that is on disk."""
        made = Deferred.fromCoroutine(self._settle(runner_id, destination, job, fates, transaction))
        self._pending.add(made)

        def forget(result: Any) -> Any:
            self._pending.discard(made)
            return result

        made.addBoth(forget)
        return made

    async def settled(self) -> None:
        """Done when all that was begun is."""
        while self._pending:
            await gatherResults([_quietly(pending) for pending in self._pending])

    async def _settle(
        self,
        runner_id: int,
        destination: Destination,
        job: Job,
        fates: Sequence[tuple[Leased, RecipientFate]],
        transaction: Transaction,
    ) -> None:
        now = int(self.clock.now())
        ended = [self._ended(job.message, leased, fate, destination, now) for leased, fate in fates]
        happened = [Happened(event=one.event, leased=one.leased, fate=one.fate) for one in ended]
        part = await self.reports.part(job.message, happened, transaction)
        unit = partial(self._write, runner_id, destination, job.message, ended, transaction, now)
        await self._until_written(unit, part, job.message)
        self._tell(job.message, ended, transaction)

    def _ended(
        self, message: Message, leased: Leased, fate: RecipientFate, destination: Destination, now: int
    ) -> _Ended:
        if fate.fate is Fate.DELIVERED:
            return _Ended(Event.DELIVERED, leased, fate)
        if fate.fate is Fate.FAILED:
            return _Ended(Event.FAILED, leased, fate)
        if now >= leased.expires:
            return _Ended(Event.EXPIRED, leased, fate)
        due = max(now + self.schedule.interval(leased.attempts), destination.rest_until)
        due = min(due, leased.expires)
        look = self.schedule.look(message.accepted, leased.expires, warned=leased.warned)
        return _Ended(Event.DEFERRED, leased, fate, due, look)

    async def _until_written(self, unit: Any, part: IAcceptancePart | None, message: Message) -> None:
        """Write the unit with the report's part, whatever it takes."""
        tries = 0
        while True:
            try:
                result = await self.database.write(partial(_with_part, unit, part))
            except (OverQuota, RecipientGone) as refusal:
                # Nobody can be told; what happened is still true (RFC 5321 §6.1 forbids a report about the report).
                assert part is not None
                await part.dropped(refused=True)
                self.journal.record("report.lost", acceptance=message.acceptance, reason=refusal.reason)
                part = None
            except Refusal as refusal:
                self.journal.record("queue.unwritten", acceptance=message.acceptance, reason=refusal.reason)
                await self.clock.sleep(AGAIN[min(tries, len(AGAIN) - 1)])
                tries += 1
            else:
                if part is not None:
                    part.accepted(result)
                return

    def _write(
        self,
        runner_id: int,
        destination: Destination,
        message: Message,
        ended: Sequence[_Ended],
        transaction: Transaction,
        now: int,
        cursor: Cursor,
    ) -> None:
        dues = []
        gone = []
        for one in ended:
            if one.event is not Event.DEFERRED:
                gone.append(one.leased.id)
                continue
            said = _said(one.fate)
            leased = one.leased
            wish = take_wish(cursor, leased.id, runner_id)
            if wish == "remove":
                gone.append(leased.id)
            elif defer_recipient(cursor, leased.id, runner_id, one.due, one.look, said, leased.attempts, wish):
                dues.append(one.due)
        if gone:
            end_recipients(cursor, message, gone, runner_id, now)
        if dues:
            may_be_due(cursor, destination.id, min(dues))
        for detail_event, detail in _details(ended, transaction):
            self.trace.record(cursor, message.acceptance, now, detail_event, (), detail)

    def _tell(self, message: Message, ended: Sequence[_Ended], transaction: Transaction) -> None:
        """The log, one record for each recipient, and the figures."""
        for one in ended:
            reply = one.fate.reply
            self.tally.count("x" if reply is None else str(reply.code)[:1])
            self.journal.record(
                "delivery",
                acceptance=message.acceptance,
                result=one.event.value,
                to=str(one.leased.recipient.address),
                server=transaction.server,
                status=one.fate.status,
                said=_said(one.fate),
                phase=None if one.event is Event.DELIVERED else one.fate.phase.value,
                attempt=one.leased.attempts,
                next=one.due or None,
                tls=transaction.tls,
                seconds=round(self.clock.now() - message.accepted, 3),
            )


def _with_part(unit: Any, part: IAcceptancePart | None, cursor: Cursor) -> Any:
    unit(cursor)
    return None if part is None else part.write(cursor)


def _said(fate: RecipientFate) -> str:
    """What a row, the trace and the log say of it: the peer's words, or ours."""
    words = fate.reason if fate.reply is None else str(fate.reply)
    return f"{words} (no reply seen)" if fate.fate is Fate.UNKNOWN and fate.reply is None else words


def _details(ended: Sequence[_Ended], transaction: Transaction) -> list[tuple[str, str]]:
    """Records of the trace: recipients that fared alike share one."""
    alike: dict[tuple[Any, ...], list[_Ended]] = {}
    for one in ended:
        alike.setdefault((one.event, one.fate.status, _said(one.fate), one.due, one.leased.attempts), []).append(one)
    made = []
    for (event, status, said, due, attempts), group in alike.items():
        detail: dict[str, Any] = {
            "to": [str(one.leased.recipient.address) for one in group],
            "server": transaction.server,
            "status": status,
            "said": said,
            "attempt": attempts,
        }
        if event is not Event.DELIVERED:
            detail["phase"] = group[0].fate.phase.value
        if due:
            detail["next"] = due
        if transaction.tls is not None:
            detail["tls"] = transaction.tls
        made.append((event.value, _to_json(detail)))
    return made


def _quietly(pending: Deferred[None]) -> Deferred[None]:
    """Fires when the other does, whatever comes of it; that one keeps its result."""
    waiting: Deferred[None] = Deferred()

    def over(result: Any) -> Any:
        waiting.callback(None)
        return result

    pending.addBoth(over)
    return waiting
