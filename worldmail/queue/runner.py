"""The runner: gives what is leased to carriers, and answers for what they have in their hands.

A runner is a row and a lock of its id (`registration`). What it leases is its own as long as it holds the lock; when
the process dies, the lock is free, and the next runner that sees this lets the leased recipients wait again. So a lease
costs no writes while it lasts, and needs no clock. A runner that loses its lock begins anew under another id; what it
leased under the old one it settles only as far as nobody else has taken it.

What is leased comes from two sides: new mail is leased by the unit that accepts it (`parcels`), if its destination has
nothing older waiting, and what is due is taken from the database (`looking`). A destination leases only some recipients
ahead of its connections (`destinations.READY`), so a dead one holds little, and memory does not grow with the queue.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from attrs import Factory, define, field
from twisted.internet.defer import Deferred

from worldmail.errors import Refusal
from worldmail.interfaces.database import IDatabase
from worldmail.interfaces.outbound import Fate, IConversation, Phase, RecipientFate, Trouble
from worldmail.interfaces.queue import Via
from worldmail.interfaces.world import IClock, IJournal
from worldmail.queue.carrier import Carriage
from worldmail.queue.destinations import READY, Destination, Destinations
from worldmail.queue.jobs import Job, Leased
from worldmail.queue.places import Idle, Places
from worldmail.queue.rows import end_rest, rest_destination, return_leased
from worldmail.queue.schedule import Schedule
from worldmail.queue.settling import Arrival, Settler, Transaction

LEASED = 5000
"""Recipients that one runner has in its hands at most."""

INLINE = 64 << 20
"""Octets of content that are kept in memory for what is leased; beyond them it is read when it is sent."""

INTERNAL = "An internal fault"

LAST = 5.0
"""Seconds beyond the grace until the server stops, whatever cannot be written: the next runner takes over then."""


@define(kw_only=True, eq=False)
class Runner:
    """Sends. Is a `parcels.Taker` and a `carrier.Owner`.

    Args:
        most: connections in all.
        later: calls back after so many seconds; gives what cancels it.

    Attributes:
        id: of its row; 0 while it has none.
        going: more may be begun.
        conversations: connections that are open.
        held: ids of recipients that are leased to it and that it knows of.
        holds: says whether its lock is its own still.
        look: called when something is due at a moment, or there is room for more.
    """

    database: IDatabase
    clock: IClock
    journal: IJournal
    destinations: Destinations
    schedule: Schedule
    settler: Settler
    carriage: Carriage
    most: int
    later: Callable[..., Any]
    id: int = field(default=0, init=False)
    going: bool = field(default=False, init=False)
    leased: int = field(default=0, init=False)
    held: set[int] = field(factory=set, init=False)
    short: bool = field(default=False, init=False)
    holds: Callable[[], bool] = field(default=lambda: True, init=False)
    look: Callable[[int], None] = field(default=lambda due: None, init=False)
    _inline: int = field(default=0, init=False)
    _places: Places = field(default=Factory(lambda self: Places(most=self.most), takes_self=True), init=False)
    _ended: deque[Destination] = field(factory=deque, init=False)
    _idle: Idle = field(default=Factory(lambda self: Idle(later=self.later), takes_self=True), init=False)
    _carriers: set[Deferred[None]] = field(factory=set, init=False)
    conversations: set[IConversation] = field(factory=set, init=False)

    # -- what is leased ----------------------------------------------------------------

    def room(self, destination: Destination) -> int:
        """How many more recipients may be leased for this destination."""
        if (
            not (self.going and self.holds())
            or destination.route.via is Via.HOLD
            or self.destinations.rests(destination, self.clock.now())
        ):
            return 0
        if self.leased >= LEASED or not (destination.took or destination.carriers or self._places.may_try()):
            self.short = True
            return 0
        return max(0, min(destination.room, LEASED - self.leased))

    def reserve(self, destination: Destination, recipients: int) -> int | None:
        """See `parcels.Taker`."""
        if destination.more or not self.room(destination):
            return None
        self._count(destination, recipients)
        return self.id

    def give_up(self, destination: Destination, reserved: int) -> None:
        """See `parcels.Taker`."""
        self._count(destination, -reserved)

    def woken(self, destination: Destination, due: int) -> None:
        """See `parcels.Taker`."""
        self.look(due)

    def offer(self, destination: Destination, job: Job, reserved: int) -> None:
        """See `parcels.Taker`."""
        destination.waiting -= reserved
        self._put(destination, job)
        self._serve(destination)

    def take(self, destination: Destination, jobs: Sequence[Job]) -> None:
        """Jobs that were leased in the database: one connection tells of all whether the destination can be reached."""
        for job in jobs:
            self.leased += len(job.recipients)
            self._put(destination, job)
        self._serve(destination)

    def _put(self, destination: Destination, job: Job) -> None:
        if job.runner_id != self.id:  # our lock was lost meanwhile: whoever has it now has these
            self.leased -= len(job.recipients)
            return
        self.held.update([leased.id for leased in job.recipients])
        if job.content is not None and job.content.inline is not None:
            if self._inline + job.content.size > INLINE:
                job.content = None
            else:
                job.held = job.content.size
                self._inline += job.held
        if not self._idle.give(destination, job):
            destination.push(job)

    def _count(self, destination: Destination, recipients: int) -> None:
        self.leased += recipients
        destination.waiting += recipients

    # -- carriers ----------------------------------------------------------------------

    def _serve(self, destination: Destination) -> None:
        """Another connection, if it takes one."""
        while self.going and destination.wants_carrier():
            leave = self._places.take(destination)
            if leave is None:
                return
            self._begin(destination, leave)

    def _begin(self, destination: Destination, leave: Callable[[], None]) -> None:
        destination.carriers += 1
        carrier = Deferred.fromCoroutine(self.carriage.run(self, destination))
        self._carriers.add(carrier)

        def over(result: Any) -> None:
            self._carriers.discard(carrier)
            destination.carriers -= 1
            leave()
            if hasattr(result, "value"):
                self._broken(destination, result)
            self._free(destination)

        carrier.addBoth(over)

    def _free(self, destination: Destination) -> None:
        """A connection is over: whoever waits may have one. Not one within the other: a thousand may fail at once."""
        self._ended.append(destination)
        if len(self._ended) > 1:
            return
        while self._ended:
            self._serve(self._ended[0])
            self._ended.popleft()
            if not self._ended and (waiting := self._places.next()) is not None:
                self._ended.append(waiting)
        self._not_short()

    def _not_short(self) -> None:
        """If something could not be leased for want of room, look again."""
        if self.short and self.leased < LEASED // 2 and self._places.may_try():
            self.short = False
            self.look(0)

    def _broken(self, destination: Destination, failure: Any) -> None:
        """A fault of ours: nothing is lost, and nothing is tried again at once."""
        self.journal.failure("queue.failed", failure.value, destination=destination.key)
        trouble = Trouble(fate=Fate.DEFERRED, status="4.3.0", phase=Phase.NAME, server="", reason=INTERNAL)
        self.unreachable(destination, trouble)

    async def next_job(self, destination: Destination, patience: float) -> Job | None:
        """See `carrier.Owner`."""
        if not self.going:
            return None
        job = destination.pop()
        if destination.more and destination.waiting < READY // 2:
            self.look(0)
        if job is not None or not patience:
            return job
        return await self._idle.wait(destination, patience)

    def opened(self, destination: Destination, conversation: IConversation) -> None:
        """See `carrier.Owner`."""
        self.conversations.add(conversation)

    def closed(self, destination: Destination, conversation: IConversation) -> None:
        """See `carrier.Owner`."""
        self.conversations.discard(conversation)

    def again(self, destination: Destination, job: Job) -> None:
        """See `carrier.Owner`."""
        destination.push(job)
        self._serve(destination)

    def broken(self, destination: Destination, job: Job) -> None:
        """See `carrier.Owner`."""
        fate = RecipientFate(fate=Fate.UNKNOWN, status="4.3.0", phase=Phase.CONTENT, reason=INTERNAL)
        self.settle(destination, job, [(leased, fate) for leased in job.recipients], Transaction(server=""))

    # -- what became of it ---------------------------------------------------------------

    def settle(
        self, destination: Destination, job: Job, fates: Sequence[tuple[Leased, RecipientFate]], by: Transaction
    ) -> None:
        """See `carrier.Owner`."""
        if fates:
            ids = job.take_out(leased for leased, _ in fates)
            settled = self.settler.settle(job.runner_id, destination, job, fates, by)
            settled.addBoth(partial(self._settled, job, ids))

    def settle_here(self, destination: Destination, job: Job, leased: Leased, arrival: Arrival) -> None:
        """See `carrier.Owner`."""
        ids = job.take_out((leased,))
        settled = self.settler.settle_here(job.runner_id, destination, job, leased, arrival)
        settled.addBoth(partial(self._settled, job, ids))

    def _settled(self, job: Job, ids: set[int], result: Any) -> None:
        self.leased -= len(ids)
        self._inline -= job.held
        job.held = 0
        if hasattr(result, "value"):  # they stay with us as they are: nothing may be done twice
            self.journal.failure("queue.failed", result.value, acceptance=job.message.acceptance)
        else:
            self.held -= ids
        self._not_short()

    def reached(self, destination: Destination) -> None:
        """See `carrier.Owner`."""
        if destination.failures:
            self._write(partial(end_rest, destination=destination.id))
        destination.succeeded()
        self._serve(destination)

    def unreachable(self, destination: Destination, trouble: Trouble) -> None:
        """See `carrier.Owner`. Unless another connection works, it rests, and so does what was ready for it."""
        destination.failed()
        if destination.carriers > 1 and trouble.fate is not Fate.FAILED and not destination.failures:
            return
        if trouble.fate is not Fate.FAILED:
            destination.failures += 1
            rest = self.schedule.interval(destination.failures)
            destination.rest_until = max(destination.rest_until, int(self.clock.now()) + rest)
            self._write(
                partial(
                    rest_destination,
                    destination=destination.id,
                    until=destination.rest_until,
                    failures=destination.failures,
                    reply=trouble.reason if trouble.reply is None else str(trouble.reply),
                )
            )
        fate = _fate_of(trouble)
        for job in destination.drain():
            self.settle(
                destination, job, [(leased, fate) for leased in job.recipients], Transaction(server=trouble.server)
            )

    def _write(self, unit: Callable[..., Any]) -> None:
        """What is only of use, and may be missed."""
        Deferred.fromCoroutine(_written(self.database, unit))

    # -- beginning and end -----------------------------------------------------------------

    def begin(self, id: int) -> None:
        """Take and send from now on, as the runner of this id."""
        self.id = id
        self.going = True
        for destination in self.destinations:  # what was accepted while nothing was to be begun
            self._serve(destination)
        self.look(0)

    async def end(self, grace: float) -> bool:
        """Begin nothing more, let what is under way end within the grace, and give back what is leased.

        False if something is leased still: its acceptance is not on disk yet, or nothing could be written.
        """
        self.going = False
        self._idle.dismiss()
        self.carriage.pace.dismiss()
        resting = Deferred.fromCoroutine(self._come_to_rest())
        late: Deferred[None] = Deferred()
        timers = [self.later(grace, self.abort), self.later(grace + LAST, late.callback, None)]
        await _any_of([resting, late])
        for timer in timers:
            if timer.active():
                timer.cancel()
        for destination in self.destinations:
            ids = [leased.id for job in destination.drain() for leased in job.recipients]
            if ids:
                now = int(self.clock.now())
                await self.database.write(
                    partial(return_leased, destination=destination.id, ids=ids, runner_id=self.id, now=now)
                )
                self.leased -= len(ids)
        return not self.leased

    async def _come_to_rest(self) -> None:
        """Done when no carrier has anything in its hands; who still looks for a server is not waited for."""
        await self.settler.settled()
        while self._carriers and self.leased > sum(destination.waiting for destination in self.destinations):
            await _any_of(self._carriers)
            await self.settler.settled()

    def abort(self) -> None:
        """Drop every connection: what was under way ends as it must, and what waits for its turn goes back."""
        self.carriage.pace.dismiss()
        for conversation in list(self.conversations):
            conversation.abort()

    def forget(self) -> None:
        """The leases are not ours any more: another lets them wait again."""
        self.going = False
        self.abort()
        for destination in self.destinations:
            for job in destination.drain():
                self.leased -= len(job.recipients)
                self._inline -= job.held
        self.held.clear()


def _fate_of(trouble: Trouble) -> RecipientFate:
    return RecipientFate(
        fate=trouble.fate, status=trouble.status, phase=trouble.phase, reply=trouble.reply, reason=trouble.reason
    )


async def _written(database: IDatabase, unit: Callable[..., Any]) -> None:
    with suppress(Refusal):
        await database.write(unit)


async def _any_of(some: Iterable[Deferred[None]]) -> None:
    """Done when one of them is; they keep their results."""
    waiting: Deferred[None] = Deferred()

    def over(result: Any) -> Any:
        if not waiting.called:
            waiting.callback(None)
        return result

    for one in list(some):
        one.addBoth(over)
    await waiting
