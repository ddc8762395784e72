"""What a link stands on in a server, and the agents that run over it when it is up."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred

from worldmail.interfaces.ondemand import IAgents
from worldmail.interfaces.resting import IResting
from worldmail.interfaces.world import IClock, IJournal


@define(kw_only=True)
class Surroundings:
    """What the links of a server stand on.

    Args:
        agents: gives those that run over links; None where there are none.
        publish: brings what has changed into the database; done when it is there.
        nudge: look at all links soon.
    """

    reactor: Any
    clock: IClock
    journal: IJournal
    resting: IResting
    agents: Callable[[], IAgents | None]
    publish: Callable[[], Awaitable[None]]
    nudge: Callable[[], None]


@define(kw_only=True, eq=False)
class Fetching:
    """The agents of a link.

    Attributes:
        due: they are to run.
    """

    link: str
    on: Surroundings
    due: bool = field(default=False, init=False)
    _run: Deferred[Any] | None = field(default=None, init=False)

    def wish(self) -> None:
        """They are to run, if there are any."""
        self.due = self.on.agents() is not None

    @property
    def begun(self) -> bool:
        """Is what was begun here not over?"""
        return self._run is not None

    def goes_on(self) -> bool:
        """Does an agent run over it, whoever began that?"""
        agents = self.on.agents()
        return self.begun or (agents is not None and agents.busy(self.link))

    def begin(self) -> None:
        """Run them; those that run already, once."""
        self.due = False
        agents = self.on.agents()
        if agents is None:
            return
        self._run = run = Deferred.fromCoroutine(_awaited(agents.run_over(self.link)))
        run.addBoth(self._over)

    def _over(self, result: Any) -> None:
        self._run = None
        if hasattr(result, "value"):
            self.on.journal.failure("link.fault", result.value, link=self.link)
        self.on.nudge()


async def _awaited(what: Awaitable[Any]) -> Any:
    return await what
