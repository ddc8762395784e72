"""One link as a server looks after it: what it does in each state of `link_states`, and when it goes to another."""

from __future__ import annotations

from typing import Any

from attrs import define, evolve, field
from twisted.internet.defer import CancelledError, Deferred

from worldmail.interfaces.ondemand import LinkKind
from worldmail.interfaces.resting import Waiting
from worldmail.ondemand.link_commands import MERCY, Done, perform
from worldmail.ondemand.link_fetching import Fetching, Surroundings
from worldmail.ondemand.link_keys import Command, Knock, Link
from worldmail.ondemand.link_meter import Budget, day_of
from worldmail.ondemand.link_states import Event, Hours, Phase, Reasons, after, hours_of, is_wanted, rest_after

AGAIN = 1.0
"""Seconds between two probes while it comes up."""

DOUBT = 5.0
"""Seconds from a probe in vain to the next; it is taken for lost after `MISSES` of them."""

MISSES = 2

FIRST = 300.0
"""Seconds for which mail goes before the agents run beside it."""

GRACE = 30.0
"""Seconds that what is under way has before it goes down."""

LAST = 10.0
"""Seconds that its command has to take it down when the server stops."""

PATIENCE = 60.0
"""Seconds for which the wish of an agent to go over it is remembered."""

NOTHING = Waiting(due=False, under_way=0)


