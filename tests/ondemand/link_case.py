"""A site with links for tests: a real queue, a clock that is moved, and programs that a test plays."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessDone, ProcessTerminated
from twisted.python.failure import Failure
from zope.interface import implementer

from worldmail.interfaces.ondemand import IAgents, Result
from worldmail.interfaces.queue import Route
from worldmail.ondemand.link_admin import LinkAdmin
from worldmail.ondemand.link_service import Links
from worldmail.testing.queue import QueueSite
from worldmail.testing.real_store import settle

ALICE = "alice@example.test"
BOB = "bob@there.test"
DAY = 86_400
UP, DOWN, PROBE = "/link/up", "/link/down", "/link/probe"
DIALLED = {"routes": "there", "up": UP, "down": DOWN, "idle": "10s"}


@define(eq=False)
class Machine:
    """Where a server's programs run: what they do is played.

    Attributes:
        up: whether the link is.
        ran: the programs, in their order.
        broken: programs that fail, with what they say.
        works: False lets `up` end well and bring nothing about.
        endless: programs that end only when they are made to.
    """

    site: QueueSite
    up: bool = False
    ran: list[str] = field(factory=list)
    broken: dict[str, bytes] = field(factory=dict)
    works: bool = True
    endless: set[str] = field(factory=set)

    def callLater(self, seconds: float, call: Callable[..., Any], *arguments: Any) -> Any:
        return self.site.clock.turned.callLater(seconds, call, *arguments)

    def spawnProcess(self, program: Any, executable: str, words: tuple[str, ...], env: Any, path: str) -> None:
        self.ran.append(words[1])
        program.makeConnection(_Transport())
        if words[1] in self.endless:
            program._signal = lambda number: self._killed(program)
        else:
            self.callLater(0.5, self._end, program, words[1])

    def _killed(self, program: Any) -> None:
        ended: Any = Failure
        how: Any = ProcessTerminated
        program.processEnded(ended(how(signal=15)))

    def _end(self, program: Any, word: str) -> None:
        ok = word not in self.broken
        if ok and word in (UP, DOWN):
            self.up = word == UP and self.works
        if word == PROBE:
            ok = ok and self.up
        if word in self.broken:
            program.errReceived(self.broken[word])
        ended: Any = Failure
        how: Any = ProcessDone if ok else ProcessTerminated
        program.processEnded(ended(how(0 if ok else 1)))


class _Transport:
    pid = None

    def closeStdin(self) -> None:
        pass

    def loseConnection(self) -> None:
        pass


@implementer(IAgents)
@define(eq=False)
class Agents:
    """Agents that run for so long."""

    site: QueueSite
    seconds: float = 0.0
    runs: list[str] = field(factory=list)
    busy_with: set[str] = field(factory=set)

    async def run(self, name: str) -> Result:
        return Result(ok=True, words=name)

    async def run_over(self, link: str) -> list[Result]:
        self.runs.append(link)
        self.busy_with.add(link)
        await self.site.clock.sleep(self.seconds)
        self.busy_with.discard(link)
        return []

    def busy(self, link: str) -> bool:
        return link in self.busy_with


@define(eq=False)
class LinkSite:
    """A site with a queue and links."""

    site: QueueSite
    machine: Machine
    links: Links
    admin: LinkAdmin

    @classmethod
    def make(cls, **settings: Any) -> LinkSite:
        site = QueueSite.make(**settings)
        site.routes.set(Route(name="there", domain="there.test", connections=1))
        site.start()
        machine = Machine(site)
        return cls(site, machine, service(site, machine), LinkAdmin(site.base.database, site.clock))

    def start(self, name: str = "isp", **texts: str) -> None:
        """Add a link, and begin to look after it."""
        settle(self.admin.add_link(name, texts))
        self.links.startService()
        self.pass_time(1)

    def pass_time(self, seconds: float, step: float = 0.25) -> None:
        """So much time passes; nothing is tried over a link that is not there."""
        while seconds > 0:
            before, was = len(self.site.elsewhere.attempts), self.machine.up
            self.site.advance(min(step, seconds), step)
            seconds -= step
            assert was or self.machine.up or len(self.site.elsewhere.attempts) == before

    def known(self, name: str = "isp") -> dict[str, str]:
        return {link.name: known for link, known in settle(self.admin.links())}[name]

    def ask(self, what: str, name: str = "isp") -> Deferred[Any]:
        return Deferred.fromCoroutine(self.admin.ask(name, what, 600.0))

    def taken(self) -> list[str]:
        return [address for _, address in self.site.elsewhere.taken]


def service(site: QueueSite, machine: Machine) -> Links:
    links = Links(
        reactor=machine,
        database=site.node.database,
        changes=site.base.database.changes,
        clock=site.clock,
        journal=site.journal,
        resting=site.node.queue.resting,
        locks=site.locks,
    )
    site.node.queue.runner.carriage.meter = links.meter
    links.knows = lambda: site.node.queue.runner.look(0)
    return links


def sites() -> Iterator[LinkSite]:
    """A site, and at the end whether all is well there."""
    made = LinkSite.make()
    yield made
    assert made.site.journal.failures == [] and made.site.faults() == []
