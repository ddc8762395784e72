"""Who tells a relay whom the site has, where the site consists of several servers."""

from __future__ import annotations

from typing import Any

from attrs import define, field
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from worldmail.interfaces.ondemand import Agent, AgentKind, LinkState
from worldmail.interfaces.pairs import End, Pair
from worldmail.ondemand.pair_watch import SOON, PairWatch

PAIR = Pair(name="relay.test", end=End.SITE, account="a@relay.test", domains=("here.test",), joined=1)


@define
class Around:
    """The pairs, the links, and what is told, as far as this needs them."""

    driving: bool = False
    told: list[str] = field(factory=list)
    changed: Any = None

    def pairs(self) -> list[Pair]:
        return [PAIR]

    async def agent(self, name: str) -> Agent:
        return Agent(name=name, kind=AgentKind.ODMR)

    async def tell(self, agent: Agent) -> None:
        self.told.append(agent.name)

    def state(self, name: str) -> LinkState:
        return LinkState.UP

    def subscribe(self, topic: str, call: Any) -> Any:
        return lambda: None


class WatchTests(SynchronousTestCase):
    def test_of_several_servers_the_one_that_runs_the_agents_tells_and_who_takes_over_does_so_soon(self) -> None:
        clock, around = Clock(), Around()
        watching: Any = around
        watch = PairWatch(
            push=watching, pairs=watching, agent=around.agent, links=watching, changes=watching, later=clock.callLater
        )
        watch.startService()
        clock.pump([SOON] * 5)
        assert around.told == []
        around.driving = True
        clock.pump([SOON] * 5)
        assert around.told == ["relay.test"]
        watch.stopService()
        assert not clock.getDelayedCalls()
