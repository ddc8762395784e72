"""The runner: gives what is leased to carriers, and answers for what they have in their hands.

A runner is a row and a lock of its id (`registration`). What it leases is its own as long as it holds the lock; when
the process dies, the lock is free, and the next runner that sees this lets the leased recipients wait again. So a lease
costs no writes while it lasts, and needs no clock.

What is leased comes from two sides: new mail is leased by the unit that accepts it (`parcels`), if its destination has
nothing older waiting, and what is due is taken from the database (`looking`). A destination leases only some recipients
ahead of its connections (`destinations.READY`), so a dead one holds little, and memory does not grow with the queue.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred

from worldmail.errors import Refusal
from worldmail.interfaces.database import IDatabase
from worldmail.interfaces.outbound import Fate, IConversation, Phase, RecipientFate, Trouble
from worldmail.interfaces.queue import Via
from worldmail.interfaces.world import IClock, IJournal
from worldmail.queue.carrier import Carriage
from worldmail.queue.destinations import READY, Destination, Destinations
from worldmail.queue.jobs import Job, Leased
from worldmail.queue.rows import end_rest, rest_destination, return_leased
from worldmail.queue.schedule import Schedule
from worldmail.queue.settling import Arrival, Settler, Transaction

LEASED = 5000
"""Recipients that one runner has in its hands at most."""

INLINE = 64 << 20
"""Octets of content that are kept in memory for what is leased; beyond them it is read when it is sent."""

UNPROVEN = 0.5
"""The part of all connections for destinations where nothing was taken yet: dead ones must not take them all."""


@define(kw_only=True, eq=False)
class Runner:
    """Sends. Is a `parcels.Taker` and a `carrier.Owner`.

    Args:
        most: connections in all.
        later: calls back after so many seconds; gives what cancels it.

    Attributes:
        id: of its row; 0 while it has none.
        going: more may be begun.
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
    look: Callable[[int], None] = field(default=lambda due: None, init=False)
    _inline: int = field(default=0, init=False)
    _open: int = field(default=0, init=False)
    _unproven: int = field(default=0, init=False)
    _stalled: dict[str, Destination] = field(factory=dict, init=False)
    _waiters: dict[str, deque[Deferred[Job | None]]] = field(factory=dict, init=False)
    _carriers: set[Deferred[None]] = field(factory=set, init=False)
    _conversations: set[IConversation] = field(factory=set, init=False)

    # -- what is leased ----------------------------------------------------------------

    def room(self, destination: Destination) -> int:
        """How many more recipients may be leased for this destination."""
        if not self.going or destination.route.via is Via.HOLD or destination.rest_until > self.clock.now():
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
        """See `parcels.Taker`; what was taken from the database comes the same way."""
        destination.waiting -= reserved
        if job.content is not None and job.content.inline is not None:
            if self._inline + job.content.size > INLINE:
                job.content = None
            else:
                job.held = job.content.size
                self._inline += job.held
        waiters = self._waiters.get(destination.key)
        if waiters:
            waiters.popleft().callback(job)
            return
        destination.push(job)
        self._serve(destination)

    def _count(self, destination: Destination, recipients: int) -> None:
        self.leased += recipients
        destination.waiting += recipients

    # -- carriers ----------------------------------------------------------------------

    def _serve(self, destination: Destination) -> None:
        """Another connection, if it takes one."""
        while self.going and destination.wants_carrier():
            if self._open >= self.most or (not destination.took and self._unproven >= self.most * UNPROVEN):
                self._stalled[destination.key] = destination
                return
            self._begin(destination)

    def _begin(self, destination: Destination) -> None:
        destination.carriers += 1
        self._open += 1
        unproven = not destination.took
        self._unproven += unproven
        carrier = Deferred.fromCoroutine(self.carriage.run(self, destination))
        self._carriers.add(carrier)

        def over(result: Any) -> None:
            self._carriers.discard(carrier)
            destination.carriers -= 1
            self._open -= 1
            self._unproven -= unproven
            if isinstance(result, BaseException) or hasattr(result, "value"):
                self._broken(destination, result)
            self._free(destination)

        carrier.addBoth(over)

    def _free(self, destination: Destination) -> None:
        """A connection is over: whoever waits may have one."""
        self._serve(destination)
        for key in list(self._stalled):
            if self._open >= self.most:
                return
            self._serve(self._stalled.pop(key))

    def _broken(self, destination: Destination, failure: Any) -> None:
        """A fault of ours: nothing is lost, and nothing is tried again at once."""
        self.journal.failure("queue.failed", failure.value, destination=destination.key)
        reason = "An internal fault"
        trouble = Trouble(fate=Fate.DEFERRED, status="4.3.0", phase=Phase.NAME, server="", reason=reason)
        self.unreachable(destination, trouble)

    async def next_job(self, destination: Destination, patience: float) -> Job | None:
        """See `carrier.Owner`."""
        job = destination.pop()
        if destination.more and destination.waiting < READY // 2:
            self.look(0)
        if job is not None or not patience or not self.going:
            return job
        waiters = self._waiters.setdefault(destination.key, deque())
        waiting: Deferred[Job | None] = Deferred()
        waiters.append(waiting)

        def too_long() -> None:
            waiters.remove(waiting)
            if not waiters:
                self._waiters.pop(destination.key, None)
            waiting.callback(None)

        timer = self.later(patience, too_long)
        job = await waiting
        if timer.active():
            timer.cancel()
        return job

    def opened(self, destination: Destination, conversation: IConversation) -> None:
        """See `carrier.Owner`."""
        self._conversations.add(conversation)

    def closed(self, destination: Destination, conversation: IConversation) -> None:
        """See `carrier.Owner`."""
        self._conversations.discard(conversation)

    def again(self, destination: Destination, job: Job) -> None:
        """See `carrier.Owner`."""
        destination.push(job)
        self._serve(destination)

    # -- what became of it ---------------------------------------------------------------

    def settle(
        self, destination: Destination, job: Job, fates: Sequence[tuple[Leased, RecipientFate]], by: Transaction
    ) -> None:
        """See `carrier.Owner`."""
        settled = self.settler.settle(self.id, destination, job, fates, by)
        settled.addBoth(partial(self._settled, job, len(fates)))

    def settle_here(self, destination: Destination, job: Job, leased: Leased, arrival: Arrival) -> None:
        """See `carrier.Owner`."""
        settled = self.settler.settle_here(self.id, destination, job, leased, arrival)
        settled.addBoth(partial(self._settled, job, 1))

    def _settled(self, job: Job, recipients: int, result: Any) -> None:
        self.leased -= recipients
        self._inline -= job.held
        job.held = 0
        if hasattr(result, "value"):
            self.journal.failure("queue.failed", result.value, acceptance=job.message.acceptance)

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
                    reply=trouble.reason or str(trouble.reply),
                )
            )
        fate = RecipientFate(
            fate=trouble.fate,
            status=trouble.status,
            phase=trouble.phase,
            reply=trouble.reply,
            reason=trouble.reason,
        )
        for job in destination.drain():
            self.settle(
                destination, job, [(leased, fate) for leased in job.recipients], Transaction(server=trouble.server)
            )

    def _write(self, unit: Callable[..., Any]) -> None:
        """What is only of use, and may be missed."""

        def failed(failure: Any) -> None:
            failure.trap(Refusal)

        async def write() -> None:
            await self.database.write(unit)

        Deferred.fromCoroutine(write()).addErrback(failed)

    # -- beginning and end -----------------------------------------------------------------

    def begin(self, id: int) -> None:
        """Take and send from now on, as the runner of this id."""
        self.id = id
        self.going = True
        self.look(0)

    async def end(self, grace: float) -> bool:
        """Begin nothing more, let what is under way end within the grace, and give back what is leased.

        False if something is leased still: its acceptance is not on disk yet, or nothing could be written.
        """
        self.going = False
        for waiters in list(self._waiters.values()):
            for waiting in list(waiters):
                waiters.remove(waiting)
                waiting.callback(None)
        self._waiters.clear()
        timer = self.later(grace, self.abort)
        while self._carriers:
            await _over(next(iter(self._carriers)))
        if timer.active():
            timer.cancel()
        await self.settler.settled()
        for destination in self.destinations:
            ids = [leased.id for job in destination.drain() for leased in job.recipients]
            if ids:
                now = int(self.clock.now())
                await self.database.write(
                    partial(return_leased, destination=destination.id, ids=ids, runner_id=self.id, now=now)
                )
                self.leased -= len(ids)
        return not self.leased

    def abort(self) -> None:
        """Drop every connection: what was under way ends as it must."""
        for conversation in list(self._conversations):
            conversation.abort()

    def forget(self) -> None:
        """The leases are not ours any more: another lets them wait again."""
        self.going = False
        self.abort()
        for destination in self.destinations:
            for job in destination.drain():
                self.leased -= len(job.recipients)


async def _over(carrier: Deferred[None]) -> None:
    """Done when it is."""
    waiting: Deferred[None] = Deferred()

    def over(result: Any) -> Any:
        waiting.callback(None)
        return result

    carrier.addBoth(over)
    await waiting
