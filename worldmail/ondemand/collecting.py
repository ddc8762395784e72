"""What agents do that fetch mail from mailboxes on other servers, by POP3 or IMAP.

A run is `collecting_run`; a test of one looks at headers alone, and changes nothing here or there.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Any

from attrs import define, field, frozen
from twisted.internet.defer import CancelledError
from twisted.internet.defer import TimeoutError as TimedOut
from zope.interface import implementer

from worldmail.errors import WorldMailError
from worldmail.interfaces.collection import IRemoteDrop, IRemoteDrops, RemoteLost
from worldmail.interfaces.database import IDatabase
from worldmail.interfaces.directory import IDirectory
from worldmail.interfaces.expansion import IExpansion
from worldmail.interfaces.ondemand import Agent, AgentKind, IErrand, Result, Wrong
from worldmail.interfaces.outbound import Hop, HopFailed
from worldmail.interfaces.policy import IPolicy
from worldmail.interfaces.store import IAcceptance, ITrace
from worldmail.interfaces.unclaimed import IUnclaimed
from worldmail.interfaces.world import IClock, IJournal
from worldmail.mail.address import Address
from worldmail.mail.envelope import Origin
from worldmail.mail.header import Header
from worldmail.mail.results import normal_name
from worldmail.ondemand.collecting_intake import MAXIMUM_HEADER, Claim, Reception, header_in
from worldmail.ondemand.collecting_looking import Mail, headers, named
from worldmail.ondemand.collecting_memory import remembered
from worldmail.ondemand.collecting_places import Placed, Places, unclaimed
from worldmail.ondemand.collecting_run import Ground, Run, TooSlow
from worldmail.ondemand.collecting_tally import Tally
from worldmail.ondemand.sorting import Sorted, Sorter, Surety

ROUNDS = 6
"""Conversations of one run, at most."""

PAUSE = 2.0
"""Seconds between two of them: servers need a moment to see that a connection is gone."""

OPENING = 900.0
"""Seconds after which a server is left that does not come to the end of greeting and signing in."""

TROUBLES = 1000
"""Messages of one agent at which a conversation broke that are remembered, until the server stops."""


def _as_it_is(work: Awaitable[Any], seconds: float) -> Awaitable[Any]:
    return work


@frozen(kw_only=True)
class Surroundings:
    """What all collections of this server share.

    Args:
        host: our own name.
        hop: the way to an agent's server, looked up now, with its login. Raises `HopFailed`.
        in_time: what ends what takes too long (see `collecting_run.Ground`).
        relays: the names of our relays.
    """

    database: IDatabase
    acceptance: IAcceptance
    directory: IDirectory
    expansion: IExpansion
    policy: IPolicy
    trace: ITrace
    unclaimed: IUnclaimed
    clock: IClock
    journal: IJournal
    host: str
    hop: Callable[[Agent], Awaitable[Hop]]
    in_time: Callable[[Awaitable[Any], float], Awaitable[Any]] = _as_it_is
    relays: Callable[[], Iterable[str]] = tuple


@implementer(IErrand)
@define(kw_only=True, eq=False)
class Collection:
    """Provides `IErrand` for one kind of agent.

    Where a conversation breaks the run goes on with another one, a few times: what was under way is fetched last then,
    with nothing beside it. A message at which it breaks again is left, and is the last in the runs to come. So one that
    the server cannot give, or of which it says that it is small while it is not, stays in no other's way.

    Args:
        drops: opens conversations for this agent.
        surroundings: may be replaced by others at any time; runs that have begun keep theirs.
    """

    kind: AgentKind
    drops: Callable[[Agent], IRemoteDrops]
    surroundings: Surroundings
    _troubles: dict[str, frozenset[str]] = field(factory=dict, init=False)

    async def run(self, agent: Agent) -> Result:
        """See `IErrand.run`."""
        tally, alone, guilty = Tally(), set(self._troubles.get(agent.name, ())), set[str]()
        server = ""
        stop: BaseException | None = None
        for number in range(ROUNDS):
            try:
                if number:
                    await self.surroundings.clock.sleep(PAUSE)
                await self._check(agent)
                drop = await self._connect(agent)
            except CancelledError as error:
                stop = error
                break
            except WorldMailError as error:
                stop = WorldMailError(_words(error))
                break
            server = drop.server
            run = Run(
                agent=agent, drop=drop, ground=self._ground(agent, drop), tally=tally, alone=alone, skipped=guilty
            )
            await run.run()
            stop = run.stop
            if not run.suspects or isinstance(stop, TooSlow) or not isinstance(stop, RemoteLost):
                break
            if len(run.suspects) == 1 and run.suspects <= alone:
                guilty |= run.suspects
                self._blame(agent, tally, next(iter(run.suspects)), stop)
            alone |= run.suspects
        some = [name for name in alone if name not in tally.done]
        self._troubles[agent.name] = frozenset(some[:TROUBLES])
        return self._came_to(agent, tally, server, stop)

    def _blame(self, agent: Agent, tally: Tally, name: str, why: RemoteLost) -> None:
        """At this message the conversation breaks."""
        tally.leave(name, f"message {name[:70]}: the conversation breaks at it: {why}")
        self.surroundings.journal.record("collection.left", agent=agent.name, message=name, reason=f"it breaks: {why}")

    def _came_to(self, agent: Agent, tally: Tally, server: str, stop: BaseException | None) -> Result:
        if server:
            return tally.result(server, stop)
        return Result(
            ok=False, words="stopped before it was connected" if isinstance(stop, CancelledError) else str(stop)
        )

    def _ground(self, agent: Agent, drop: IRemoteDrop) -> Ground:
        around = self.surroundings
        return Ground(
            database=around.database,
            trace=around.trace,
            journal=around.journal,
            reception=Reception(
                acceptance=around.acceptance,
                policy=around.policy,
                origin=self._origin(agent, drop),
                host=around.host,
                forged=frozenset(map(normal_name, (around.host, *around.relays()))),
                largest=agent.values["largest"],
                claim=self._claim(agent),
                now=around.clock.now,
            ),
            leave=agent.values["leave"],
            at_once=agent.values["at_once"],
            now=around.clock.now,
            pause=self._pause,
            seconds=around.clock.seconds,
            in_time=around.in_time,
        )

    async def test(self, agent: Agent) -> list[str]:
        """See `IErrand.test`: for each message whom it would go to, by which header, and how sure that is."""
        lines: list[str] = []
        drop: IRemoteDrop | None = None
        try:
            await self._check(agent)
            drop = await self._connect(agent)
            lines.append(f"connected to {drop.server} and signed in")
            await self._look(agent, drop, lines)
            await drop.close()
        except CancelledError:
            lines.append(Wrong("stopped"))
        except WorldMailError as error:
            lines.append(Wrong(_words(error)))
        finally:
            if drop is not None:
                drop.abort()
        return lines

    async def _look(self, agent: Agent, drop: IRemoteDrop, lines: list[str]) -> None:
        memory = await self.surroundings.database.scan(partial(remembered, agent=agent.name))
        listed = await drop.messages()
        most, largest = agent.values["at_once"], agent.values["largest"]
        looked = await named(drop, listed, memory, self._pause, most=most, wanted=lambda mail: mail.octets <= largest)
        new = {mail.number: mail for mail in looked.mails if mail.name not in memory}
        before = len(looked.mails) - len(new)
        count = len(listed)
        lines.append(f"{count} messages there, {before} of them fetched before" if before else _count(count))
        some = list(new)[:most]
        async for number, raw in headers(drop, some):
            lines.append(await self._said(agent, new[number], raw))
        if len(new) + looked.rest > len(some):
            lines.append(f"{len(new) + looked.rest - len(some)} more wait for the run after the next one")

    async def _said(self, agent: Agent, mail: Mail, raw: bytes) -> str:
        header = Header(header_in(raw))
        if mail.octets > agent.values["largest"]:
            where = "stays there, it is too large"
        elif len(raw) > MAXIMUM_HEADER:
            where = "stays there, its header is too large"
        else:
            where = (await self._place(agent, header)).words
        return f"message {mail.number}, {mail.octets} octets, {_shown(header.first(b'subject') or b'')}: {where}"

    async def _check(self, agent: Agent) -> None:
        """A recipient that is not here would have all mail unclaimed."""
        recipient = agent.values["recipient"]
        if recipient is None:
            return
        placed = await self._places().place(_plain(recipient))
        if not placed.recipients:
            raise WorldMailError(f"there is no {recipient} here: nothing was fetched")

    async def _connect(self, agent: Agent) -> IRemoteDrop:
        hop = await self.surroundings.hop(agent)
        try:
            drop: IRemoteDrop = await self.surroundings.in_time(self.drops(agent).connect(hop), OPENING)
        except TimedOut:
            raise TooSlow("The server does not come to the end of greeting and signing in") from None
        return drop

    def _claim(self, agent: Agent) -> Claim:
        async def claim(header: Header) -> Placed:
            placed = await self._place(agent, header)
            if placed.recipients:
                return placed
            return await unclaimed(placed, self.surroundings.unclaimed, agent.values["domains"])

        return claim

    async def _place(self, agent: Agent, header: Header) -> Placed:
        values = agent.values
        if values["recipient"] is not None:
            return await self._places().place(_plain(values["recipient"]))
        domains = frozenset(values["domains"])
        sorter = Sorter(
            own=lambda address: address.domain_key in domains,
            steps=values["steps"],
            rules=values["rules"],
            prefix=values["prefix"],
        )
        return await self._places().place(sorter.sort(header))

    def _pause(self) -> Awaitable[None]:
        return self.surroundings.clock.sleep(0)

    def _places(self) -> Places:
        return Places(directory=self.surroundings.directory, expansion=self.surroundings.expansion)

    def _origin(self, agent: Agent, drop: IRemoteDrop) -> Origin:
        host, _, rest = drop.server.partition("[")
        return Origin(
            session=f"agent {agent.name}",
            protocol=self.kind.name,
            client=rest.partition("]")[0],
            helo=host,
        )


def _plain(recipient: Address) -> Sorted:
    return Sorted(recipients=(recipient,), step="recipient", surety=Surety.RULE)


def _words(error: WorldMailError) -> str:
    return f"{error.trouble.server}: {error}" if isinstance(error, HopFailed) else str(error)


def _count(messages: int) -> str:
    return f"{messages} message{'' if messages == 1 else 's'} there"


def _shown(text: bytes) -> str:
    """A subject, for people: without controls, bounded."""
    shown = "".join(c if c.isprintable() else "?" for c in text[:200].decode("utf-8", "replace"))[:60]
    return f'"{shown}"'
