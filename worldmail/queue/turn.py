"""One turn: what waits for a customer goes to it over the connection that it opened (RFC 2645).

A turn leases what it hands over like any other connection does, batch by batch, so that it can break off at any
moment: what was not taken waits in its hold again, and what may have been taken is handed over once more.

One that *stays* (`XSTAY`, an extension of ours) is not over when nothing waits any more. It hears of new mail by the
change feed (`rows.NEWS`), which tells of this process's own in the moment of its commit, and hands it over. When
nothing was said for the agreed time it says NOOP; who does not answer that is gone. What its customer put off it offers
again as a schedule says, and as nothing depends on every notice coming through, it looks for itself now and then.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

from attrs import define, evolve, field
from twisted.internet.defer import Deferred

from worldmail.errors import Refusal
from worldmail.interfaces.database import Cursor, IDatabase
from worldmail.interfaces.directory import Account
from worldmail.interfaces.outbound import Fate, HopFailed, IConversation, IHandedOver, RecipientFate, Trouble
from worldmail.interfaces.world import IJournal
from worldmail.queue.carrier import Carriage
from worldmail.queue.destinations import Destination
from worldmail.queue.jobs import Job, Leased
from worldmail.queue.presence import Presence
from worldmail.queue.releasing import Held, count_waiting
from worldmail.queue.rows import NEWS, hold_waiting, return_leased, take_held
from worldmail.queue.runner import Runner
from worldmail.queue.settling import Arrival, Transaction
from worldmail.queue.shares import Shares, destinations_of
from worldmail.queue.waiting import Bell, any_of
from worldmail.wire.ready import Ready

BATCH = 50
"""Recipients that are leased at once."""

IN_FLIGHT = 64
"""Messages that may be on their way before the reply to the first of them came."""

OCTETS = 1 << 20
"""The same in octets, beyond the first message: who takes long to answer has few of them twice if the link breaks."""

LOOK = 300.0
"""Seconds between two looks of a turn that stays, at most."""

AGAIN = 5.0
"""Seconds until it looks again, where nothing may be begun now."""

AWAITS = 1.0
"""Seconds between two looks at least, while replies are awaited: nobody is asked then, however long it was silent."""

MORE = "Its customer may have more now"

NOT_ALLOWED = "Its customer may not have it any more"

SUPERSEDED = "Its customer began another turn"


@define(kw_only=True, eq=False)
class Turn:
    """One turn. Is a `carrier.Owner` of what it sends.

    Args:
        customer: who has it.
        shares: what it is about.
        stay: seconds of silence after which one that stays says something; 0 for one that does not stay.
        paired: its customer is a site of a pair.
        allowed: says whether its customer may still have it.
        has_more: says whether its customer, who asked for all, may have more by now.

    Attributes:
        messages: how many it handed over, or tried to.
    """

    database: IDatabase
    runner: Runner
    carriage: Carriage
    journal: IJournal
    conversation: IHandedOver
    session: str
    customer: Account
    shares: Shares
    stay: int
    paired: bool
    allowed: Callable[[], Awaitable[bool]]
    has_more: Callable[[Turn], bool]
    messages: int = field(default=0, init=False)
    _why: str | None = field(default=None, init=False)
    _sending: dict[Deferred[None], int] = field(factory=dict, init=False)
    _back: dict[Destination, list[Leased]] = field(factory=dict, init=False)
    _bell: Bell | None = field(default=None, init=False)
    _news: set[int] = field(factory=set, init=False)
    _put_off: bool = field(default=False, init=False)
    _putting_off: int = field(default=0, init=False)
    _is_ready: bool = field(default=False, init=False)
    _leaves: bool = field(default=False, init=False)
    _customer: Presence = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._customer = Presence(conversation=self.conversation, seconds=self.runner.clock.seconds, stay=self.stay)

    @property
    def idle(self) -> bool:
        """It only stays, and nothing is on its way; or its customer was silent for too long."""
        if not self._is_ready or (self._sending and self.paired):
            return self._customer.is_silent
        waits = self._customer.asking or (self._bell is not None and self._bell.awaited)
        return waits and not (self._sending or self._back)

    def tell(self, destination: int) -> None:
        """Something came for the destination of this id; 0: that may be so for any."""
        self._news.add(destination)
        if self._bell is not None:
            self._bell.ring()

    def doubt(self) -> None:
        """Its customer has begun another turn, perhaps at another server: is it there still?"""
        if self._sending and self.idle:
            self.give_way()
        self._customer.doubted = True
        if self._bell is not None:
            self._bell.ring()

    def give_way(self) -> None:
        """Its customer has another connection."""
        self._why, self._leaves = SUPERSEDED, bool(self._sending)
        self.conversation.abort()

    async def run(self) -> None:
        """All of it."""
        conversation = self.conversation
        try:
            await conversation.ready()
            self._is_ready = True
            self.runner.conversations[conversation] = None
            await self._hand_over_all()
            if self.stay:
                await self._stay()
        except HopFailed as failed:
            self._why = self._why or str(failed)
        except Refusal as refusal:  # the database has its own words for it
            self._why = self._why or refusal.reason or str(refusal)
        finally:
            self._bell = None
            await self._come_to_rest()
            self.runner.conversations.pop(conversation, None)
            await conversation.close()
            await self.runner.settler.written()  # else who comes back at once is told that nothing waits
            if self._leaves:  # to a turn that is under way, perhaps at another server
                await _is_written(self.database, lambda cursor: cursor.notice(NEWS, 0))
            self.journal.record(
                "turn",
                session=self.session,
                customer=str(self.customer.address),
                messages=self.messages,
                stayed=bool(self.stay) or None,
                reason=self._why,
            )

    # -- staying -----------------------------------------------------------------------------

    async def _stay(self) -> None:
        bell = self._bell = Bell(self.runner.later)
        _when(self.conversation.ended(), bell.ring)
        seconds = self.runner.clock.seconds
        look_at = seconds() + self._pause()
        self._customer.is_heard()
        while self.conversation.usable:
            await bell.wait(max(min(self._customer.look_at, look_at) - seconds(), AWAITS if self._sending else 0.0))
            if self._customer.doubted:
                await self._look_for_the_customer()
            if self._back and not self._sending:
                await self._give_back()
            if not await self.allowed():
                self._why = NOT_ALLOWED
                return
            if not self.going:  # news and all else wait until it is known what is ours
                look_at = seconds() + AGAIN
            elif seconds() >= look_at or 0 in self._news:
                self._news.clear()
                await self._look()
                if self.has_more(self):
                    self._why = MORE
                    return
                look_at = seconds() + self._pause()
            elif self._news:
                news, self._news = self._news, set()
                await self._hand_over_news(news)
            if not self._sending:
                await self._customer.beat()

    async def _look_for_the_customer(self) -> None:
        """Before anything is handed over to where nobody may be. Raises `HopFailed`."""
        if self._sending and self.idle:
            self.give_way()
        elif not self._sending:
            self._customer.doubted = False
            await self._customer.ask()

    def _pause(self) -> float:
        """Until the next look. Ends a count: what was put off since the last one is offered less and less often."""
        self._putting_off = self._putting_off + 1 if self._put_off else 0
        self._put_off = False
        return max(LOOK, self.runner.schedule.interval(self._putting_off)) if self._putting_off else LOOK

    # -- handing over ------------------------------------------------------------------------

    async def _destinations(self) -> list[Destination]:
        return destinations_of(self.runner.destinations, await self.shares.waiting())

    async def _hand_over_all(self) -> None:
        for destination in await self._destinations():
            await self.database.write(partial(hold_waiting, destination=destination.id))  # released, not tried yet
            await self._hand_over(destination)

    async def _look(self) -> None:
        now = int(self.runner.clock.now())
        for destination in await self._destinations():
            held = [Held(id=destination.id, domain=destination.domain)]
            if await self.database.scan(partial(count_waiting, held, now)):
                await self._hand_over(destination)

    async def _hand_over_news(self, news: set[int]) -> None:
        for destination in await self._destinations():
            if destination.id in news:
                await self._hand_over(destination, untried=True)

    async def _hand_over(self, destination: Destination, *, untried: bool = False) -> None:
        after = 0
        while self.conversation.usable and self.going:
            if not await self.allowed():
                self._why = NOT_ALLOWED
                return
            jobs = await self._lease(destination, after, untried)
            if not jobs:
                return
            after = max(leased.id for job in jobs for leased in job.recipients)  # none is tried twice in one go
            for job in jobs:
                while self._is_full(job):
                    await any_of(self._sending)
                if self.conversation.usable and self.going:
                    self._send(destination, job)
                else:
                    self.again(destination, job)

    async def _lease(self, destination: Destination, after: int, untried: bool) -> list[Job]:
        """Raises what the database refuses with."""
        runner = self.runner
        jobs: list[Job] = await self.database.write(
            partial(
                take_held,
                destination=destination.id,
                runner_id=runner.id,
                now=int(runner.clock.now()),
                after=after,
                most=BATCH,
                untried=untried,
            )
        )
        for job in jobs:
            runner.leases.count += len(job.recipients)
        return [job for job in jobs if runner.leases.came(destination, job)]

    def _is_full(self, job: Job) -> bool:
        sending = self._sending
        return len(sending) >= IN_FLIGHT or (bool(sending) and sum(sending.values()) + job.message.size > OCTETS)

    def _send(self, destination: Destination, job: Job) -> None:
        first, self.messages = not self.messages, self.messages + 1
        if not self._sending:
            self._customer.is_heard()
        sending = Deferred.fromCoroutine(
            self.carriage.hand_over(self, destination, self.conversation, job, first=first)
        )
        self._sending[sending] = job.message.size

        def sent(result: object) -> None:
            del self._sending[sending]
            self._customer.is_heard()
            if hasattr(result, "value"):
                self.journal.failure("queue.failed", result.value, session=self.session)
            if self._bell is not None and self._back and not self._sending:
                self._bell.ring()

        sending.addBoth(sent)

    async def _come_to_rest(self) -> None:
        """What is on its way comes to its end; what was not tried is held again."""
        while self._sending:
            await any_of(self._sending)
        await self._give_back()

    async def _give_back(self) -> None:
        back, self._back = self._back, {}
        for destination, leased in back.items():
            self._put_off = True
            ids, now = [one.id for one in leased], int(self.runner.clock.now())
            unit = partial(_give_back, destination=destination.id, ids=ids, runner_id=self.runner.id, now=now)
            while not await _is_written(self.database, unit):  # else nobody would have them until we are gone
                await self.runner.clock.sleep(1.0)
            self.runner.leases.let_go(leased)

    # -- carrier.Owner ---------------------------------------------------------------------

    @property
    def going(self) -> bool:
        """See `carrier.Owner`."""
        return self.runner.going

    def next_job(self, destination: Destination, patience: float) -> Awaitable[Job | None]:
        """See `carrier.Owner`."""
        return Ready(None)

    def settle(
        self, destination: Destination, job: Job, fates: Sequence[tuple[Leased, RecipientFate]], by: Transaction
    ) -> None:
        """See `carrier.Owner`. Who fetches has proved who it is by signing in, not by a certificate."""
        if any(fate.fate not in (Fate.DELIVERED, Fate.FAILED) for _, fate in fates):
            self._put_off = True
        self.runner.settle(destination, job, fates, evolve(by, verified=None))

    def settle_here(self, destination: Destination, job: Job, leased: Leased, arrival: Arrival) -> None:
        """See `carrier.Owner`."""
        self.runner.settle_here(destination, job, leased, arrival)

    def returned(self, job: Job) -> None:
        """See `carrier.Owner`."""
        self.runner.returned(job)

    def again(self, destination: Destination, job: Job) -> None:
        """See `carrier.Owner`: with the next turn."""
        self._back.setdefault(destination, []).extend(job.recipients)

    def broken(self, destination: Destination, job: Job) -> None:
        """See `carrier.Owner`."""
        self.runner.broken(destination, job)

    def reached(self, destination: Destination) -> None:
        """See `carrier.Owner`: what is fetched says nothing about what is sent."""

    def unreachable(self, destination: Destination, trouble: Trouble) -> None:
        """See `carrier.Owner`: the same."""

    def opened(self, destination: Destination, conversation: IConversation) -> None:
        """See `carrier.Owner`."""
        self.runner.opened(destination, conversation)

    def begins(self, conversation: IConversation, job: Job) -> bool:
        """See `carrier.Owner`."""
        return self.runner.begins(conversation, job)

    def closed(self, destination: Destination, conversation: IConversation) -> None:
        """See `carrier.Owner`."""
        self.runner.closed(destination, conversation)


async def _is_written(database: IDatabase, unit: Callable[..., None]) -> bool:
    try:
        await database.write(unit)
    except Refusal:
        return False
    return True


def _give_back(cursor: Cursor, *, destination: int, ids: Sequence[int], runner_id: int, now: int) -> None:
    return_leased(cursor, destination, ids, runner_id, now, held=True)


def _when(waited: Awaitable[Any], call: Callable[[], None]) -> None:
    """Call when that is done."""

    async def wait() -> None:
        await waited
        call()

    Deferred.fromCoroutine(wait())
