"""Pairs as the database has them, in every process: in memory, following the change feed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from attrs import evolve, field, frozen
from zope.interface import implementer

from worldmail.database.current import Current
from worldmail.interfaces.database import Cursor, IChanges, IDatabase
from worldmail.interfaces.pairs import End, IPairs, Pair
from worldmail.interfaces.queue import IRoutes
from worldmail.ondemand.pair_entries import INVITES, PAIRS, read_invitation, read_pair


@frozen
class _Known:
    """What was read.

    Args:
        by_name: pairs that are joined.
        sites: those of which we are the relay, by account.
        inviting: until when an invitation is open, epoch seconds.
    """

    by_name: Mapping[str, Pair] = field(factory=dict)
    sites: Mapping[str, Pair] = field(factory=dict)
    inviting: int = 0


_NOBODY = _Known()


@implementer(IPairs)
class CurrentPairs:
    """See `IPairs`. `start` it before anything is asked; until then there are none.

    A site's domains are those of its hold as that is now, so an administrator adds one to the hold alone.

    Args:
        database: where they are kept.
        changes: the feed that tells of changes.
        holds: where the holds are known.
        sleep: done after so many seconds.
    """

    def __init__(
        self, database: IDatabase, changes: IChanges, holds: IRoutes, sleep: Callable[[float], Awaitable[None]]
    ) -> None:
        self._holds = holds
        self._current = Current(database, changes, (PAIRS.noun, INVITES.noun), _load, sleep, what="the pairs")

    async def start(self) -> None:
        """Read all of them and follow their changes. Raises `TemporaryFailure`, `ConfigurationError`."""
        await self._current.start()

    def stop(self) -> None:
        """Follow no more. Harmless a second time."""
        self._current.stop()

    @property
    def _known(self) -> _Known:
        return self._current.value if self._current.is_known else _NOBODY

    @property
    def inviting(self) -> int:
        """Until when an invitation is open, epoch seconds; 0 if none is."""
        return self._known.inviting

    def site(self, account: str) -> Pair | None:
        """See `IPairs.site`."""
        found = self._known.sites.get(account)
        return None if found is None else self._as_held(found)

    def relay(self, name: str) -> Pair | None:
        """See `IPairs.relay`."""
        found = self._known.by_name.get(name)
        return found if found is not None and found.end is End.SITE else None

    def pairs(self) -> Sequence[Pair]:
        """See `IPairs.pairs`."""
        return [pair if pair.end is End.SITE else self._as_held(pair) for pair in self._known.by_name.values()]

    def _as_held(self, pair: Pair) -> Pair:
        hold = self._holds.hold(pair.name)
        domains = () if hold is None else tuple(name for name in hold.domains if not name.startswith("."))
        return pair if pair.domains == domains else evolve(pair, domains=domains)


def _load(cursor: Cursor) -> _Known:
    pairs = [read_pair(entry) for entry in PAIRS.all(cursor)]
    joined = {pair.name: pair for pair in pairs if pair.joined}
    sites = {pair.account: pair for pair in joined.values() if pair.end is End.RELAY}
    inviting = max((read_invitation(entry).expires for entry in INVITES.all(cursor)), default=0)
    return _Known(joined, sites, inviting)
