"""A site tells its relay whom it has: when that changed, and once a day (`IRelayEnd.replace_recipients`).

Before it is told, the relay is asked which domains it holds for us now, which may be more than when we joined.

It is told on a connection of its own, since the one over which mail comes is the relay's to speak on. What was taken is
remembered by its digest. How much room mailboxes have is told coarsely, so that not every message is a change.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Sequence

from attrs import define, evolve, field
from twisted.internet.defer import CancelledError

from worldmail.database.entries import Entry
from worldmail.database.statuses import Statuses
from worldmail.errors import WorldMailError
from worldmail.interfaces.database import Cursor, IDatabase
from worldmail.interfaces.ondemand import Agent
from worldmail.interfaces.outbound import Hop
from worldmail.interfaces.pairs import IPairs, Known, Pair
from worldmail.interfaces.turned import IFetches
from worldmail.interfaces.world import Aside, IClock, IJournal
from worldmail.ondemand.pair_entries import PAIRS

STATUSES = Statuses("pair")

DAILY = 86400
"""Seconds after which it is told again though nothing changed: the relay may have lost it."""

Recipients = Callable[[Sequence[str]], Awaitable[list[Known]]]
"""Whom these domains have, with all that bounds them."""


@define(kw_only=True, eq=False)
class RecipientPush:
    """Tells each relay whom we have.

    Args:
        recipients: who there is.
        here: the names of all domains here: where one came, it may be one that the relay holds for us since.
        hop: the way to an agent's server, with its login; raises `HopFailed`.
        fetches: says it there.
        aside: for lists of many.

    Attributes:
        changed: has it looked soon; to be called when what bounds all recipients is another.
    """

    database: IDatabase
    clock: IClock
    journal: IJournal
    pairs: IPairs
    recipients: Recipients
    here: Callable[[], Awaitable[Sequence[str]]]
    hop: Callable[[Agent], Awaitable[Hop]]
    fetches: IFetches
    aside: Aside
    changed: Callable[[], None] = field(default=lambda: None, init=False)
    _under_way: set[str] = field(factory=set, init=False)

    async def tell(self, agent: Agent) -> None:
        """Tell the relay that this agent fetches from, if it is one that we joined and does not know.

        Never fails: what goes wrong is in the log, and is tried again the next time.
        """
        pair = self.pairs.relay(agent.name)
        if pair is None or not pair.domains or pair.name in self._under_way:
            return
        self._under_way.add(pair.name)
        try:
            await self._tell(pair, agent)
        except CancelledError:
            raise
        except WorldMailError as error:
            self.journal.record("pair.not-told", relay=pair.name, reason=str(error))
        finally:
            self._under_way.discard(pair.name)

    async def _tell(self, pair: Pair, agent: Agent) -> None:
        lists, digest = await self._lists(pair.domains)
        now = int(self.clock.now())
        before = await self.database.read(lambda cursor: STATUSES.find(cursor, pair.name))
        if before.get("told") == digest and now - int(before.get("at", "0")) < DAILY:
            return
        hop = await self.hop(agent)
        facts = await self.fetches.facts(hop)
        domains, called = facts.domains, facts.host
        if (domains, called) != (pair.domains, pair.called):  # who is not told there would be nobody
            await self.database.write(lambda cursor: _put_facts(cursor, pair.name, domains, called))
            lists, digest = await self._lists(domains)
        words = await self.fetches.push(hop, lists)
        self.journal.record("pair.told", relay=pair.name, recipients=len(lists), reply=words)

        def note(cursor: Cursor) -> None:
            STATUSES.change(cursor, pair.name, {"told": digest, "at": str(now)})

        await self.database.write(note)

    async def _lists(self, domains: Sequence[str]) -> tuple[list[Known], str]:
        found, here = await self.recipients(domains), await self.here()

        def work() -> tuple[list[Known], str]:
            lists = [coarse(known) for known in found]
            return lists, digest_of(lists, here)

        lists, digest = await self.aside(work)
        return lists, digest


def _put_facts(cursor: Cursor, name: str, domains: Sequence[str], called: str) -> None:
    entry = PAIRS.find(cursor, name)
    if entry is not None:
        PAIRS.replace(cursor, Entry(name, {**entry.texts, "domains": ",".join(domains), "called": called}))


def coarse(known: Known) -> Known:
    """With the room rounded down to its two highest bits."""
    if known.room is None or known.room < 4:
        return known
    low = known.room.bit_length() - 2
    return evolve(known, room=known.room >> low << low)


def digest_of(lists: Sequence[Known], here: Sequence[str]) -> str:
    """The same for the same recipients and domains, in whatever order."""
    lines = sorted(f"{known.local}\n{known.domain}\n{known.most}\n{known.room}" for known in lists)
    lines += sorted(here)
    return hashlib.sha256("\n\n".join(lines).encode("utf-8", "surrogatepass")).hexdigest()
