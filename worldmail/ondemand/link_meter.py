"""What a day's mail over metered links may come to: counted here, and kept by who drives the links."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from attrs import define, field, frozen
from zope.interface import implementer

from worldmail.config.units import write_octets
from worldmail.interfaces.ondemand import LinkKind
from worldmail.interfaces.resting import ANY_ROUTE, IMeter
from worldmail.ondemand.link_keys import Link


def day_of(at: float) -> str:
    """The day of a moment by the clock of the machine, as "2026-11-22"."""
    return time.strftime("%Y-%m-%d", time.localtime(at))


@define(kw_only=True, eq=False)
class Budget:
    """What one link may carry in a day, in octets of messages.

    Attributes:
        day: which is counted; spent: what was sent on it.
    """

    link: str
    most: int
    day: str = ""
    spent: int = 0

    def left(self, day: str) -> int:
        """How much more on this day."""
        return max(0, self.most - self.spent) if day == self.day else self.most

    def spend(self, day: str, octets: int) -> bool:
        """So much is sent; False if that is too much."""
        if octets > self.left(day):
            return False
        self.spent = octets if day != self.day else self.spent + octets
        self.day = day
        return True

    def __str__(self) -> str:
        """As it is kept."""
        return f"{self.day} {self.spent}"

    def recall(self, text: str) -> None:
        """Go on with what was kept, if that is more."""
        day, _, spent = text.partition(" ")
        if spent.isdecimal() and (day > self.day or (day == self.day and int(spent) > self.spent)):
            self.day, self.spent = day, int(spent)


@frozen(kw_only=True)
class Way:
    """One of the links of a route. `budget`: None if it is not metered."""

    link: str
    budget: Budget | None


def ways_of(links: Iterable[Link], budgets: Mapping[str, Budget]) -> dict[str, list[Way]]:
    """By which links the mail of each route goes. `budgets`: by the names of links; without one nothing may go."""
    ways: dict[str, list[Way]] = {}
    for link in links:
        budget = None
        if link.kind is LinkKind.METERED and link.most:
            budget = budgets.get(link.name) or Budget(link=link.name, most=0)
        for route in link.routes:
            ways.setdefault(route, []).append(Way(link=link.name, budget=budget))
    return ways


@implementer(IMeter)
@define(kw_only=True, eq=False)
class Meter:
    """Provides `IMeter`.

    Attributes:
        ways: the links of each route that has one, by its name.
        driving: says whether this process looks after the links; who does not sends nothing over metered ones.
        is_up: says whether the link of this name is up.
        known: what these are; until then nothing is sent.
    """

    now: Callable[[], float]
    ways: Mapping[str, Sequence[Way]] = field(factory=dict)
    driving: Callable[[], bool] = field(default=lambda: True)
    is_up: Callable[[str], bool] = field(default=lambda name: True)
    known: bool = False

    def ours(self, route: str) -> bool:
        """See `IMeter.ours`."""
        return self.known and (self.driving() or self._budget(route) is None)

    def refuses(self, route: str, octets: int) -> str | None:
        """See `IMeter.refuses`."""
        budget = self._budget(route)
        if budget is None:
            return None
        if not self.driving():
            return f"Another server looks after the metered link {budget.link}"
        if octets <= budget.left(day_of(self.now())):
            return None
        return f"The link {budget.link} carries {write_octets(budget.most)} a day, and this is more than is left"

    def spend(self, route: str, octets: int) -> bool:
        """See `IMeter.spend`."""
        budget = self._budget(route)
        return budget is None or (self.driving() and budget.spend(day_of(self.now()), octets))

    def _budget(self, route: str) -> Budget | None:
        """What counts for a route now: of the links that are up one without a bound, or that with most left."""
        ways = self.ways.get(route)
        if ways is None:
            ways = () if route.startswith("hold:") else self.ways.get(ANY_ROUTE, ())
        budgets = [way.budget for way in ways if self.is_up(way.link)] or [way.budget for way in ways]
        bounded = [budget for budget in budgets if budget is not None]
        if len(bounded) < len(budgets) or not bounded:
            return None
        day = day_of(self.now())
        return max(bounded, key=lambda budget: budget.left(day))
