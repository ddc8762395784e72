"""The runs of agents that are under way in this process, one at a time of each."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from attrs import define, evolve, field
from twisted.internet.defer import CancelledError, Deferred, succeed

from worldmail.interfaces.ondemand import Agent, AgentKind, IErrand, ILinks, Result
from worldmail.interfaces.store import ILeaseLock, ILeaseLocks
from worldmail.interfaces.world import IClock, IJournal
from worldmail.ondemand.agent_log import STOPPED, AgentLog
from worldmail.ondemand.agent_schedule import Plan
from worldmail.ondemand.pause import quietly

AT_ONCE = 30
"""Agents that run at the same time; not counted are those whose connection stands and stays open, and a command's runs
wait for no other."""

LOCKS = 1 << 30
"""Where the numbers of agents' locks begin, and how many there are at most."""

PATIENCE = 30.0
"""Seconds that a run that is ended may take for the message that is under way; then its connection is cut."""

STEADY = 30.0
"""Seconds that a connection has to stay open for the failures before it to count no more."""

FAULT = Result(ok=False, words="an error of ours: the log has it")


@define(kw_only=True, eq=False)
class Run:
    """One that is under way.

    Attributes:
        why: timetable, link or asked.
        stands: its connection is there and stays open.
        lock: its agent's, once it has that.
        cancelled: it is to end.
    """

    agent: Agent
    why: str
    lock: ILeaseLock | None = None
    work: Deferred[None] | None = None
    cancellable: Deferred[Any] | None = None
    result: Result | None = None
    _waiting: list[Deferred[Result]] = field(factory=list)
    stands: bool = False
    cancelled: bool = False

    @property
    def is_anothers(self) -> bool:
        """Did we lose the lock, so that another process may run the agent, or does?"""
        return self.lock is not None and self.lock.lost()

    def over(self) -> Deferred[Result]:
        """Its result, for one more who waits for it."""
        if self.result is not None:
            return succeed(self.result)
        waiting: Deferred[Result] = Deferred()
        self._waiting.append(waiting)
        return waiting

    def end(self, result: Result) -> None:
        """Tell all who wait."""
        self.result = result
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            each.callback(result)

    def cancel(self) -> None:
        """It comes to its end as soon as what is under way may end."""
        self.cancelled = True
        if self.cancellable is not None:
            self.cancellable.cancel()


