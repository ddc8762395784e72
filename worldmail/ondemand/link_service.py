"""The links of a site, looked after by one server of those on its database: the one that has the lock.

What is in the database of a link's state is what was found last, for people and for the queue. A server that takes the
links over believes none of it, and finds out anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from zope.interface import implementer

from worldmail.errors import BadValue, Refusal
from worldmail.interfaces.database import Cursor, IChanges, IDatabase, Notice
from worldmail.interfaces.ondemand import IAgents, ILinks, LinkState
from worldmail.interfaces.resting import Behind, IResting
from worldmail.interfaces.store import ILeaseLock, ILeaseLocks
from worldmail.interfaces.world import IClock, IJournal
from worldmail.ondemand.link_admin import LINKS, STATUSES, WISHES
from worldmail.ondemand.link_fetching import Surroundings
from worldmail.ondemand.link_keys import AGENTS, Link, link_of
from worldmail.ondemand.link_life import LAST, Life
from worldmail.ondemand.link_meter import Budget, Meter, ways_of
from worldmail.ondemand.link_states import Phase
from worldmail.ondemand.link_wishes import Pending
from worldmail.ondemand.pause import Pause, quietly
from worldmail.ondemand.wishes import LOST, Wish

LOCK = 2**31 - 2
"""The lock of who looks after the links: a number that no runner's id comes to, and the largest of all locks."""

TICK = 1.0
"""Seconds between two looks."""

SOON = 0.05
"""Seconds from a notice until the look that it brings about: notices come in swarms."""

QUEUE = "queue"
"""The topic of mail that waits."""

HELD = "held"
"""The key of a status that says that an administrator took the link down; of all keys the only one that is read."""

SPENT = "spent"
"""The key that says how much went over it today; it is read, too, since no day is to have two budgets."""

_SERVICE: Any = Service  # its methods have no annotations