@define(kw_only=True, eq=False)
class Life:
    """One link.

    Attributes:
        since: when it came into its state, epoch seconds.
        words: what was said or went wrong last, `ok` whether it went well.
        failures: tries to bring it up that failed, one after another; `rest_until`: it is not tried before.
        held: an administrator took it down; called: see `link_states.Reasons`; hasty: it goes down at once
            then; asked: by an administrator, who is told if it fails, and not by its timetable.
        rounds: how often it was up; runs: how often all was done for which it was called.
        waiters: who waits for it to come up.

    How long anything takes is measured by a clock that nobody sets.
    """

    link: Link
    on: Surroundings
    budget: Budget
    phase: Phase = field(default=Phase.DOWN, init=False)
    since: int = field(init=False)
    words: str = field(default="", init=False)
    ok: bool = field(default=True, init=False)
    failures: int = field(default=0, init=False)
    tried: int = field(default=0, init=False)
    rest_until: float = field(default=0.0, init=False)
    held: bool = field(default=False, init=False)
    called: bool = field(default=False, init=False)
    hasty: bool = field(default=False, init=False)
    asked: bool = field(default=False, init=False)
    rounds: int = field(default=0, init=False)
    runs: int = field(default=0, init=False)
    waiters: list[Deferred[bool]] = field(factory=list, init=False)
    next_call: int | None = field(default=None, init=False)
    action: Deferred[None] | None = field(default=None, init=False)
    _fetching: Fetching = field(init=False)
    _wanted_until: float = field(default=0.0, init=False)
    _quiet_since: float = field(default=0.0, init=False)
    _probe_at: float = field(default=0.0, init=False)
    _misses: int = field(default=0, init=False)
    _rose: float = field(default=0.0, init=False)
    _cut: bool = field(default=False, init=False)
    _hours: Hours | None = field(default=None, init=False)
    _minute: float = field(default=0.0, init=False)

    def __attrs_post_init__(self) -> None:
        now = self.on.clock.now()
        self._fetching = Fetching(link=self.link.name, on=self.on)
        self.since = int(now)
        self.next_call = hours_of(self.link.kind, self.link.when, now).next

    @property
    def plain(self) -> bool:
        """It is always up, as far as anybody can tell."""
        link = self.link
        return link.kind is LinkKind.ALWAYS and link.up is None and link.probe is None

    # -- what others want ------------------------------------------------------------------

    def follow(self, link: Link) -> None:
        """An administrator changed its keys: they hold from now on."""
        self.link = link
        self._hours = None
        self.budget.most = link.most
        self.rest_until = 0.0
        self.next_call = hours_of(link.kind, link.when, self.on.clock.now()).next

    def call(self, *, hasty: bool) -> None:
        """It is to come up, whatever its timetable says, until there is nothing left to do."""
        self.held, self.rest_until = False, 0.0
        self._call(hasty=hasty, asked=True)
        self._quiet_since = self.on.clock.seconds()

    def _call(self, *, hasty: bool, asked: bool) -> None:
        """If it is up already, the agents run once more."""
        self.called, self.hasty, self.asked = True, hasty, asked
        if self.phase is Phase.UP and (hasty or not asked):
            self._fetching.wish()

    def hold(self) -> None:
        """It is to go down, and stay down; who is bringing it up ends."""
        self.held, self.called = True, False
        if self.phase is Phase.RISING:
            self.cut()

    def cut(self) -> None:
        """What it does it does no more."""
        if self.action is not None:
            self._cut = True
            self.action.cancel()

    def want(self) -> Deferred[bool]:
        """An agent wants to go over it; fires with whether it can."""
        self._wanted_until = self.on.clock.seconds() + PATIENCE
        waiter: Deferred[bool] = Deferred()
        self.waiters.append(waiter)
        return waiter

    @property
    def curious(self) -> bool:
        """Does it depend on what there is to do?"""
        return self.link.kind is not LinkKind.ALWAYS or self.called or self._fetching.due

    async def waiting(self) -> Waiting:
        """What the queue has to do over it."""
        if not self.curious:
            return NOTHING
        metered = self.link.kind is LinkKind.METERED and self.link.most
        most = self.budget.left(day_of(self.on.clock.now())) if metered else None
        return await self.on.resting.waiting(self.link.routes, most)

    def clear(self) -> None:
        """It was up when a server stopped without a word: whatever is left of that is taken down."""
        self.phase = Phase.FALLING
        self._begin(self._clear("the server before did not stop in order"))

    # -- looking ---------------------------------------------------------------------------

    def look(self, waiting: Waiting) -> None:
        """See what is to be done now, and begin it."""
        hours, now = self._look_at_the_clock(), self.on.clock.seconds()
        to_send = waiting.due or waiting.under_way > 0
        work = to_send or self._is_busy(now)
        if work:
            self._quiet_since = now
        if self._fetching.due and self.action is None and (not to_send or now - self._rose >= FIRST):
            self._fetching.begin()
        idle = 0.0 if self.hasty else self.link.idle
        quiet = now - self._quiet_since
        if self.called and self.phase is Phase.UP and not work and quiet >= idle and not self._fetching.begun:
            self.called, self.hasty, self.runs = False, False, self.runs + 1
        if self.action is not None:
            return
        if self.phase in (Phase.RISING, Phase.FALLING):  # it was cut, or a fault came in the way
            self._begin(self._clear(""))
            return
        why = Reasons(hours=hours, held=self.held, called=self.called, work=work, quiet=quiet, idle=idle)
        wanted = is_wanted(self.link.kind, self.phase, why)
        if self.phase is Phase.DOWN and wanted and now >= self.rest_until:
            self._begin(self._raise())
        elif self.phase is Phase.UP and not wanted:
            self._begin(self._lower(Event.UNWANTED, ""))
        elif self.phase is Phase.UP and self.link.probe is not None and now >= self._probe_at:
            self._begin(self._look_at_it(self.link.probe))
        if self.phase is Phase.DOWN and self.action is None:
            self._tell_waiters(False)

    def _look_at_the_clock(self) -> Hours:
        """What the timetable says now; it calls if its moment has come."""
        now = self.on.clock.now()
        hours = self._hours_at(now)
        if self.next_call is not None and now >= self.next_call:
            self._call(hasty=False, asked=False)
        self.next_call = hours.next
        return hours

    def _hours_at(self, now: float) -> Hours:
        """What the timetable says, which is read once a minute: it may be a long one."""
        known = self._hours
        if known is None or self._minute != now // 60 or (known.next is not None and now >= known.next):
            self._hours = known = hours_of(self.link.kind, self.link.when, now)
            self._minute = now // 60
        return known

    def _is_busy(self, now: float) -> bool:
        fetching = self._fetching.due or self._fetching.goes_on()
        return fetching or bool(self.waiters) or (self.phase is not Phase.UP and now < self._wanted_until)

    def _tell_waiters(self, up: bool) -> None:
        waiters, self.waiters = self.waiters, []
        self._wanted_until = 0.0
        for waiter in waiters:
            if not waiter.called:
                waiter.callback(up)

    def _begin(self, work: Any) -> None:
        action = Deferred.fromCoroutine(work)
        if not action.called:
            self.action = action
        action.addBoth(self._over)

    def _over(self, result: Any) -> None:
        self.action = None
        if hasattr(result, "value") and not result.check(CancelledError):
            self.on.journal.failure("link.fault", result.value, link=self.link.name)
        self.on.nudge()

    def _go(self, event: Event) -> None:
        to = after(self.phase, event)
        assert to is not None, (self.phase, event)
        self.phase, self.since = to, int(self.on.clock.now())

    def _said(self, done: Done, otherwise: str = "") -> None:
        self.ok, self.words = done.ok, done.words or otherwise

    async def _perform(self, what: Command | Knock, within: float | None = None) -> Done:
        seconds = self.link.patience if within is None else min(within, self.link.patience)
        return await perform(self.on.reactor, what, self.link.name, seconds)

    # -- what it does ----------------------------------------------------------------------

    async def _raise(self) -> None:
        self._go(Event.WANTED)
        done = Done(ok=True)
        if self.link.up is not None:
            done = await self._perform(self.link.up)
            done = done if done.ok else evolve(done, words=f"up: {done.words}")
        if done.ok and self.link.probe is not None:
            done = await self._first_probe(self.link.probe)
        if not done.ok:
            await self._failed(done)
            return
        self._go(Event.RAISED)
        self._said(done)
        now = self.on.clock.seconds()
        self.failures, self.rounds = 0, self.rounds + 1
        self._rose, self._quiet_since, self._probe_at, self._misses = now, now, now + self.link.interval, 0
        self.on.journal.record("link.up", link=self.link.name, said=done.words or None)
        self._fetching.wish()
        await self.on.publish()
        self._tell_waiters(True)

    async def _first_probe(self, probe: Command | Knock) -> Done:
        """Without a command of ours that brings it up it is there or not."""
        end = self.on.clock.seconds() + self.link.patience
        done = await self._perform(probe)
        while not done.ok and self.link.up is not None and self.on.clock.seconds() < end:
            await self.on.clock.sleep(AGAIN)
            done = await self._perform(probe)
        return done if done.ok else evolve(done, words=f"probe: {done.words}")

    async def _failed(self, done: Done) -> None:
        if done.words != self.words or self.ok:
            self.on.journal.record("link.failed", level="warn", link=self.link.name, said=done.words)
        self._go(Event.FAILED)
        self._said(done)
        self.failures += 1
        self.tried += 1
        rest = self.link.interval if self.link.up is None else rest_after(self.failures)
        self.rest_until = self.on.clock.seconds() + rest
        if self.link.up is not None and self.link.down is not None:
            await self._perform(self.link.down)
        self._go(Event.LOWERED)
        if self.asked:
            self.called = False
        self._tell_waiters(False)
        await self.on.publish()

    async def _look_at_it(self, probe: Command | Knock) -> None:
        done = await self._perform(probe)
        now = self.on.clock.seconds()
        if done.ok:
            self._misses, self._probe_at = 0, now + self.link.interval
            return
        self._misses, self._probe_at = self._misses + 1, now + min(DOUBT, self.link.interval)
        if self._misses >= MISSES:
            await self._lower(Event.LOST, f"probe: {done.words}")

    async def _lower(self, event: Event, words: str) -> None:
        self._go(event)
        self._fetching.due = False
        await self.on.publish()  # nothing more is begun over it
        if event is Event.UNWANTED:
            await self._rest_of_it()
        await self.take_down(words)
        self._go(Event.LOWERED)
        self.hasty = False
        await self.on.publish()

    async def _clear(self, words: str) -> None:
        """Whatever it is in the midst of."""
        if self.phase is Phase.RISING:
            self._go(Event.FAILED)
        if self.link.down is not None:
            await self.take_down(words)
        self._go(Event.LOWERED)
        self._tell_waiters(False)
        await self.on.publish()

    async def _rest_of_it(self) -> None:
        """What is under way comes to its end."""
        end = self.on.clock.seconds() + GRACE
        while self.on.clock.seconds() < end:
            fetching = self._fetching.goes_on() and not self.waiters
            if not (fetching or (await self.on.resting.waiting(self.link.routes, None)).under_way):
                return
            await self.on.clock.sleep(AGAIN)

    async def take_down(self, words: str, within: float | None = None) -> None:
        """Run its command, if it has one. `within`: seconds that it has at most."""
        if self._cut:  # no command that was cut is to go on beside it
            self._cut = False
            await self.on.clock.sleep(MERCY)
        done = Done(ok=not words, words=words)
        if self.link.down is not None:
            ended = await self._perform(self.link.down, within)
            if not ended.ok or not words:
                done = ended if ended.ok else evolve(ended, words=f"down: {ended.words}")
        self._said(done)
        self.on.journal.record("link.down", link=self.link.name, said=done.words or None)
