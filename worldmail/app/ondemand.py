"""What a site does when its link is there, put together: links, and what goes over them."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from attrs import frozen
from twisted.application.service import MultiService

from worldmail.app.errands import Errands, build_errands
from worldmail.app.ground import StoreParts
from worldmail.app.outgoing import Below, OutgoingParts, runner_locks
from worldmail.app.pairing import build_watch
from worldmail.app.renewing import Renewing
from worldmail.interfaces.store import ILeaseLocks
from worldmail.interfaces.world import World
from worldmail.ondemand.agents import Agents
from worldmail.ondemand.link_service import Links
from worldmail.store.maildrop import FileLocks


@frozen(kw_only=True)
class OnDemandParts:
    """What is done on demand.

    Args:
        agents: to run while the server does; stop it before what sends mail.
        service: to run while the server does; stop it after what sends mail.
    """

    errands: Errands
    agents: Agents
    links: Links
    service: Any


def build_ondemand(world: World, parts: StoreParts, outgoing: OutgoingParts) -> OnDemandParts:
    """Everything that is done on demand; nothing is begun."""
    foundations = parts.foundations
    links = Links(
        reactor=foundations.reactor,
        database=parts.database,
        changes=foundations.changes,
        clock=foundations.clock,
        journal=foundations.journal,
        resting=outgoing.queue.resting,
        locks=runner_locks(parts),
    )
    outgoing.queue.runner.carriage.meter = links.meter
    links.knows = lambda: outgoing.queue.runner.look(0)
    service: Any = MultiService()  # type: ignore[no-untyped-call]  # Twisted's is untyped
    links.setServiceParent(service)  # type: ignore[no-untyped-call]  # Twisted's is untyped
    errands = build_errands(world, parts, outgoing)
    renewing = Renewing(database=parts.database, clock=foundations.clock, journal=foundations.journal)
    outgoing.connector.shown = renewing.shown
    agents = Agents(
        reactor=foundations.reactor,
        database=parts.database,
        changes=foundations.changes,
        clock=foundations.clock,
        journal=foundations.journal,
        unseal=parts.key.unseal,
        errands=errands.kinds,
        locks=agent_locks(parts),
        chance=random.random,
    )
    agents.links, links.agents = links, agents
    errands.fetches.stands = agents.stands
    build_watch(world, parts, errands.push, links).setServiceParent(service)  # type: ignore[no-untyped-call]  # Twisted's
    return OnDemandParts(errands=errands, agents=agents, links=links, service=service)


def agent_locks(parts: StoreParts) -> ILeaseLocks:
    """One lock for each agent's name."""
    shared = parts.locks
    if shared is None:
        return FileLocks(str(Path(parts.foundations.data) / "agents.lock"))
    return Below(shared)
