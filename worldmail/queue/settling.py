"""What became of recipients, brought into the database: one unit of work for each transaction that was made.

In that unit recipients that are done with leave the queue, others wait again, the trace tells of all, and a report to
the sender is accepted: a crash leaves all of it or none of it, so that no report is lost or sent twice. A unit that
cannot be written now is written later: the leases last as long as the runner lives, so nobody else tries meanwhile.
One that finds a lease gone writes nothing of that recipient: another runner answers for it, or an earlier try of the
same unit came about though nobody could tell.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from functools import partial
from typing import Any

from attrs import define, evolve, field, frozen
from twisted.internet.defer import Deferred, gatherResults

from worldmail.errors import OverQuota, RecipientGone, Refusal, WorldMailError
from worldmail.interfaces.database import Cursor, IDatabase
from worldmail.interfaces.outbound import Fate, RecipientFate
from worldmail.interfaces.store import IAcceptancePart, ITrace
from worldmail.interfaces.world import IClock, IJournal
from worldmail.queue.destinations import Destination
from worldmail.queue.here import fate_of
from worldmail.queue.jobs import Job, Leased, Message
from worldmail.queue.lateness import look_again, status_at_end
from worldmail.queue.reports import Happened, IReports, Manner
from worldmail.queue.rows import defer_recipient, end_recipients, may_be_due, take_wish
from worldmail.queue.schedule import Schedule
from worldmail.queue.states import Event
from worldmail.queue.tally import Tally
from worldmail.wire.flat_json import FlatJson

AGAIN = (0.2, 1.0, 5.0, 15.0)
"""Seconds after which a unit that could not be written is tried again; the last one for ever."""

_to_json = FlatJson(ascii=False).render


@frozen(kw_only=True)
class Transaction:
    """One attempt, as it is settled: which server, whether it took our DSN wishes over, and those of DELIVERBY."""

    server: str
    dsn: bool = False
    tls: str | None = None
    deliver_by: bool = False


@frozen(kw_only=True)
class Arrival:
    """A delivery into mailboxes of ours: what it is to the sender, and the part of the unit that does it."""

    event: Event
    fate: RecipientFate
    part: IAcceptancePart


class _NotTaken(WorldMailError):
    """A mailbox of ours does not take it now."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(str(refusal))
        self.refusal = refusal


