"""Agents that ask for mail by a question to a finger server (RFC 1288)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from attrs import frozen
from twisted.internet.defer import CancelledError
from zope.interface import implementer

from worldmail.errors import WorldMailError
from worldmail.interfaces.ondemand import Agent, AgentKind, IErrand, Result, Wrong
from worldmail.interfaces.outbound import Hop
from worldmail.interfaces.triggers import IFinger
from worldmail.ondemand.agent_errands import words_of

REFUSALS = ("refused", "denied", "not allowed", "try again")
"""What a first line has in it that says no; servers have no codes."""


@implementer(IErrand)
@frozen(kw_only=True)
class FingerErrand:
    """Provides `IErrand`.

    Args:
        hop: the way to an agent's server, looked up now. Raises `HopFailed`.
    """

    finger: IFinger
    hop: Callable[[Agent], Awaitable[Hop]]
    kind: AgentKind = AgentKind.FINGER

    async def run(self, agent: Agent) -> Result:
        """See `IErrand.run`. The protocol has no codes: what the server said is for people to judge."""
        try:
            said = await self.finger.ask(await self.hop(agent), agent.values["secret"])
        except CancelledError:
            return Result(ok=False, words="stopped")
        except WorldMailError as error:
            return Result(ok=False, words=str(error))
        if not said:
            return Result(ok=False, words="the server said nothing")
        ok = not any(word in said.lower() for word in REFUSALS)
        return Result(ok=ok, words=f"the server said: {said.replace(agent.values['secret'], '***')}")

    async def test(self, agent: Agent) -> list[str]:
        """See `IErrand.test`: asking would release what waits, so nothing is said to the server."""
        lines: list[str] = []
        try:
            hop = await self.hop(agent)
            lines.append(f"{hop.host} has the addresses {', '.join(hop.addresses)}")
            await self.finger.look(hop)
            lines.append(f"it answers at port {hop.port}, where it would be asked")
        except CancelledError:
            lines.append(Wrong("stopped"))
        except WorldMailError as error:
            lines.append(Wrong(words_of(error)))
        return lines
