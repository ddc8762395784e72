"""What one account may fetch: its holds, or some of their domains."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

from attrs import evolve, frozen

from worldmail.interfaces.database import IDatabase
from worldmail.interfaces.holds import Hold
from worldmail.interfaces.queue import IRoutes
from worldmail.interfaces.releases import NotYours
from worldmail.queue.destinations import Destination, Destinations
from worldmail.queue.releasing import Held, held_destinations, is_of
from worldmail.queue.routes import routes_of


@frozen(kw_only=True)
class Share:
    """What of one hold is asked for: some of its domains, None for all."""

    hold: str
    domains: frozenset[str] | None

    def meets(self, other: Share) -> bool:
        """Is there a domain that both have?"""
        if self.hold != other.hold:
            return False
        return self.domains is None or other.domains is None or not self.domains.isdisjoint(other.domains)


@frozen(kw_only=True)
class Shares:
    """What one account may have, by the holds as they are at each moment."""

    database: IDatabase
    routes: IRoutes
    account: str
    asked: tuple[Share, ...]

    @classmethod
    def of(cls, database: IDatabase, routes: IRoutes, account: str, domains: Iterable[str] | None) -> Shares:
        """Of these domains (in A-labels, lower case), None for all. Raises `NotYours` if that is not all of it."""
        if domains is None:
            asked = [Share(hold=hold.name, domains=None) for hold in routes.holds() if account in hold.accounts]
            if not asked:
                raise NotYours
        else:
            found: dict[str, list[str]] = {}
            for domain in domains:
                hold = routes.holding(domain)
                if hold is None or account not in hold.accounts:
                    raise NotYours
                found.setdefault(hold.name, []).append(domain)
            asked = [Share(hold=name, domains=frozenset(names)) for name, names in found.items()]
        return cls(database=database, routes=routes, account=account, asked=tuple(asked))

    def meet(self, other: Shares) -> bool:
        """Is there mail that both would fetch?"""
        return any(share.meets(another) for share, _ in self.holds() for another in other.asked)

    def apart_from(self, others: Sequence[Shares]) -> Shares:
        """Those of them that none of the others meets."""
        theirs = [share for other in others for share, _ in other.holds()]
        return evolve(self, asked=tuple(one for one in self.asked if not any(one.meets(share) for share in theirs)))

    def holds(self) -> list[tuple[Share, Hold]]:
        """Those of them that are still this account's."""
        pairs = [(share, self.routes.hold(share.hold)) for share in self.asked]
        return [(share, hold) for share, hold in pairs if hold is not None and self.account in hold.accounts]

    async def waiting(self) -> list[tuple[Hold, Held]]:
        """The destinations that were ever used. Raises what the database refuses with."""
        found: list[tuple[Hold, Held]] = []
        for share, hold in self.holds():
            domains = None if share.domains is None else sorted(share.domains)
            some = await self.database.read(partial(held_destinations, hold, domains))
            found += [(hold, held) for held in some if is_of(self.routes, hold, held)]
        return found


def destinations_of(destinations: Destinations, waiting: Sequence[tuple[Hold, Held]]) -> list[Destination]:
    """By their holds: mail for the domain may go another way by now, which has a destination of its own."""
    made = []
    for hold, held in waiting:
        destination = destinations.of(next(iter(routes_of(hold))), held.domain)
        destination.id = held.id
        made.append(destination)
    return made