class _NotOurs(WorldMailError):
    """Some recipients are not leased to this runner."""

    def __init__(self, ids: frozenset[int]) -> None:
        super().__init__(f"{len(ids)} recipients are not leased any more")
        self.ids = ids


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
        return self._begin(self._settle(runner_id, destination, job, fates, transaction))

    def settle_here(
        self, runner_id: int, destination: Destination, job: Job, leased: Leased, arrival: Arrival
    ) -> Deferred[None]:
        """Begin to settle a delivery into mailboxes of ours, a part of the same unit; fires when that is on disk."""
        return self._begin(self._settle_here(runner_id, destination, job, leased, arrival))

    def _begin(self, settling: Coroutine[Any, Any, None]) -> Deferred[None]:
        made = Deferred.fromCoroutine(settling)
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
        intervals: dict[int, int] = {}  # one chance for all: what failed together goes together again
        ended = [self._ended(job.message, leased, fate, destination, now, intervals) for leased, fate in fates]
        unit = partial(self._write, runner_id, destination, job.message, ended, transaction, now)
        try:
            await self._until_written(unit, job.message, partial(self._report, job.message, ended, transaction))
        except _NotOurs as lost:
            self.journal.record("queue.lost", acceptance=job.message.acceptance, recipients=len(lost.ids))
            ours = [(leased, fate) for leased, fate in fates if leased.id not in lost.ids]
            if ours:
                await self._settle(runner_id, destination, job, ours, transaction)
        else:
            self._tell(destination, job.message, ended, transaction)

    async def _settle_here(
        self, runner_id: int, destination: Destination, job: Job, leased: Leased, arrival: Arrival
    ) -> None:
        transaction = Transaction(server="")
        ended = [_Ended(arrival.event, leased, arrival.fate)]
        unit = partial(self._write, runner_id, destination, job.message, ended, transaction, int(self.clock.now()))
        try:
            report_of = partial(self._report, job.message, ended, transaction)
            await self._until_written(unit, job.message, report_of, arrival.part)
        except _NotTaken as failed:
            fate = fate_of(failed.refusal)
            await self._settle(runner_id, destination, job, [(leased, fate)], transaction)
        except _NotOurs:
            self.journal.record("queue.lost", acceptance=job.message.acceptance, recipients=1)
        else:
            self._tell(destination, job.message, ended, transaction)

    async def _report(
        self, message: Message, ended: Sequence[_Ended], transaction: Transaction, manner: Manner = Manner.PATIENT
    ) -> IAcceptancePart | None:
        happened = [Happened(event=one.event, leased=one.leased, fate=one.fate) for one in ended]
        part: IAcceptancePart | None = await self.reports.part(message, happened, transaction, manner)
        return part

    def _ended(
        self,
        message: Message,
        leased: Leased,
        fate: RecipientFate,
        destination: Destination,
        now: int,
        intervals: dict[int, int],
    ) -> _Ended:
        if fate.fate is Fate.DELIVERED:
            return _Ended(Event.DELIVERED, leased, fate)
        if fate.fate is Fate.FAILED:
            return _Ended(Event.FAILED, leased, fate)
        if now >= leased.expires:
            return _Ended(Event.EXPIRED, leased, evolve(fate, status=status_at_end(message.wishes, now)))
        interval = intervals.setdefault(leased.attempts, self.schedule.interval(leased.attempts))
        due = max(now + interval, destination.rest_until)
        due = min(due, leased.expires)
        look = look_again(
            self.schedule, message.wishes, accepted=message.accepted, expires=leased.expires, told=leased.warned
        )
        return _Ended(Event.DEFERRED, leased, fate, due, look)

    async def _until_written(
        self,
        unit: Any,
        message: Message,
        report_of: Callable[..., Awaitable[IAcceptancePart | None]],
        arrival: IAcceptancePart | None = None,
    ) -> None:
        """Write the unit with these parts, whatever it takes. Raises `_NotOurs`; `_NotTaken` of the arrival."""
        tries = 0
        report: IAcceptancePart | None = None
        try:
            report = await report_of()
            while True:
                try:
                    results = await self.database.write(partial(_with_parts, unit, arrival, report))
                    break
                except (OverQuota, RecipientGone):  # of who is told, who will have the report when there is room
                    assert report is not None
                    await report.dropped(refused=not tries)
                    report = None
                    report = await report_of(Manner.BY_QUEUE)
                except Refusal as refusal:
                    self.journal.record("queue.unwritten", acceptance=message.acceptance, reason=refusal.reason)
                    await self.clock.sleep(AGAIN[min(tries, len(AGAIN) - 1)])
                    tries += 1
        except BaseException as error:
            refused = isinstance(error, (_NotTaken, _NotOurs)) and not tries
            for part in (arrival, report):
                if part is not None:
                    await part.dropped(refused=refused)
            raise
        for part, result in zip((arrival, report), results, strict=True):
            if part is not None:
                part.accepted(result)

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
        dues: list[int] = []
        gone: list[int] = []
        lost: set[int] = set()
        asked: dict[Event, list[str]] = {}
        for one in ended:
            wish = take_wish(cursor, one.leased.id, runner_id) if one.event is Event.DEFERRED else None
            if wish is not None:
                event = Event.HELD if wish == "hold" else Event.REMOVED
                asked.setdefault(event, []).append(str(one.leased.recipient.address))
            if one.event is not Event.DEFERRED or wish == "remove":
                gone.append(one.leased.id)
            elif _defer(cursor, runner_id, one, wish):
                dues.append(one.due)
            else:
                lost.add(one.leased.id)
        lost.update(set(gone) - end_recipients(cursor, message, gone, runner_id, now))
        if lost:
            raise _NotOurs(frozenset(lost))
        if dues:
            may_be_due(cursor, destination.id, min(dues))
        for detail_event, detail in _details(ended, transaction):
            self.trace.record(cursor, message.acceptance, now, detail_event, (), detail)
        for event, addresses in asked.items():
            said = "by an administrator, while it was tried"
            self.trace.record(
                cursor, message.acceptance, now, event.value, (), _to_json({"to": addresses, "said": said})
            )

    def _tell(
        self, destination: Destination, message: Message, ended: Sequence[_Ended], transaction: Transaction
    ) -> None:
        """The log, one record for each recipient, and the figures."""
        for one in ended:
            reply = one.fate.reply
            self.tally.count("x" if reply is None else str(reply.code)[:1], destination.key)
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


def _with_parts(unit: Any, arrival: IAcceptancePart | None, report: IAcceptancePart | None, cursor: Cursor) -> Any:
    """The arrival comes first: it refers to content that the unit may remove with its last recipient."""
    came = told = None
    if arrival is not None:
        try:
            came = arrival.write(cursor)
        except (OverQuota, RecipientGone) as refusal:
            raise _NotTaken(refusal) from None
    unit(cursor)
    if report is not None:
        told = report.write(cursor)
    return came, told


def _defer(cursor: Cursor, runner_id: int, one: _Ended, wish: str | None) -> bool:
    leased = one.leased
    return defer_recipient(cursor, leased.id, runner_id, one.due, one.look, _said(one.fate), leased.attempts, wish)


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