@implementer(ILinks)
class Links(Service):
    """Provides `ILinks`.

    Args:
        locks: `LOCK` of them is whose who looks after the links.
        agents: set by who puts both together; None where there are none.
        knows: set alike; called when it is known by which links mail goes. None is to go before.
    """

    agents: IAgents | None = None
    knows: Callable[[], None] | None = None

    def __init__(
        self,
        *,
        reactor: Any,
        database: IDatabase,
        changes: IChanges,
        clock: IClock,
        journal: IJournal,
        resting: IResting,
        locks: ILeaseLocks,
    ) -> None:
        self._database = database
        self._changes = changes
        self._clock = clock
        self._journal = journal
        self._resting = resting
        self._locks = locks
        self._later: Callable[..., Any] = reactor.callLater
        self._on = Surroundings(
            reactor=reactor,
            clock=clock,
            journal=journal,
            resting=resting,
            agents=lambda: self.agents,
            publish=self._publish,
            nudge=self._nudge,
        )
        self.meter = Meter(
            now=clock.now, driving=lambda: self.driving, is_up=lambda name: self.state(name) is LinkState.UP
        )
        self.lives: dict[str, Life] = {}
        self._leaving: dict[str, Deferred[None]] = {}
        self._pending: list[Pending] = []
        self._told: dict[str, dict[str, str | None]] = {}
        self._followed: dict[str, Behind] | None = None
        self._seen: dict[str, LinkState] = {}
        self._lock: ILeaseLock | None = None
        self._news = True
        self._pause = Pause(later=self._later)
        self._loop: Deferred[None] | None = None
        self._publishing: Deferred[None] | None = None
        self._subscriptions: list[Callable[[], None]] = []

    # -- what others ask -----------------------------------------------------------------

    @property
    def driving(self) -> bool:
        """See `ILinks.driving`."""
        return self._lock is not None and self._lock.held()

    def state(self, name: str) -> LinkState:
        """See `ILinks.state`."""
        life = self.lives.get(name)
        return self._seen.get(name, LinkState.UP) if life is None else life.phase.state

    def agents_at_once(self, name: str) -> int:
        """See `ILinks.agents_at_once`."""
        life = self.lives.get(name)
        return AGENTS if life is None else life.link.agents

    async def want(self, name: str) -> bool:
        """See `ILinks.want`."""
        life = self.lives.get(name)
        if life is None or life.phase is Phase.UP:
            return self.state(name) is LinkState.UP
        wanted = life.want()
        self._nudge()
        return await wanted

    # -- beginning and end -----------------------------------------------------------------

    def startService(self) -> None:
        """Look after the links, or wait until nobody else does."""
        _SERVICE.startService(self)
        subscribe = self._changes.subscribe
        topics = (LINKS.noun, STATUSES.topic)
        self._subscriptions = [subscribe(topic, self._changed) for topic in topics]
        self._subscriptions.append(subscribe(QUEUE, lambda notice: self._nudge()))
        self._loop = Deferred.fromCoroutine(self._rounds())

    def stopService(self) -> Any:
        """A Deferred that fires when what was brought up is taken down."""
        _SERVICE.stopService(self)
        for unsubscribe in self._subscriptions:
            unsubscribe()
        return Deferred.fromCoroutine(self._stop())

    def _changed(self, notice: Notice) -> None:
        self._news = True
        self._nudge()

    def _nudge(self) -> None:
        self._pause.shorten(SOON)

    async def _rounds(self) -> None:
        while self.running:
            try:
                await self._round()
                self._tell_the_queue()
            except Refusal:
                self._news = True
            except Exception as error:  # noqa: BLE001  one round's fault must not end all that come after it
                self._journal.failure("link.fault", error)
                self._tell_the_queue()
            if self.running:
                await self._pause.wait(TICK)

    def _tell_the_queue(self) -> None:
        known, self.meter.known = self.meter.known, True
        if not known and self.knows is not None:
            self.knows()

    async def _stop(self) -> None:
        self._pause.shorten(0.0)
        if self._loop is not None:
            await self._loop
        lives, self.lives = list(self.lives.values()), {}
        for life in lives:
            self._end(life)
        if self.driving:
            down = int(self._clock.now())
            begun = [life for life in lives if life.phase is not Phase.DOWN and not life.plain]
            ends = [Deferred.fromCoroutine(life.take_down("the server stops", LAST)) for life in begun]
            for end in [*self._leaving.values(), *ends]:
                await quietly(end)
            with suppress(Refusal):  # they are found anew in any case
                behind = {route: Behind(since=down) for life in lives if not life.plain for route in life.link.routes}
                await self._resting.follow(behind)
                await self._database.write(partial(_forget_states, names=list(self._told)))
                for pending in self._pending:
                    await self._database.write(partial(WISHES.answer, wish=pending.wish, answer=LOST))
        lock, self._lock = self._lock, None
        if lock is not None:
            await lock.release()

    def _end(self, life: Life) -> None:
        """What it does it does no more."""
        life.cut()
        for waiter in life.waiters:
            waiter.callback(False)
        life.waiters.clear()

    # -- rounds ------------------------------------------------------------------------------

    async def _round(self) -> None:
        """One look at everything."""
        if not await self._lead():
            return
        if self._news:
            self._news = False
            links, statuses = await self._known()
            self._take_up(links, statuses)
            await self._take_wishes()
        for life in list(self.lives.values()):
            life.look(await life.waiting())
        await self._publish()
        await self._answer()

    async def _lead(self) -> bool:
        """Are the links ours to look after? If another did it, nothing of ours goes on."""
        if self._lock is not None and self._lock.lost():
            self._lock = None
            for life in self.lives.values():
                self._end(life)
            self.lives.clear()
            self._told.clear()
            self._pending.clear()
            self._followed, self._news = None, True
        if self._lock is None:
            self._lock = await self._locks.lock(LOCK)
            self._news = self._news or self._lock is not None
        if self._lock is None and self._news:
            self._news = False
            links, statuses = await self._known()
            self._seen = {name: _state(statuses.get(name, {})) for name in links}
            self._meter(links)
        return self.driving

    async def _known(self) -> tuple[dict[str, Link], dict[str, dict[str, str]]]:
        """The links that are enabled, and their statuses. One that cannot be read is as if it were not there."""
        entries, statuses = await self._database.scan(lambda cursor: (LINKS.all(cursor), STATUSES.all(cursor)))
        links = {}
        for entry in entries:
            try:
                link = link_of(entry.name, entry.texts)
            except BadValue as error:  # made by another release
                self._journal.record("link.unreadable", level="error", link=entry.name, reason=str(error))
                continue
            if link.enabled:
                links[link.name] = link
        return links, statuses

    def _take_up(self, links: dict[str, Link], statuses: dict[str, dict[str, str]]) -> None:
        """Go by these from now on."""
        for name in list(self.lives):
            if name not in links:
                life = self.lives.pop(name)
                self._end(life)
                self._told.pop(name, None)
                if life.phase is not Phase.DOWN and not life.plain:
                    self._leaves(life)
        for name, link in links.items():
            known = statuses.get(name, {})
            found = self.lives.get(name)
            if "state" not in known:
                self._told.pop(name, None)
            if name in self._leaving:  # one of this name is being taken down still
                self._news = True
            elif found is None:
                budget = Budget(link=name, most=link.most)
                budget.recall(known.get(SPENT, ""))
                life = self.lives[name] = Life(link=link, on=self._on, budget=budget)
                life.held = HELD in known
                if known.get("state", "down") != "down":
                    life.clear()
            elif found.link != link:
                found.follow(link)
        self._meter(links)

    def _leaves(self, life: Life) -> None:
        """It is nobody's any more: it is taken down."""
        name = life.link.name
        self._leaving[name] = leaving = Deferred.fromCoroutine(life.take_down("it was removed or disabled"))

        def left(result: Any) -> None:
            self._leaving.pop(name, None)
            if hasattr(result, "value"):
                self._journal.failure("link.fault", result.value, link=name)

        leaving.addBoth(left)

    def _meter(self, links: dict[str, Link]) -> None:
        self.meter.ways = ways_of(links.values(), {name: life.budget for name, life in self.lives.items()})

    # -- wishes ------------------------------------------------------------------------------

    async def _take_wishes(self) -> None:
        mine = {pending.wish.id for pending in self._pending}
        for wish in await self._database.write(partial(WISHES.take, now=self._clock.now(), mine=mine)):
            self._pending.append(self._heard(wish))

    def _heard(self, wish: Wish) -> Pending:
        pending = Pending(wish=wish, life=self.lives.get(wish.name))
        pending.begin()
        return pending

    async def _answer(self) -> None:
        """Tell what came of wishes."""
        for pending in list(self._pending):
            answer = pending.answer(self.lives.get(pending.wish.name))
            if answer is not None:
                await self._database.write(partial(WISHES.answer, wish=pending.wish, answer=answer))
                self._pending.remove(pending)

    # -- what is told ------------------------------------------------------------------------

    async def _publish(self) -> None:
        """Bring all that has changed into the database; done when what is true now is there."""
        while self._publishing is not None:
            await quietly(self._publishing)
        work = Deferred.fromCoroutine(self._bring())
        if work.called:
            return
        self._publishing = work
        await quietly(work)
        self._publishing = None

    async def _bring(self) -> None:
        while self.driving:
            try:
                await self._bring_once()
                return
            except Refusal:
                await self._clock.sleep(TICK)

    async def _bring_once(self) -> None:
        behind = _behind(self.lives.values())
        if behind != self._followed:
            await self._resting.follow(behind)
            self._followed = behind
        told = {name: _status(life) for name, life in self.lives.items()}
        changed = {name: texts for name, texts in told.items() if texts != self._told.get(name)}
        if changed:
            await self._database.write(partial(_tell, changes=changed))
            self._told |= changed


