"""From settings to the pairs that a running server is one end of."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from attrs import evolve, frozen

from worldmail.app.following import Following
from worldmail.app.ground import StoreParts, host_name
from worldmail.app.held import held_domains
from worldmail.auth.credential_maker import CredentialMaker
from worldmail.config.settings import Settings
from worldmail.directory.accounts import set_password
from worldmail.directory.domains import list_domains
from worldmail.directory.own_recipients import Own, own_recipients
from worldmail.interfaces.directory import Account
from worldmail.interfaces.ondemand import Agent, ILinks
from worldmail.interfaces.outbound import Hop
from worldmail.interfaces.pairs import Known
from worldmail.interfaces.queue import IRoutes
from worldmail.interfaces.store import IMailboxStore
from worldmail.interfaces.turned import IFetches
from worldmail.interfaces.world import World
from worldmail.ondemand.agent_admin import AgentAdmin
from worldmail.ondemand.pair_push import RecipientPush
from worldmail.ondemand.pair_watch import PairWatch
from worldmail.ondemand.pairs import CurrentPairs
from worldmail.ondemand.relay_end import RelayEnd


@frozen(kw_only=True)
class PairParts:
    """Both ends. `following` has the pairs read; to run before anything is served."""

    pairs: CurrentPairs
    relay_end: RelayEnd
    following: Following


def build_pairs(parts: StoreParts, routes: IRoutes) -> PairParts:
    """Nothing is begun."""
    foundations = parts.foundations
    clock, journal = foundations.clock, foundations.journal
    pairs = CurrentPairs(parts.database, foundations.changes, routes, clock.sleep)
    relay_end = RelayEnd(
        database=parts.database,
        clock=clock,
        journal=journal,
        pairs=pairs,
        credentials=CredentialMaker(parts.passwords, parts.key),
        set_password=set_password,
        held=held_domains,
        recipients=parts.recipient_admin,
        submission=submission_place(foundations.settings),
        host=foundations.settings.protocols["smtp"].hostname or host_name(foundations.settings),
    )
    return PairParts(pairs=pairs, relay_end=relay_end, following=Following(pairs, "pair.unread", journal, clock.sleep))


def build_push(
    world: World,
    fetches: IFetches,
    hop: Callable[[Agent], Awaitable[Hop]],
    settings: Callable[[], Settings],
) -> RecipientPush:
    """What tells our relays whom we have. `settings`: those of now."""
    assert world.pairs is not None

    async def recipients(domains: Sequence[str]) -> list[Known]:
        found: list[Own] = await world.database.scan(lambda cursor: own_recipients(cursor, domains))
        limited: list[Account] = await world.aside(lambda: _limited(found))
        rooms = {account.id: await _room(world.mailboxes, account) for account in limited}
        largest = settings().protocols["smtp"].message_size
        known: list[Known] = await world.aside(lambda: [_bounded(own, rooms, largest) for own in found])
        return known

    async def here() -> list[str]:
        names: list[str] = await world.database.scan(lambda cursor: [one.name for one in list_domains(cursor)])
        return names

    return RecipientPush(
        database=world.database,
        clock=world.clock,
        journal=world.journal,
        pairs=world.pairs,
        recipients=recipients,
        here=here,
        hop=hop,
        fetches=fetches,
        aside=world.aside,
    )


def _limited(found: Sequence[Own]) -> list[Account]:
    """The accounts with a quota, each once."""
    accounts = {own.account.id: own.account for own in found if own.account is not None}
    return [account for account in accounts.values() if account.quota is not None]


async def _room(mailboxes: IMailboxStore, account: Account) -> int:
    used = sum(mailbox.octets for mailbox in await mailboxes.mailboxes(account.id))
    return max(0, (account.quota or 0) - used)


def _bounded(own: Own, rooms: Mapping[int, int], largest: int) -> Known:
    """With the room that is left. Nobody here has a message that is larger than any may be."""
    known = own.known
    room = None if own.account is None else rooms.get(own.account.id)
    return evolve(known, most=largest if known.most is None else min(known.most, largest), room=room)


def build_watch(world: World, parts: StoreParts, push: RecipientPush, links: ILinks) -> PairWatch:
    """What has it look while the server runs."""
    assert world.pairs is not None
    agents = AgentAdmin(world.database, world.clock, parts.key.seal, parts.key.unseal)
    return PairWatch(
        push=push,
        pairs=world.pairs,
        agent=agents.agent,
        links=links,
        changes=world.changes,
        later=world.reactor.callLater,
    )


def submission_place(settings: Settings) -> tuple[int, bool]:
    """The port where our sites hand in their mail, and whether TLS begins with STARTTLS there; 0 if there is none."""
    return _best([each for each in settings.protocols["smtp"].listeners if each.role == "submission"])


def turning_place(settings: Settings) -> tuple[int, bool]:
    """The same for where they fetch what is held: first those for that alone."""
    there = [each for each in settings.protocols["smtp"].listeners if each.turns]
    port, starttls = _best([each for each in there if each.role == "odmr"])
    return (port, starttls) if port else _best(there)


def _best(listeners: list[Any]) -> tuple[int, bool]:
    """TLS from the first octet on where that is to be had (RFC 8314 §3)."""
    there = [each for each in listeners if each.tls != "off" and each.listen]
    there.sort(key=lambda each: each.tls != "implicit")
    return (there[0].listen[0].port, there[0].tls != "implicit") if there else (0, False)
