"""How much waits in holds."""

from __future__ import annotations

import string
from collections.abc import Awaitable, Callable, Iterable
from typing import Generic, TypeVar

from attrs import define, evolve, field, frozen
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from zope.interface import implementer

from worldmail.interfaces.database import Cursor, IDatabase
from worldmail.interfaces.holds import HoldLoad, IHoldLoads
from worldmail.wire.ready import Ready

FRESH = 10.0
"""Seconds for which a count is believed."""

DEAR = 20.0
"""So many times as long as counting took it is believed at least: a hold with very much in it is counted less often."""

MOST = 1000
"""Holds that are remembered."""

RECIPIENTS = 100_000
"""Recipients of one hold whose share is known."""

T = TypeVar("T")

# Keys of a hold's destinations begin with its name and a space; "!" is what follows a space.
_LOAD = (
    "SELECT count(*), coalesce(sum(size), 0), coalesce(min(accepted), 0) FROM queued WHERE id IN (SELECT r.queued_id"
    " FROM recipient r JOIN destination d ON d.id = r.destination_id WHERE d.key >= ? AND d.key < ?)"
)


def load_of(cursor: Cursor, name: str) -> HoldLoad:
    """Counted now: each message once, however many recipients it has there."""
    row = cursor.one(_LOAD, (f"hold {name} ", f"hold {name}!"))
    assert row is not None
    return HoldLoad(messages=row[0], octets=int(row[1]), oldest=int(row[2]))


def loads_of(cursor: Cursor, names: Iterable[str]) -> dict[str, HoldLoad]:
    """The same of several."""
    return {name: load_of(cursor, name) for name in names}


# Addresses differ in case alone where they differ; what waits for very many is looked at by those with the most.
_EACH = (
    "SELECT lower(r.address), sum(q.size) AS octets FROM recipient r JOIN destination d ON d.id = r.destination_id"
    " JOIN queued q ON q.id = r.queued_id WHERE d.key >= ? AND d.key < ? GROUP BY lower(r.address)"
    " ORDER BY octets DESC LIMIT ?"
)


def shares_of(cursor: Cursor, name: str) -> dict[str, int]:
    """Octets that wait in this hold for each recipient, by its address in lower case."""
    rows = cursor.all(_EACH, (f"hold {name} ", f"hold {name}!", RECIPIENTS))
    return {row[0]: int(row[1]) for row in rows}


_ASCII = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)


def _folded(address: str) -> str:
    """As every database folds it."""
    return address.translate(_ASCII)


@frozen
class _Count(Generic[T]):
    load: T
    until: float


@define(eq=False)
class _Counts(Generic[T]):
    """One count of each hold, as long as it is believed. Whoever asks while it is counted waits for that count."""

    _count_it: Callable[[str], Awaitable[T]]
    _seconds: Callable[[], float]
    known: dict[str, _Count[T]] = field(factory=dict, init=False)
    _waiting: dict[str, list[Deferred[T]]] = field(factory=dict, init=False)

    def get(self, name: str) -> Awaitable[T]:
        """It, counted anew if need be."""
        known = self.known.get(name)
        if known is not None and self._seconds() < known.until:
            return Ready(known.load)
        waiting: Deferred[T] = Deferred()
        others = self._waiting.setdefault(name, [])
        others.append(waiting)
        if len(others) == 1:
            Deferred.fromCoroutine(self._count(name)).addBoth(self._counted, name)
        return waiting

    async def _count(self, name: str) -> T:
        began = self._seconds()
        load = await self._count_it(name)
        now = self._seconds()
        if len(self.known) >= MOST:
            self.known.clear()
        self.known[name] = _Count(load, now + max(FRESH, DEAR * (now - began)))
        return load

    def _counted(self, result: T | Failure, name: str) -> None:
        for waiting in self._waiting.pop(name):
            waiting.callback(result)  # a failure fails them


@implementer(IHoldLoads)
@define(eq=False)
class HoldLoads:
    """See `IHoldLoads`.

    Args:
        seconds: a clock that only grows.
        delimiters: the characters that part a user from a detail: all of a user's mail takes room of one mailbox.
    """

    _database: IDatabase
    _seconds: Callable[[], float]
    _delimiters: str = ""
    _loads: _Counts[HoldLoad] = field(init=False)
    _shares: _Counts[dict[str, int]] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._loads = _Counts(lambda name: self._database.scan(lambda cursor: load_of(cursor, name)), self._seconds)
        self._shares = _Counts(self._count_shares, self._seconds)

    def _count_shares(self, name: str) -> Awaitable[dict[str, int]]:
        return self._database.scan(lambda cursor: self._by_user(shares_of(cursor, name)))

    def _by_user(self, shares: dict[str, int]) -> dict[str, int]:
        found: dict[str, int] = {}
        for address, octets in shares.items():
            user = self._user(address)
            found[user] = found.get(user, 0) + octets
        return found

    def _user(self, address: str) -> str:
        """The address without a detail."""
        local, at, domain = _folded(address).rpartition("@")
        end = min((found for found in map(local.find, self._delimiters) if found > 0), default=len(local))
        return f"{local[:end]}{at}{domain}"

    def load(self, name: str) -> Awaitable[HoldLoad]:
        """See `IHoldLoads.load`."""
        return self._loads.get(name)

    def took(self, name: str, octets: int) -> None:
        """See `IHoldLoads.took`."""
        known = self._loads.known.get(name)
        if known is not None:
            load = evolve(known.load, messages=known.load.messages + 1, octets=known.load.octets + octets)
            self._loads.known[name] = evolve(known, load=load)

    async def share(self, name: str, address: str) -> int:
        """See `IHoldLoads.share`."""
        shares = await self._shares.get(name)
        return shares.get(self._user(address), 0)

    def took_for(self, name: str, address: str, octets: int) -> None:
        """See `IHoldLoads.took_for`."""
        known = self._shares.known.get(name)
        key = self._user(address)
        if known is not None and (key in known.load or len(known.load) < 2 * RECIPIENTS):
            known.load[key] = known.load.get(key, 0) + octets