def _behind(lives: Iterable[Life]) -> dict[str, Behind]:
    """Of each route, whether one of its links is up."""
    behind: dict[str, Behind] = {}
    for life in lives:
        up = life.phase is Phase.UP
        one = Behind(since=0 if up else max(1, life.since), small_first=up)
        for route in life.link.routes:
            before = behind.get(route)
            if before is None or before.since:
                behind[route] = one if before is None or up else Behind(since=max(before.since, one.since))
    return behind


def _state(texts: dict[str, str]) -> LinkState:
    try:
        return LinkState(texts.get("state", LinkState.DOWN.value))
    except ValueError:
        return LinkState.DOWN


def _status(life: Life) -> dict[str, str | None]:
    """What is told of a link."""
    return {
        "state": life.phase.value,
        "since": str(life.since),
        "words": life.words or None,
        "ok": "yes" if life.ok else "no",
        "next": None if life.next_call is None else str(life.next_call),
        HELD: "yes" if life.held else None,
        SPENT: str(life.budget) if life.budget.spent else None,
    }


def _tell(cursor: Cursor, *, changes: dict[str, dict[str, str | None]]) -> None:
    """Of those that are there still."""
    for name, texts in changes.items():
        if LINKS.find(cursor, name) is not None:
            STATUSES.change(cursor, name, texts)


def _forget_states(cursor: Cursor, *, names: list[str]) -> None:
    for name in names:
        if LINKS.find(cursor, name) is not None:
            STATUSES.change(cursor, name, {"state": None, "since": None, "next": None})
