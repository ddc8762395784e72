"""What fetches mail from mailboxes on other servers, put together."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred

from worldmail.app.ground import StoreParts
from worldmail.app.outgoing import OutgoingParts
from worldmail.app.unclaimed import unclaimed_folders
from worldmail.interfaces.ondemand import Agent, AgentKind
from worldmail.interfaces.outbound import Hop
from worldmail.interfaces.world import World
from worldmail.ondemand.collecting import Collection, Surroundings
from worldmail.protocols.imap.client.drops import Drops as ImapDrops
from worldmail.protocols.pop3.client import channel as pop3
from worldmail.protocols.pop3.client.drops import Drops as Pop3Drops
from worldmail.wire.client.means import Means

Way = Callable[[Agent], Awaitable[Hop]]


def surroundings_of(world: World, parts: StoreParts, hop: Way) -> Surroundings:
    """What collections go by, under the settings of this world."""
    return Surroundings(
        database=world.database,
        acceptance=world.acceptance,
        directory=world.directory,
        expansion=world.expansion,
        policy=world.policy,
        trace=world.trace,
        unclaimed=unclaimed_folders(parts),
        clock=world.clock,
        journal=world.journal,
        host=world.hostname,
        hop=hop,
        in_time=partial(_in_time, world.reactor),
        relays=lambda: () if world.pairs is None else [name for pair in world.pairs.pairs() for name in pair.names],
    )


def _in_time(reactor: Any, work: Awaitable[Any], seconds: float) -> Deferred[Any]:
    """See `Surroundings.in_time`."""
    return Deferred.fromCoroutine(_awaited(work)).addTimeout(seconds, reactor)


async def _awaited(work: Awaitable[Any]) -> Any:
    return await work


def collections(world: World, parts: StoreParts, outgoing: OutgoingParts, hop: Way) -> tuple[Collection, ...]:
    """The errands of the agents that fetch mail.

    Args:
        hop: the way to an agent's server, with its login. Raises `HopFailed`.
    """
    surroundings = surroundings_of(world, parts, hop)
    nonce = partial(secrets.token_urlsafe, 18)
    by_pop3 = Pop3Drops(outgoing.connector, pop3.Means(promise=Deferred, aside=world.aside, nonce=nonce))
    means = Means(promise=Deferred, aside=world.aside, nonce=nonce)
    return (
        Collection(kind=AgentKind.POP3, drops=lambda agent: by_pop3, surroundings=surroundings),
        Collection(
            kind=AgentKind.IMAP,
            drops=lambda agent: ImapDrops(outgoing.connector, means, agent.values["mailbox"]),
            surroundings=surroundings,
        ),
    )
