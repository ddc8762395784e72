"""Choosing a route: the table in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from attrs import frozen

from worldmail.config.values import ANY
from worldmail.interfaces.holds import Hold, Release
from worldmail.interfaces.queue import Route, Via
from worldmail.interfaces.triggers import TriggerTable
from worldmail.mail.address import Address

OF_HOLD = "hold:"
"""What the names of routes begin with that holds make."""

BUILT_IN = Route(name="")
"""Where mail goes for which there is no route: to the servers that the DNS names (RFC 5321 §5.1)."""


@frozen
class RouteTable:
    """The enabled routes by what they are for, and all of them by name.

    Of two for the same domain and sender a hold comes first; of two routes, which no administrator can enable, the
    first by name.
    """

    _by_domain: dict[str, dict[str, list[Route]]]
    _by_name: dict[str, Route]
    _holds: dict[str, Hold]
    _held_domains: dict[str, Hold]
    triggers: TriggerTable

    @classmethod
    def of(cls, routes: Iterable[Route], holds: Iterable[Hold] = ()) -> RouteTable:
        """The table of these, whatever their order. For the same domain and sender a hold comes before a route."""
        by_domain: dict[str, dict[str, list[Route]]] = {}
        by_name = {route.name: route for route in routes}
        held = [route for hold in sorted(holds, key=lambda one: one.name) for route in routes_of(hold)]
        for route in (*held, *(by_name[name] for name in sorted(by_name))):
            if route.enabled:
                by_domain.setdefault(route.domain, {}).setdefault(route.sender, []).append(route)
        holding = {route.hold.name: route.hold for route in held if route.hold is not None and route.enabled}
        domains = {route.domain: route.hold for route in held if route.hold is not None and route.enabled}
        named = by_name | {route.name: route for route in held}
        return cls(by_domain, named, holding, domains, TriggerTable.of(holding.values()))

    def route(self, sender: Address | None, domain: str) -> Route:
        """See `IRoutes.route`. A null reverse-path fits "*" alone."""
        return next(self._fitting(sender, domain), BUILT_IN)

    def onward(self, sender: Address | None, domain: str) -> Route:
        """See `IRoutes.onward`."""
        return next((route for route in self._fitting(sender, domain) if route.via is not Via.HOLD), BUILT_IN)

    def _fitting(self, sender: Address | None, domain: str) -> Iterator[Route]:
        """All that fit, the most exact first."""
        for of_domain in _patterns(domain):
            by_sender = self._by_domain.get(of_domain)
            if by_sender is not None:
                for of_sender in _sender_patterns(sender):
                    yield from by_sender.get(of_sender, ())

    def named(self, name: str) -> Route | None:
        """See `IRoutes.named`. Disabled ones are found too."""
        return self._by_name.get(name)

    def hold(self, name: str) -> Hold | None:
        """See `IRoutes.hold`."""
        return self._holds.get(name)

    def holds(self) -> list[Hold]:
        """See `IRoutes.holds`."""
        return list(self._holds.values())

    def holding(self, domain: str) -> Hold | None:
        """See `IRoutes.holding`."""
        return next((self._held_domains[each] for each in _patterns(domain) if each in self._held_domains), None)


def routes_of(hold: Hold) -> Iterator[Route]:
    """The routes that a hold makes, one for each of its domains; no administrator's route has such a name."""
    vias = {Release.ODMR: Via.HOLD, Release.MX: Via.MX, Release.HOST: Via.HOST}
    for domain in hold.domains:
        yield Route(
            name=f"{OF_HOLD}{hold.name}",
            domain=domain,
            via=vias[hold.release],
            host=hold.host,
            port=hold.port,
            security=hold.security,
            implicit_tls=hold.implicit_tls,
            pins=hold.pins,
            renews=hold.renews,
            login=hold.login,
            queue=hold.name,
            enabled=hold.enabled,
            hold=hold,
        )


def in_order(routes: Iterable[Route]) -> list[Route]:
    """Routes in the order in which they are looked through: the most exact domain first, then sender, then name."""
    return sorted(routes, key=lambda route: (_exactness(route.domain), _exactness(route.sender), route.name))


def _exactness(pattern: str) -> tuple[int, int, str]:
    """Sorts addresses, then domains, then suffixes of them (the longest first), then "*"."""
    if pattern == ANY:
        return 3, 0, ""
    if pattern.startswith("."):
        return 2, -pattern.count("."), pattern
    return (0 if "@" in pattern else 1), 0, pattern


def _patterns(domain: str) -> Iterator[str]:
    """What fits a domain (in A-labels, lower case), from the most exact on: itself, what it lies below, "*"."""
    yield domain
    if not domain.startswith("["):  # a literal lies below nothing
        at = domain.find(".")
        while at >= 0:
            yield domain[at:]
            at = domain.find(".", at + 1)
    yield ANY


def _sender_patterns(sender: Address | None) -> Iterator[str]:
    if sender is None:
        yield ANY
        return
    yield sender.key
    yield from _patterns(sender.domain_key)
