"""From settings to what agents do, each kind by the part of the server that can do it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from attrs import define
from twisted.internet.defer import Deferred

from worldmail.app.collecting import collections, surroundings_of
from worldmail.app.ground import StoreParts
from worldmail.app.outgoing import OutgoingParts, make_exchangers, make_means
from worldmail.app.pairing import build_push
from worldmail.errors import WorldMailError
from worldmail.interfaces.ondemand import Agent, AgentKind, IErrand
from worldmail.interfaces.outbound import Hop
from worldmail.interfaces.queue import Route, Via
from worldmail.interfaces.resting import IResting
from worldmail.interfaces.world import IJournal, World
from worldmail.ondemand.agent_errands import EtrnErrand, OdmrErrand
from worldmail.ondemand.fingering import FingerErrand
from worldmail.ondemand.pair_push import RecipientPush
from worldmail.ondemand.waking import WakeErrand
from worldmail.protocols.finger.client.asker import Finger
from worldmail.protocols.smtp.fetches import Fetches
from worldmail.queue.exchangers import Exchangers


@define(kw_only=True, eq=False)
class Ways:
    """The way to the server of an agent: as mail finds the host of a route."""

    exchangers: Exchangers

    async def hop(self, agent: Agent) -> Hop:
        """Looked up now, with its login. Raises `HopFailed`."""
        values = agent.values
        route = Route(
            name=agent.name,
            via=Via.HOST,
            host=values["host"],
            port=values["port"],
            security=values["security"],
            implicit_tls=values["implicit_tls"],
            login=values["login"],
            pins=values["pins"],
            renews=values["renews"],
        )
        async for hop in self.exchangers.hops(route, ""):
            return hop
        raise RuntimeError("a route to a host has a hop, or fails")


@define(kw_only=True, eq=False)
class Errands:
    """What agents of each kind do.

    Args:
        renewals: what takes up the settings of another world.
        push: tells relays whom we have.
        fetches: asks for our mail.
    """

    kinds: Mapping[AgentKind, IErrand]
    renewals: tuple[Callable[[World], None], ...]
    push: RecipientPush
    fetches: Fetches

    def renew(self, world: World) -> None:
        """Go by the settings of this world from now on."""
        for renewal in self.renewals:
            renewal(world)


async def _send_what_waits(pair: str, resting: IResting, journal: IJournal) -> None:
    """Our own mail leaves by the route that has the name of the pair; what fails here is tried again by itself."""
    try:
        await resting.is_back(pair)
    except WorldMailError as error:
        journal.failure("queue.failed", error)


def build_errands(world: World, parts: StoreParts, outgoing: OutgoingParts) -> Errands:
    """All of them; nothing is begun."""
    ways = Ways(exchangers=make_exchangers(world.settings, outgoing.resolver, world.hostname))
    resting, journal = outgoing.queue.resting, parts.foundations.journal

    def met(pair: str) -> None:
        Deferred.fromCoroutine(_send_what_waits(pair, resting, journal))

    fetches = Fetches(connector=outgoing.connector, means=make_means(parts, world.aside), world=world, met=met)
    push = build_push(world, fetches, ways.hop, lambda: fetches.world.settings)
    fetching = collections(world, parts, outgoing, ways.hop)
    errands: list[Any] = [
        OdmrErrand(fetches=fetches, hop=ways.hop, tell=push.tell),
        EtrnErrand(fetches=fetches, hop=ways.hop),
        *fetching,
        WakeErrand(
            acceptance=world.acceptance,
            directory=world.directory,
            expansion=world.expansion,
            clock=world.clock,
            host=world.hostname,
        ),
        FingerErrand(finger=Finger(outgoing.connector, Deferred), hop=ways.hop),
    ]

    def renew(new: World) -> None:
        fetches.world = new
        ways.exchangers = make_exchangers(new.settings, outgoing.resolver, new.hostname)
        for each in fetching:
            each.surroundings = surroundings_of(new, parts, ways.hop)
        push.changed()

    return Errands(kinds={errand.kind: errand for errand in errands}, renewals=(renew,), push=push, fetches=fetches)