@define(kw_only=True, eq=False)
class Runs:
    """Begins and ends them.

    Args:
        errands: what agents of each kind do.
        locks: one for each agent's name (`lock_of`).
        plans: where each agent stands in its timetable.
        links: gives the links, None where every agent can run at any time.
        ended: told of each run that is over.

    Attributes:
        running: by the agent's name.
        open: runs may be begun.
    """

    clock: IClock
    journal: IJournal
    errands: Mapping[AgentKind, IErrand]
    locks: ILeaseLocks
    log: AgentLog
    plans: Mapping[str, Plan]
    links: Callable[[], ILinks | None]
    ended: Callable[[Run], None]
    running: dict[str, Run] = field(factory=dict, init=False)
    open: bool = field(default=False, init=False)
    _crowd: list[Deferred[None]] = field(factory=list, init=False)

    def begin(self, agent: Agent, why: str) -> Run:
        """A run of it, or the one that is under way."""
        run = self.running.get(agent.name)
        if run is None:
            run = self.running[agent.name] = Run(agent=agent, why=why)
            run.work = Deferred.fromCoroutine(self._work(run))
        return run

    def has_room(self, agent: Agent) -> bool:
        """May it begin beside those that run, or does it run already?"""
        if agent.name in self.running:
            return True
        counted = [run.agent.link for run in self.running.values() if not run.stands]
        links = self.links()
        most = AT_ONCE if not agent.link or links is None else links.agents_at_once(agent.link)
        return len(counted) < AT_ONCE and counted.count(agent.link) < most

    async def room(self, agent: Agent) -> None:
        """Wait until it may begin."""
        while not self.has_room(agent):
            waiting: Deferred[None] = Deferred()
            self._crowd.append(waiting)
            await waiting

    def stands(self, name: str) -> None:
        """The connection of this agent is there and stays open: others may begin."""
        run = self.running.get(name)
        if run is not None:
            run.stands = True
            self._let_in()
            Deferred.fromCoroutine(self._settle(run))

    async def _settle(self, run: Run) -> None:
        """A connection that stays open ends by breaking off; that it stood is what makes the run a good one."""
        await self.clock.sleep(STEADY)
        plan = self.plans.get(run.agent.name)
        if run.result is None and plan is not None and plan.failures:
            plan.failures = 0
            await self.log.stands(run.agent)

    def _let_in(self) -> None:
        crowd, self._crowd = self._crowd, []
        for waiting in crowd:
            waiting.callback(None)

    def cancel(self, run: Run) -> None:
        """End it, soon. Harmless a second time."""
        if not run.cancelled:
            run.cancel()
            Deferred.fromCoroutine(self._insist(run))

    async def _insist(self, run: Run) -> None:
        """The other end may be one that never comes to the end of a message."""
        await self.clock.sleep(PATIENCE)
        if run.result is None:
            run.cancel()

    def cancel_lost(self) -> None:
        """End those that another process may run by now: we stood still, or the database was away."""
        for run in list(self.running.values()):
            if run.is_anothers:
                self.cancel(run)

    async def stop(self) -> None:
        """End all of them."""
        runs = list(self.running.values())
        for run in runs:
            self.cancel(run)
        for run in runs:
            if run.work is not None:
                await quietly(run.work)

    async def _work(self, run: Run) -> None:
        try:
            result = await self._run(run)
        except Exception as error:  # noqa: BLE001  whatever it is, it is the end of this run alone
            self.journal.failure("agent.fault", error, agent=run.agent.name)
            result = FAULT
        del self.running[run.agent.name]
        run.end(result)
        self.ended(run)
        self._let_in()

    async def _run(self, run: Run) -> Result:
        agent = run.agent
        if not self.open:
            return Result(ok=False, words=STOPPED)
        run.lock = lock = await self.locks.lock(lock_of(agent.name))
        if lock is None:
            return Result(ok=False, words="another process runs it")
        try:
            if run.why != "link" and not await self._has_link(run):
                words = f"the link {agent.link} is not up"
                await self.log.skipped(agent, words)
                return Result(ok=False, words=words)
            return await self._carry_out(run)
        finally:
            await lock.release()

    async def _has_link(self, run: Run) -> bool:
        links, name = self.links(), run.agent.link
        if not name or links is None:
            return True
        wanted: Deferred[bool] = Deferred.fromCoroutine(_done(links.want(name)))
        run.cancellable = wanted
        try:
            return await wanted
        except CancelledError:
            return False

    async def _carry_out(self, run: Run) -> Result:
        agent, begun = run.agent, self.clock.seconds()
        plan = self.plans.get(agent.name)
        if plan is not None:
            plan.began(self.clock.now())
        await self.log.began(agent, run.why)
        result = await self._errand(run)
        failures = 0
        plan = self.plans.get(agent.name)
        if plan is not None:
            plan.over(self.clock.now(), ok=result.ok and not result.resume)
            failures = plan.failures
        await self.log.ended(
            agent, run.why, result, self.clock.seconds() - begun, None if run.is_anothers else failures
        )
        return result

    async def _errand(self, run: Run) -> Result:
        errand = self.errands.get(run.agent.kind)
        if errand is None:
            return Result(ok=False, words=f"this server knows no agents of kind {run.agent.kind.value}")
        if not self.open:
            return Result(ok=False, words=STOPPED)
        if run.cancelled:
            return Result(ok=False, words="stopped")
        work: Deferred[Result] = Deferred.fromCoroutine(_done(errand.run(run.agent)))
        run.cancellable = work
        try:
            result = await work
        except CancelledError:
            result = Result(ok=False, words="stopped")
        except Exception as error:  # noqa: BLE001  the same
            self.journal.failure("agent.fault", error, agent=run.agent.name)
            result = FAULT
        return result if self.open or result.ok else Result(ok=False, words=STOPPED, messages=result.messages)


def same_way(one: Agent, other: Agent) -> bool:
    """Can what runs as the one go on as the other? A new key of a server that renews it is no reason to begin anew."""
    if one.values.get("renews") and other.values.get("renews"):
        other = evolve(other, values={**other.values, "pins": one.values["pins"]})
    return one == other


def stays(agent: Agent) -> bool:
    """Does its connection stay open, if the other server can have that?"""
    return bool(agent.values.get("stay"))


async def _done(work: Awaitable[Any]) -> Any:
    return await work


def lock_of(name: str) -> int:
    """The number of an agent's lock, beyond those of runners. Two names that share one only wait for each other.

    A database server's locks have 31 bits; so many are left to them.
    """
    return LOCKS + int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") % (LOCKS - 2)
