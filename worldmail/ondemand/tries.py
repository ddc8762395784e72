"""How often strangers may try: counted by network, in memory, bounded."""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from collections.abc import Callable

from attrs import define, field

MOST = 6
"""Tries a minute from one network."""

NETWORKS = 10_000
"""That are remembered; beyond them the oldest are forgotten."""

_MINUTE = 60.0
_LONGEST = 8.0


@define
class Tries:
    """Counts what failed.

    Args:
        seconds: a clock that only grows.
    """

    _seconds: Callable[[], float]
    _failed: OrderedDict[str, tuple[float, int]] = field(factory=OrderedDict, init=False)

    def left(self, client: str) -> bool:
        """Whether one more may be made from there."""
        return self._count(_network(client)) < MOST

    def failed(self, client: str) -> float:
        """One was made, and failed; seconds that its answer is to be kept back, longer each time."""
        network, now = _network(client), self._seconds()
        count = self._count(network)
        began = self._failed.pop(network, (now, 0))[0] if count else now
        self._failed[network] = (began, count + 1)
        if len(self._failed) > NETWORKS:
            self._failed.popitem(last=False)
        return min(0.5 * 2.0**count, _LONGEST)

    def _count(self, network: str) -> int:
        began, count = self._failed.get(network, (0.0, 0))
        return count if self._seconds() - began < _MINUTE else 0


def _network(client: str) -> str:
    """An IPv4 address, or what a house has of IPv6."""
    try:
        address = ipaddress.ip_address(client)
    except ValueError:
        return client
    return client if address.version == 4 else str(ipaddress.ip_network((address, 64), strict=False))
