"""What became of recipients, brought into the database: one unit of work for each transaction that was made.

In that unit recipients that are done with leave the queue, others wait again, the trace tells of all, and what is to be
reported to the sender is written down (`untold`): a crash leaves all of it or none of it, so that no report is lost or
sent twice. A unit that cannot be written now is written later: the leases last as long as the runner lives, so nobody
else tries meanwhile.
One that finds a lease gone writes nothing of that recipient: another runner answers for it, or an earlier try of the
same unit came about though nobody could tell.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any

from attrs import define, evolve, field, frozen
from twisted.internet.defer import Deferred, gatherResults

from worldmail.errors import OverQuota, RecipientGone, Refusal, WorldMailError
from worldmail.interfaces.database import Cursor, IDatabase
from worldmail.interfaces.outbound import Fate, RecipientFate
from worldmail.interfaces.queue import Standing
from worldmail.interfaces.store import IAcceptancePart, ITrace
from worldmail.interfaces.world import IClock, IJournal
from worldmail.mail.dsn.values import Happening
from worldmail.queue.destinations import Destination
from worldmail.queue.here import fate_of
from worldmail.queue.jobs import Attempt, Job, Leased, Message
from worldmail.queue.lateness import look_again, status_at_end
from worldmail.queue.parts import write_with
from worldmail.queue.removal import REMOVALS, REPORTED, WISHED, tell_of_removal
from worldmail.queue.reports import Happened, IReports, attempt_of
from worldmail.queue.rows import FOREVER, defer_recipient, end_recipients, may_be_due, take_wish
from worldmail.queue.schedule import Schedule, schedule_of
from worldmail.queue.states import Event
from worldmail.queue.tally import Tally
from worldmail.queue.telling import Teller
from worldmail.queue.untold import add_untold
from worldmail.wire.flat_json import FlatJson

AGAIN = (0.2, 1.0, 5.0, 15.0)
"""Seconds after which a unit that could not be written is tried again; the last one for ever."""

DOUBT = 0.5
"""Seconds until one is looked at again that is not leased to us as we know it, while nobody knows whose the lock is."""

_to_json = FlatJson(ascii=False).render


@frozen(kw_only=True)
class Transaction:
    """One attempt, as it is settled: which server, whether it took our DSN wishes over, and those of DELIVERBY.

    `verified`: of its TLS, that the certificate was; None where the peer is a client, whom nobody asks for one.
    """

    server: str
    dsn: bool = False
    tls: str | None = None
    verified: bool | None = False
    deliver_by: bool = False


@frozen(kw_only=True)
class Arrival:
    """A delivery into mailboxes of ours: what it is to the sender, and the part of the unit that does it."""

    event: Event
    fate: RecipientFate
    part: IAcceptancePart


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
class _Writing:
    """One unit that is to be written, whatever it takes."""

    database: IDatabase
    clock: IClock
    journal: IJournal
    acceptance: str
    tries: int = field(default=0, init=False)

    async def write(self, unit: Callable[[Cursor], Any]) -> Any:
        """Try until it is. Raises what the unit itself gives up with."""
        while True:
            try:
                return await self.database.write(unit)
            except (OverQuota, RecipientGone):
                raise
            except Refusal as refusal:
                self.journal.record("queue.unwritten", acceptance=self.acceptance, reason=refusal.reason)
                await self.clock.sleep(AGAIN[min(self.tries, len(AGAIN) - 1)])
                self.tries += 1

    def refused(self, error: BaseException) -> bool:
        """Did the unit give up by itself? An earlier try of it may have come about though nobody could tell."""
        return isinstance(error, (_NotOurs, OverQuota, RecipientGone)) and not self.tries


@define(kw_only=True, eq=False)
class Settler:
    """Settles what a runner did.

    Args:
        teller: told of messages of which something is to be reported.

    Attributes:
        certain: says whether what is leased to the runner is what it knows of: not while its lock is in doubt.
    """

    database: IDatabase
    trace: ITrace
    journal: IJournal
    clock: IClock
    schedule: Schedule
    reports: IReports
    teller: Teller
    tally: Tally
    certain: Callable[[], bool] = field(default=lambda: True, init=False)
    _pending: set[Deferred[None]] = field(factory=set, init=False)

    def settle(
        self,
        destination: Destination,
        job: Job,
        fates: Sequence[tuple[Leased, RecipientFate]],
        transaction: Transaction,
    ) -> Deferred[None]:
        """Begin to settle a transaction; fires when that is on disk."""
        return self._begin(self._settle(destination, job, fates, transaction))

    def settle_here(self, destination: Destination, job: Job, leased: Leased, arrival: Arrival) -> Deferred[None]:
        """Begin to settle a delivery into mailboxes of ours, a part of the same unit; fires when that is on disk."""
        return self._begin(self._settle_here(destination, job, leased, arrival))

    def _begin(self, settling: Coroutine[Any, Any, None]) -> Deferred[None]:
        made = Deferred.fromCoroutine(settling)
        self._pending.add(made)

        def forget(result: Any) -> Any:
            self._pending.discard(made)
            return result

        made.addBoth(forget)
        return made

    async def written(self) -> None:
        """Done when all is that was begun until now."""
        if self._pending:
            await gatherResults([_quietly(pending) for pending in self._pending])

    async def settled(self) -> None:
        """Done when all that was begun is."""
        while self._pending:
            await gatherResults([_quietly(pending) for pending in self._pending])
        await self.teller.settled()

    async def _settle(
        self,
        destination: Destination,
        job: Job,
        fates: Sequence[tuple[Leased, RecipientFate]],
        transaction: Transaction,
    ) -> None:
        now = int(self.clock.now())
        intervals: dict[int, int] = {}  # one chance for all: what failed together goes together again
        ended = [self._ended(job.message, leased, fate, destination, now, intervals) for leased, fate in fates]
        try:
            while not await self._written(destination, job.message, ended, transaction, now):
                await self.clock.sleep(DOUBT)
        except _NotOurs as lost:
            self.journal.record("queue.lost", acceptance=job.message.acceptance, recipients=len(lost.ids))
            ours = [(leased, fate) for leased, fate in fates if leased.id not in lost.ids]
            if ours:
                await self._settle(destination, job, ours, transaction)
        else:
            self._tell(destination, job.message, ended, transaction)

    async def _written(
        self, destination: Destination, message: Message, ended: Sequence[_Ended], transaction: Transaction, now: int
    ) -> bool:
        """False while nobody knows whose these are. Raises `_NotOurs`."""
        try:
            await self._write_all(destination, message, ended, transaction, now)
        except _NotOurs:
            if self.certain():
                raise
            return False
        return True

    async def _settle_here(self, destination: Destination, job: Job, leased: Leased, arrival: Arrival) -> None:
        transaction = Transaction(server="")
        ended = [_Ended(arrival.event, leased, arrival.fate)]
        now = int(self.clock.now())
        try:
            await self._write_all(destination, job.message, ended, transaction, now, arrival.part)
        except (OverQuota, RecipientGone) as refusal:
            await self._settle(destination, job, [(leased, fate_of(refusal))], transaction)
        except _NotOurs:
            self.journal.record("queue.lost", acceptance=job.message.acceptance, recipients=1)
        else:
            self._tell(destination, job.message, ended, transaction)

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
        due = now if destination.route.hold is not None else min(due, leased.expires)
        look = look_again(
            schedule_of(self.schedule, destination.route),
            message.wishes,
            accepted=message.accepted,
            expires=leased.expires,
            told=leased.warned,
        )
        return _Ended(Event.DEFERRED, leased, fate, due, look)

    async def _write_all(
        self,
        destination: Destination,
        message: Message,
        ended: Sequence[_Ended],
        transaction: Transaction,
        now: int,
        arrival: IAcceptancePart | None = None,
    ) -> None:
        """Write it, whatever it takes. Raises `_NotOurs`; `OverQuota` and `RecipientGone` of the arrival."""
        happened = [Happened(event=one.event, leased=one.leased, fate=one.fate) for one in ended]
        happenings = self.reports.due(message, happened, transaction)
        unit = partial(self._write, destination, message, ended, happenings, transaction, now)
        writing = _Writing(
            database=self.database, clock=self.clock, journal=self.journal, acceptance=message.acceptance
        )
        await write_with(writing.write, unit, arrival, refused=writing.refused)
        if happenings:
            self.teller.wrote(message.id)
        else:
            self.teller.moved(message.id)

    def _write(
        self,
        destination: Destination,
        message: Message,
        ended: Sequence[_Ended],
        happenings: Sequence[Happening],
        transaction: Transaction,
        now: int,
        cursor: Cursor,
    ) -> None:
        if not add_untold(cursor, message.id, happenings, now):
            raise _NotOurs(frozenset(one.leased.id for one in ended))
        dues: list[int] = []
        gone: list[Leased] = []
        lost: set[int] = set()
        asked: dict[str, list[Leased]] = {}
        for one in ended:
            wish = take_wish(cursor, one.leased.id, one.leased.runner_id) if one.event is Event.DEFERRED else None
            if wish is not None:
                asked.setdefault(wish, []).append(one.leased)
            if one.event is not Event.DEFERRED or wish in REMOVALS:
                gone.append(one.leased)
            elif _defer(
                cursor, one, wish, attempt_of(one.fate, transaction, now), waits=destination.route.hold is None
            ):
                dues.append(one.due)
            else:
                lost.add(one.leased.id)
        tell_of_removal(cursor, self.reports, message, asked.get(REPORTED, ()), Transaction(server=""), now)
        lost.update({leased.id for leased in gone} - end_recipients(cursor, message, gone, now))
        if lost:
            raise _NotOurs(frozenset(lost))
        if dues and destination.route.hold is None:
            may_be_due(cursor, destination.id, min(dues))
        for detail_event, detail in _details(ended, transaction):
            self.trace.record(cursor, message.acceptance, now, detail_event, (), detail)
        for wish, some in asked.items():
            event = Event.REMOVED if wish in REMOVALS else Event.HELD
            detail = _to_json({"to": [str(leased.recipient.address) for leased in some], "said": WISHED})
            self.trace.record(cursor, message.acceptance, now, event.value, (), detail)

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
                verified=None if transaction.tls is None else transaction.verified,
                seconds=round(self.clock.now() - message.accepted, 3),
            )


def _defer(cursor: Cursor, one: _Ended, wish: str | None, attempt: Attempt, *, waits: bool) -> bool:
    """`waits`: it is tried again by itself; else it is held until it is released again."""
    standing, look = (Standing.WAITING if waits else Standing.HELD), one.look
    if wish == "hold":
        standing, look = Standing.HELD, FOREVER
    return defer_recipient(cursor, one.leased, standing, one.due, look, _said(one.fate), attempt)


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
            if transaction.verified is not None:
                detail["verified"] = transaction.verified
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
