"""The runner: gives what is leased to carriers, and answers for what they have in their hands.

A runner is a row and a lock of its id (`registration`). What it leases is its own as long as it holds the lock; when
the process dies, the lock is free, and the next runner that sees this lets the leased recipients wait again. So a lease
costs no writes while it lasts, and needs no clock.

While nobody knows whose the lock is (a database server that is gone), nothing is begun; what was begun goes on to its
end, and is settled when that can be written. If the lock comes back, so does the runner. If another took it for dead,
it begins anew under another id, and keeps (`keep`) what nobody else has taken meanwhile; the rest it lets go.

What is leased comes from two sides: new mail is leased by the unit that accepts it (`parcels`), if its destination has
nothing older waiting, and what is due is taken from the database (`looking`). A destination leases only some recipients
ahead of its connections (`destinations.READY`), so a dead one holds little, and memory does not grow with the queue.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from attrs import Factory, define, evolve, field
from twisted.internet.defer import Deferred

from worldmail.errors import Refusal
from worldmail.interfaces.database import IDatabase
from worldmail.interfaces.outbound import Fate, IConversation, Phase, RecipientFate, Trouble
from worldmail.interfaces.queue import Via
from worldmail.interfaces.world import IClock, IJournal
from worldmail.queue.carrier import Carriage
from worldmail.queue.destinations import READY, Destination, Destinations
from worldmail.queue.jobs import Job, Leased
from worldmail.queue.leases import Leases
from worldmail.queue.places import Idle, Places
from worldmail.queue.rows import end_rest, hold_waiting, rest_destination, return_leased
from worldmail.queue.schedule import Schedule
from worldmail.queue.settling import Arrival, Settler, Transaction
from worldmail.queue.waiting import any_of, rested

LEASED = 5000
"""Recipients that one runner has in its hands at most."""

INTERNAL = "An internal fault"


@define(kw_only=True, eq=False)
class Runner:
    """Sends. Is a `parcels.Taker` and a `carrier.Owner`.

    Args:
        most: connections in all.
        later: calls back after so many seconds; gives what cancels it.

    Attributes:
        leases: what is leased to it.
        begun: it was begun, and has not ended.
        carriers: what is under way, and waited for when all comes to rest.
        conversations: connections that are open, with what is being sent, or was sent last.
        holds: says whether its lock is its own still, for certain.
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
    leases: Leases = field(factory=Leases, init=False)
    begun: bool = field(default=False, init=False)
    short: bool = field(default=False, init=False)
    holds: Callable[[], bool] = field(default=lambda: True, init=False)
    look: Callable[[int], None] = field(default=lambda due: None, init=False)
    places: Places = field(default=Factory(lambda self: Places(most=self.most), takes_self=True), init=False)
    _ended: deque[Destination] = field(factory=deque, init=False)
    _idle: Idle = field(default=Factory(lambda self: Idle(later=self.later), takes_self=True), init=False)
    carriers: set[Deferred[None]] = field(factory=set, init=False)
    conversations: dict[IConversation, Job | None] = field(factory=dict, init=False)

    @property
    def id(self) -> int:
        """Of its row; 0 while it has none."""
        return self.leases.runner_id

    @property
    def going(self) -> bool:
        """May more be begun?"""
        return self.begun and self.holds()

    # -- what is leased ----------------------------------------------------------------

    def room(self, destination: Destination) -> int:
        """How many more recipients may be leased for this destination."""
        if (
            not self.going
            or destination.route.via is Via.HOLD
            or self.destinations.rests(destination, self.clock.now())
            or not (destination.route.via is Via.LOCAL or self.carriage.meter.ours(destination.route.name))
        ):
            return 0
        if self.leases.count >= LEASED or not (destination.took or destination.carriers or self.places.may_try()):
            self.short = True
            return 0
        return max(0, min(destination.room, LEASED - self.leases.count))

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
            self.leases.count += len(job.recipients)
            self._put(destination, job)
        self._serve(destination)

    def _put(self, destination: Destination, job: Job) -> None:
        if self.leases.came(destination, job) and not self._idle.give(destination, job):
            destination.push(job)

    def _count(self, destination: Destination, recipients: int) -> None:
        self.leases.count += recipients
        destination.waiting += recipients

    # -- carriers ----------------------------------------------------------------------

    def _serve(self, destination: Destination) -> None:
        """Another connection, if it takes one."""
        while self.going and destination.wants_carrier():
            leave = self.places.take(destination)
            if leave is None:
                return
            self._begin(destination, leave)

    def _begin(self, destination: Destination, leave: Callable[[], None]) -> None:
        destination.carriers += 1
        carrier = Deferred.fromCoroutine(self.carriage.run(self, destination))
        self.carriers.add(carrier)

        def over(result: Any) -> None:
            self.carriers.discard(carrier)
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
            if not self._ended and (waiting := self.places.next()) is not None:
                self._ended.append(waiting)
        self._not_short()

    def _not_short(self) -> None:
        """If something could not be leased for want of room, look again."""
        if self.short and self.leases.count < LEASED // 2 and self.places.may_try():
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
        self.conversations[conversation] = None

    def begins(self, conversation: IConversation, job: Job) -> bool:
        """See `carrier.Owner`."""
        if not (self.going and self.leases.are_ours(job)):
            return False
        self.conversations[conversation] = job
        return True

    def closed(self, destination: Destination, conversation: IConversation) -> None:
        """See `carrier.Owner`."""
        self.conversations.pop(conversation, None)

    def returned(self, job: Job) -> None:
        """See `carrier.Owner`."""
        some = list(job.recipients)
        job.take_out(some)
        self._settled(job, some, None)

    def again(self, destination: Destination, job: Job) -> None:
        """See `carrier.Owner`."""
        self._push(destination, job)
        self._serve(destination)

    def _push(self, destination: Destination, job: Job) -> None:
        """Ready again, as far as it is ours still."""
        if self.leases.only_ours(job):
            destination.push(job)

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
            some = [leased for leased, _ in fates]
            job.take_out(some)
            settled = self.settler.settle(destination, job, fates, by)
            settled.addBoth(partial(self._settled, job, some))

    def settle_here(self, destination: Destination, job: Job, leased: Leased, arrival: Arrival) -> None:
        """See `carrier.Owner`."""
        job.take_out((leased,))
        settled = self.settler.settle_here(destination, job, leased, arrival)
        settled.addBoth(partial(self._settled, job, (leased,)))

    def _settled(self, job: Job, some: Sequence[Leased], result: Any) -> None:
        failed = hasattr(result, "value")
        if failed:
            self.journal.failure("queue.failed", result.value, acceptance=job.message.acceptance)
        self.leases.settled(job, some, failed=failed)
        self._not_short()

    def reached(self, destination: Destination) -> None:
        """See `carrier.Owner`."""
        if destination.failures:
            _write_if_possible(self.database, partial(end_rest, destination=destination.id))
        destination.succeeded()
        self._serve(destination)

    def unreachable(self, destination: Destination, trouble: Trouble) -> None:
        """See `carrier.Owner`. Unless another connection works, it rests, and so does what was ready for it."""
        destination.failed()
        trouble = _trouble_of(destination, trouble)
        if destination.carriers > 1 and trouble.fate is not Fate.FAILED and not destination.failures:
            return
        if trouble.fate is not Fate.FAILED:
            destination.failures += 1
            rest = self.schedule.interval(destination.failures)
            destination.rest_until = max(destination.rest_until, int(self.clock.now()) + rest)
            _write_if_possible(self.database, _rest_of(destination, trouble))
        if destination.route.hold is not None:  # nothing more is tried until it is released again
            _write_if_possible(self.database, partial(hold_waiting, destination=destination.id))
        fate = _fate_of(trouble)
        for job in destination.drain():
            self.settle(
                destination, job, [(leased, fate) for leased in job.recipients], Transaction(server=trouble.server)
            )

    # -- beginning and end -----------------------------------------------------------------

    def begin(self, id: int) -> None:
        """Take and send from now on, as the runner of this id."""
        self.leases.runner_id = id
        self.begun = True
        for destination in self.destinations:  # what was accepted while nothing was to be begun
            self._serve(destination)
        self.look(0)

    async def end(self, grace: float) -> bool:
        """Begin nothing more, let what is under way end within the grace, and give back what is leased.

        False if something is leased still: its acceptance is not on disk yet, or nothing could be written.
        """
        self.cease()
        self._idle.dismiss()
        await rested(self.later, self._come_to_rest(), grace, self.abort)
        for destination in self.destinations:
            ids = [leased.id for job in destination.drain() for leased in job.recipients]
            if ids:
                now = int(self.clock.now())
                await self.database.write(
                    partial(return_leased, destination=destination.id, ids=ids, runner_id=self.id, now=now)
                )
                self.leases.count -= len(ids)
        return not self.leases.count

    async def _come_to_rest(self) -> None:
        """Done when no carrier has anything in its hands; who still looks for a server is not waited for."""
        await self.settler.settled()
        while self.carriers and self.leases.count > sum(destination.waiting for destination in self.destinations):
            await any_of(self.carriers)
            await self.settler.settled()

    def abort(self) -> None:
        """Drop every connection: what was under way ends as it must, and what waits for its turn goes back."""
        self.carriage.pace.dismiss()
        for conversation in list(self.conversations):
            conversation.abort()

    def cease(self) -> None:
        """Nothing more is begun. What is under way goes on, but for what waits for its turn."""
        self.begun = False
        self.carriage.pace.dismiss()

    def keep(self, id: int, ours: Collection[int]) -> None:
        """These are leased to us under this id now; all else that we had in hand another has, or will have."""
        self.leases.keep(id, ours)
        for destination in self.destinations:
            for job in destination.drain():
                self._push(destination, job)
        for conversation, sent in list(self.conversations.items()):
            if sent is not None and sent.recipients and not any(leased.runner_id == id for leased in sent.recipients):
                conversation.abort()


def _trouble_of(destination: Destination, trouble: Trouble) -> Trouble:
    """What waits in a hold is not lost for what a server says at its door: its address may be another's by now."""
    if destination.route.hold is None:
        return trouble
    return evolve(trouble, fate=Fate.DEFERRED, status=f"4{trouble.status[1:]}")


def _fate_of(trouble: Trouble) -> RecipientFate:
    return RecipientFate(
        fate=trouble.fate, status=trouble.status, phase=trouble.phase, reply=trouble.reply, reason=trouble.reason
    )


def _rest_of(destination: Destination, trouble: Trouble) -> Callable[..., None]:
    """The unit that tells others what was found there."""
    return partial(
        rest_destination,
        destination=destination.id,
        until=destination.rest_until,
        failures=destination.failures,
        reply=trouble.reason if trouble.reply is None else str(trouble.reply),
    )


def _write_if_possible(database: IDatabase, unit: Callable[..., Any]) -> None:
    """What is only of use, and may be missed."""
    Deferred.fromCoroutine(_written(database, unit))


async def _written(database: IDatabase, unit: Callable[..., Any]) -> None:
    with suppress(Refusal):
        await database.write(unit)
