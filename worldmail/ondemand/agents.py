"""The agents of a running server: each runs by its timetable, when its link comes up, and when a command asks.

Of several servers on one database one runs them, the one that looks after the links (`ILinks.driving`). Each run holds
a lock beside that, which dies with its process: no agent runs twice at a time, whoever takes over from whom.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as TimedOut
from zope.interface import implementer

from worldmail.errors import BadValue, ConfigurationError, NoSuchThing, Refusal
from worldmail.interfaces.database import IChanges, IDatabase, Notice
from worldmail.interfaces.ondemand import Agent, AgentKind, IAgents, IErrand, ILinks, LinkState, Result
from worldmail.interfaces.store import ILeaseLocks
from worldmail.interfaces.world import IClock, IJournal
from worldmail.ondemand.agent_admin import AGENTS, STATUSES, WISHES, Seal, read_agent
from worldmail.ondemand.agent_log import AgentLog
from worldmail.ondemand.agent_runs import Run, Runs, same_way, stays
from worldmail.ondemand.agent_schedule import Plan
from worldmail.ondemand.pause import Pause, quietly
from worldmail.ondemand.wishes import Answer, Wish, is_open

TICK = 1.0
"""Seconds between two looks."""

SOON = 0.05
"""Seconds from a notice until the look that it brings about: notices come in swarms."""

BACK = 60.0
"""Seconds by which the clock may be put back without anybody taking notice."""

STAYING = 10.0
"""Seconds that a command waits for what comes of an agent whose connection is to stay open."""

STAYS = Answer(ok=True, words="under way; its connection stays open for new mail")

_SERVICE: Any = Service  # its methods have no annotations


@implementer(IAgents)
class Agents(Service):
    """Provides `IAgents`.

    Args:
        unseal: opens a sealed password.
        errands: what agents of each kind do.
        locks: one for each agent's name (`lock_of`).
        chance: a number from 0 to 1.
        links: set by who puts both together; None where every agent can run at any time.
    """

    links: ILinks | None = None

    def __init__(
        self,
        *,
        reactor: Any,
        database: IDatabase,
        changes: IChanges,
        clock: IClock,
        journal: IJournal,
        unseal: Seal,
        errands: Mapping[AgentKind, IErrand],
        locks: ILeaseLocks,
        chance: Callable[[], float],
    ) -> None:
        self._reactor = reactor
        self._database = database
        self._changes = changes
        self._clock = clock
        self._journal = journal
        self._unseal = unseal
        self._chance = chance
        self._log = AgentLog(database=database, clock=clock, journal=journal)
        self._plans: dict[str, Plan] = {}
        self._runs = Runs(
            clock=clock,
            journal=journal,
            errands=errands,
            locks=locks,
            log=self._log,
            plans=self._plans,
            links=lambda: self.links,
            ended=self._ended,
        )
        self._answering: set[Deferred[None]] = set()
        self._heard: set[str] = set()
        self._told: dict[str, float | None] = {}
        self._news = True
        self._drove = False
        self._seen = 0.0
        self._pause = Pause(later=reactor.callLater)
        self._loop: Deferred[None] | None = None
        self._subscriptions: list[Callable[[], None]] = []

    # -- what others ask -----------------------------------------------------------------

    async def run(self, name: str) -> Result:
        """See `IAgents.run`. Raises `NoSuchThing`, `ConfigurationError`, `TemporaryFailure`."""
        return await (await self._asked(name)).over()

    async def _asked(self, name: str) -> Run:
        agent = await self._database.read(lambda cursor: read_agent(AGENTS.required(cursor, name), self._unseal))
        return self._runs.begin(agent, "asked")

    async def run_over(self, link: str) -> list[Result]:
        """See `IAgents.run_over`. Those whose connection stays open end with the link: nobody waits for them."""
        await self._read()
        some = [plan.agent for plan in self._plans.values() if plan.agent.link == link and plan.agent.enabled]
        begun = []
        for agent in some:
            await self._runs.room(agent)
            plan = self._plans.get(agent.name)  # it may have waited until others were over
            if plan is not None and self._may_run_over(link, plan.agent):
                begun.append(self._runs.begin(plan.agent, "link"))
        return [await run.over() for run in begun if not stays(run.agent)]

    def _may_run_over(self, link: str, agent: Agent) -> bool:
        up = self.links is None or self.links.state(link) is LinkState.UP
        return up and self._runs.open and agent.enabled and agent.link == link

    def busy(self, link: str) -> bool:
        """See `IAgents.busy`. A connection that stays open keeps no link up."""
        return any(run.agent.link == link and not stays(run.agent) for run in self._runs.running.values())

    def stands(self, name: str) -> None:
        """The connection of this agent is there and stays open; it keeps no other agent waiting any more."""
        self._runs.stands(name)
        self._pause.shorten(SOON)

    # -- beginning and end ---------------------------------------------------------------

    def startService(self) -> None:
        """Run them from now on."""
        _SERVICE.startService(self)
        topics = (AGENTS.noun, STATUSES.topic)
        self._subscriptions = [self._changes.subscribe(topic, self._changed) for topic in topics]
        self._runs.open = True
        self._loop = Deferred.fromCoroutine(self._rounds())

    def stopService(self) -> Any:
        """A Deferred that fires when none runs any more."""
        _SERVICE.stopService(self)
        self._runs.open = False
        for unsubscribe in self._subscriptions:
            unsubscribe()
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        self._pause.shorten(0.0)
        if self._loop is not None:
            await self._loop
        await self._runs.stop()
        for answering in list(self._answering):
            await quietly(answering)

    def _changed(self, notice: Notice) -> None:
        self._news = True
        self._pause.shorten(SOON)

    # -- rounds --------------------------------------------------------------------------

    async def _rounds(self) -> None:
        while self.running:
            try:
                await self._round()
            except (Refusal, ConfigurationError, BadValue) as error:
                self._news = True
                if not isinstance(error, Refusal):
                    self._journal.failure("agent.fault", error)
            except Exception as error:  # noqa: BLE001  one round's fault must not end all that come after it
                self._journal.failure("agent.fault", error)
            if self.running:
                await self._pause.wait(TICK)

    async def _round(self) -> None:
        """One look at all of them."""
        self._runs.cancel_lost()
        drives = self.links is None or self.links.driving
        if drives and not self._drove:
            self._plans.clear()  # another server may have run them meanwhile
            self._news = True
        self._drove = drives
        if not drives:
            return
        if self._news:
            self._news = False
            if await self._read():
                take = partial(WISHES.take, now=self._clock.now(), mine=frozenset(self._heard))
                for wish in await self._database.write(take):
                    self._hear(wish)
        self._begin_what_is_due()
        await self._publish()

    def _begin_what_is_due(self) -> None:
        now = self._clock.now()
        if now < self._seen - BACK:
            for plan in self._plans.values():
                plan.clock_went_back(now)
        self._seen = now
        for name, plan in self._plans.items():
            if name not in self._runs.running:
                plan.look(now, self._chance())
                if plan.is_due(now) and self._runs.has_room(plan.agent):
                    plan.began(now)
                    self._runs.begin(plan.agent, "timetable")

    async def _read(self) -> bool:
        """Take up what is in the database; True if a wish may be among it. Raises `TemporaryFailure`."""
        entries, statuses = await self._database.scan(lambda cursor: (AGENTS.all(cursor), STATUSES.all(cursor)))
        now, there = self._clock.now(), set()
        for entry in entries:
            there.add(entry.name)
            try:
                agent = read_agent(entry, self._unseal)
            except (BadValue, ConfigurationError) as error:
                if self._plans.pop(entry.name, None) is not None or self._told.get(entry.name, 0.0) is not None:
                    self._told[entry.name] = None
                    self._journal.record("agent.unreadable", level="error", agent=entry.name, reason=str(error))
                continue
            self._take_up(agent, statuses.get(entry.name, {}), now)
        for name in [name for name in self._plans if name not in there]:
            del self._plans[name]
            self._told.pop(name, None)
        for name, run in self._runs.running.items():
            if name not in there:
                self._runs.cancel(run)
        return any(is_open(texts, self._heard) for texts in statuses.values())

    def _take_up(self, agent: Agent, known: Mapping[str, str], now: float) -> None:
        plan, run = self._plans.get(agent.name), self._runs.running.get(agent.name)
        if plan is None:
            self._plans[agent.name] = _plan_of(agent, known, now, runs=run is not None)
        elif plan.agent != agent:
            plan.follow(agent, 0.0 if stays(agent) else now)
        if run is not None and not same_way(run.agent, agent) and (not agent.enabled or stays(run.agent)):
            self._runs.cancel(run)

    async def _publish(self) -> None:
        """Tell when each runs next."""
        moments = {
            name: plan.next
            for name, plan in self._plans.items()
            if name not in self._runs.running and self._told.get(name, 0.0) != plan.next
        }
        if moments:
            await self._log.next(moments)
            self._told |= moments

    def _ended(self, run: Run) -> None:
        self._told.pop(run.agent.name, None)
        self._pause.shorten(SOON)

    # -- wishes --------------------------------------------------------------------------

    def _hear(self, wish: Wish) -> None:
        self._heard.add(wish.id)
        answering = Deferred.fromCoroutine(self._answer(wish))
        self._answering.add(answering)
        answering.addBoth(lambda _: self._answering.discard(answering))

    async def _answer(self, wish: Wish) -> None:
        try:
            answer = await self._outcome(wish.name)
        except (NoSuchThing, ConfigurationError, BadValue, Refusal) as error:
            answer = Answer(ok=False, words=str(error))
        try:
            await self._database.write(partial(_answered, wish=wish, answer=answer))
        except Refusal as error:
            self._journal.failure("agent.unanswered", error, agent=wish.name)
        finally:
            self._heard.discard(wish.id)

    async def _outcome(self, name: str) -> Answer:
        run = await self._asked(name)
        over = run.over()
        if stays(run.agent):
            over.addTimeout(STAYING, self._reactor)
        try:
            result = await over
        except TimedOut:
            return STAYS
        return Answer(ok=result.ok, words=result.words)


def _answered(cursor: Any, *, wish: Wish, answer: Answer) -> None:
    if AGENTS.find(cursor, wish.name) is not None:
        WISHES.answer(cursor, wish, answer)


def _plan_of(agent: Agent, known: Mapping[str, str], now: float, *, runs: bool) -> Plan:
    """Where it stands by what is known. A run that did not come to its end failed when it began.

    One whose connection stays open is late as long as it has none.
    """
    if stays(agent):
        return Plan(agent=agent, last=0.0)
    began, ended = _moment(known.get("began")), _moment(known.get("ended"))
    failures = _moment(known.get("failures"))
    if began is None:
        return Plan(agent=agent, last=now)
    if ended is None and not runs:
        return Plan(agent=agent, last=min(began, now), failures=int(failures or 0) + 1, ended=min(began, now))
    return Plan(agent=agent, last=min(began, now), failures=int(failures or 0), ended=min(ended or began, now))


def _moment(text: str | None) -> float | None:
    return float(text) if text is not None and text.isdecimal() and len(text) < 15 else None
