"""Agents in a database in memory, whose errands and links a test plays."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Sequence
from typing import Any

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from zope.interface import implementer

from tests.queue.route_case import KEY, RouteCase
from worldmail.interfaces.ondemand import Agent, AgentKind, IErrand, ILinks, LinkState, Result
from worldmail.interfaces.store import ILeaseLock, ILeaseLocks
from worldmail.interfaces.world import IClock
from worldmail.ondemand.agent_admin import STATUSES, AgentAdmin
from worldmail.ondemand.agents import Agents
from worldmail.testing.world import MemoryJournal
from worldmail.wire.ready import Ready

MONDAY = 1_773_014_400.0  # 2026-03-09 00:00 UTC
ETRN = {"kind": "etrn", "host": "192.0.2.1", "names": "shop.test"}


@implementer(ILeaseLocks)
@define(eq=False)
class Locks:
    """Those of all processes."""

    held: set[int] = field(factory=set)
    patience: float = 0.0
    late: Any = None

    def lock(self, account_id: int) -> Awaitable[ILeaseLock | None]:
        if self.late is not None:
            waiting: Awaitable[ILeaseLock | None] = self.late
            return waiting
        if account_id in self.held:
            return Ready(None)
        self.held.add(account_id)
        return Ready(Lock(self, account_id))

    def free(self, numbers: Sequence[int]) -> Awaitable[list[int]]:
        return Ready([number for number in numbers if number not in self.held])


@implementer(ILeaseLock)
@define(eq=False)
class Lock:
    locks: Locks
    number: int
    interruptions: int = 0

    def held(self) -> bool:
        return self.number in self.locks.held

    def lost(self) -> bool:
        return not self.held()

    def release(self) -> Awaitable[None]:
        self.locks.held.discard(self.number)
        return Ready(None)


@implementer(IErrand)
@define(eq=False)
class Errand:
    """Does what a test has it do."""

    kind: AgentKind = AgentKind.ETRN
    began: list[str] = field(factory=list)
    under_way: list[Deferred[Result]] = field(factory=list)
    cancelled: int = 0
    stubborn: bool = False

    async def run(self, agent: Agent) -> Result:
        self.began.append(agent.name)
        work: Deferred[Result] = Deferred()
        self.under_way.append(work)
        try:
            return await work
        except CancelledError:
            self.cancelled += 1
            if self.stubborn:
                self.stubborn = False
                return await self.run(agent)
            return Result(ok=False, words="stopped")

    async def test(self, agent: Agent) -> list[str]:
        return []

    def end(self, result: Result | Exception) -> None:
        """The oldest one is over."""
        work = self.under_way.pop(0)
        if isinstance(result, Result):
            work.callback(result)
        else:
            work.errback(result)


@implementer(ILinks)
@define(eq=False)
class SomeLinks:
    up: bool = True
    driving: bool = True
    wanted: list[str] = field(factory=list)
    at_once: int = 2

    def agents_at_once(self, name: str) -> int:
        return self.at_once

    def state(self, name: str) -> LinkState:
        return LinkState.UP if self.up else LinkState.DOWN

    def want(self, name: str) -> Awaitable[bool]:
        self.wanted.append(name)
        return Ready(self.up)


@implementer(IClock)
class MovedClock(Clock):
    """Also tells the time."""

    def now(self) -> float:
        return MONDAY + self.seconds()

    nap: Any = None

    def sleep(self, seconds: float) -> Awaitable[None]:
        waiting: Awaitable[None] = Ready(None) if self.nap is None else self.nap
        return waiting


GOOD, BAD = Result(ok=True, words="fine", messages=2), Result(ok=False, words="no luck")


class AgentsCase(RouteCase):
    def setUp(self) -> None:
        super().setUp()
        self.patch_zone()
        self.clock: Any = MovedClock()
        self.journal, self.errand, self.locks = MemoryJournal(), Errand(), Locks()
        self.links = SomeLinks()
        self.admin_ = AgentAdmin(self.database, self.clock, KEY.seal, KEY.unseal)
        self.agents = self.make()

    def patch_zone(self) -> None:
        import os

        before = os.environ.get("TZ")
        os.environ["TZ"] = "UTC"
        time.tzset()

        def back() -> None:
            if before is None:
                del os.environ["TZ"]
            else:
                os.environ["TZ"] = before
            time.tzset()

        self.addCleanup(back)

    def make(self) -> Agents:
        made = Agents(
            reactor=self.clock,
            database=self.database,
            changes=self.database.changes,
            clock=self.clock,
            journal=self.journal,
            unseal=KEY.unseal,
            errands={AgentKind.ETRN: self.errand, AgentKind.ODMR: self.errand},
            locks=self.locks,
            chance=lambda: 0.0,
        )
        made.links = self.links
        return made

    def add(self, name: str = "isp", **changes: str) -> None:
        self.successResultOf(Deferred.fromCoroutine(self.admin_.add_agent(name, {**ETRN, **changes})))

    def set(self, name: str = "isp", **changes: str) -> None:
        self.successResultOf(Deferred.fromCoroutine(self.admin_.set_agent(name, changes)))

    def pass_(self, seconds: float) -> None:
        self.clock.pump([0.5] * int(seconds * 2))

    def start(self) -> None:
        self.agents.startService()
        self.pass_(2)

    def status(self, name: str = "isp") -> dict[str, str]:
        async def look() -> dict[str, str]:
            return await self.database.read(lambda cursor: STATUSES.find(cursor, name))

        found: dict[str, str] = self.successResultOf(Deferred.fromCoroutine(look()))
        return found

    def stay(self, **changes: str) -> None:
        """An agent whose connection stays open, over a link."""
        self.agents = self.make()
        relay = {"kind": "odmr", "host": "192.0.2.1", "user": "shop@relay.test", "password": "secret", "stay": "1m"}

        async def add() -> None:
            await self.database.write(
                lambda cursor: cursor.run("INSERT INTO entry (kind, name, texts) VALUES ('link', 'sat', '{}')")
            )
            await self.admin_.add_agent("relay", {**relay, "when": "every 5m", "link": "sat", **changes})

        self.successResultOf(Deferred.fromCoroutine(add()))
