"""Choosing a route: the table in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from attrs import frozen

from worldmail.interfaces.queue import Route, Via
from worldmail.mail.address import Address

ANY = "*"

BUILT_IN = Route(name="")
"""Where mail goes for which there is no route: to the servers that the DNS names (RFC 5321 §5.1)."""


@frozen
class RouteTable:
    """The enabled routes by what they are for, and all of them by name.

    Of two for the same domain and sender, which no administrator can enable, the first by name counts.
    """

    _by_domain: dict[str, dict[str, Route]]
    _by_name: dict[str, Route]

    @classmethod
    def of(cls, routes: Iterable[Route]) -> RouteTable:
        """The table of these routes, whatever their order."""
        by_domain: dict[str, dict[str, Route]] = {}
        by_name = {route.name: route for route in routes}
        for _, route in sorted(by_name.items()):
            if route.enabled:
                by_domain.setdefault(route.domain, {}).setdefault(route.sender, route)
        return cls(by_domain, by_name)

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
                    found = by_sender.get(of_sender)
                    if found is not None:
                        yield found

    def named(self, name: str) -> Route | None:
        """See `IRoutes.named`. Disabled ones are found too."""
        return self._by_name.get(name)


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
