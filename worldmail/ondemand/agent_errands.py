"""What agents do that fetch held mail (ODMR), or ask that it be sent (ETRN)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from attrs import frozen
from twisted.internet.defer import CancelledError
from zope.interface import implementer

from worldmail.errors import WorldMailError
from worldmail.interfaces.ondemand import Agent, AgentKind, IErrand, Result, Wrong
from worldmail.interfaces.outbound import NOT_PINNED, Hop, HopFailed
from worldmail.interfaces.turned import Fetch, IFetches

Way = Callable[[Agent], Awaitable[Hop]]
"""The way to an agent's server, looked up now, with its login. Raises `HopFailed`."""


ANOTHER_KEY = (
    ". Has its administrator changed its key, or does somebody else answer? Mail waits there meanwhile."
    " If it was changed: join again with a new code from there (worldmail relay invite), or set pins"
)


@implementer(IErrand)
@frozen(kw_only=True)
class OdmrErrand:
    """Fetches what a relay holds for us.

    Args:
        tell: tells the relay whom we have, if it is one that does not know; never fails.
    """

    fetches: IFetches
    hop: Way
    tell: Callable[[Agent], Awaitable[None]] | None = None
    kind: AgentKind = AgentKind.ODMR

    async def run(self, agent: Agent) -> Result:
        """See `IErrand.run`."""
        values = agent.values
        fetch = Fetch(
            agent=agent.name, domains=values["domains"], listener=values["listener"], stay=values.get("stay", 0)
        )
        try:
            if self.tell is not None:
                await self.tell(agent)
            return await self.fetches.fetch(await self.hop(agent), fetch)
        except CancelledError:
            return Result(ok=False, words="stopped")
        except WorldMailError as error:
            return Result(ok=False, words=words_of(error))

    async def test(self, agent: Agent) -> list[str]:
        """See `IErrand.test`."""
        return await look(self.fetches, self.hop, agent, "ATRN")


@implementer(IErrand)
@frozen(kw_only=True)
class EtrnErrand:
    """Asks a server to send what waits there for us."""

    fetches: IFetches
    hop: Way
    kind: AgentKind = AgentKind.ETRN

    async def run(self, agent: Agent) -> Result:
        """See `IErrand.run`."""
        try:
            return await self.fetches.ask(await self.hop(agent), agent.values["names"])
        except CancelledError:
            return Result(ok=False, words="stopped")
        except WorldMailError as error:
            return Result(ok=False, words=words_of(error))

    async def test(self, agent: Agent) -> list[str]:
        """See `IErrand.test`."""
        return await look(self.fetches, self.hop, agent, "ETRN")


async def look(fetches: IFetches, way: Way, agent: Agent, word: str) -> list[str]:
    """As far as signing in, and what is offered there."""
    lines: list[str] = []
    try:
        hop = await way(agent)
        lines.append(f"{hop.host} has the addresses {', '.join(hop.addresses)}")
        lines += await fetches.look(hop, word)
    except CancelledError:
        lines.append(Wrong("stopped"))
    except WorldMailError as error:
        lines.append(Wrong(words_of(error)))
    return lines


def words_of(error: WorldMailError) -> str:
    """What went wrong, with the server and its words."""
    if not isinstance(error, HopFailed):
        return str(error)
    trouble = error.trouble
    words = ": ".join(filter(None, (trouble.reason, None if trouble.reply is None else str(trouble.reply))))
    return f"{trouble.server}: {words}{ANOTHER_KEY if NOT_PINNED in words else ''}"
