"""Counting the wrong words that come from an address."""

from __future__ import annotations

import ipaddress
from collections import OrderedDict

from attrs import define, field

WINDOW = 60.0
"""Seconds."""

MOST = 10_000
"""Addresses that are remembered; further ones push the oldest out."""


@define
class Guesses:
    """Wrong words by address, as this process knows.

    Args:
        bound: so many in a minute are too many; 0: none are.
    """

    bound: int
    _wrong: OrderedDict[str, tuple[float, int]] = field(factory=OrderedDict, init=False)

    def too_many(self, address: str, now: float) -> bool:
        """Did too many wrong words come from there? `now` in seconds of a clock that only grows."""
        began, count = self._wrong.get(_network(address), (0.0, 0))
        return 0 < self.bound <= count and now < began + WINDOW

    def wrong(self, address: str, now: float) -> None:
        """One more."""
        key = _network(address)
        began, count = self._wrong.pop(key, (now, 0))
        self._wrong[key] = (began, count + 1) if now < began + WINDOW else (now, 1)
        if len(self._wrong) > MOST:
            self._wrong.popitem(last=False)

    def continue_from(self, other: Guesses) -> None:
        """Share what `other` knows, from now on."""
        self._wrong = other._wrong


def _network(address: str) -> str:
    """Of IPv6 the 64 bits that one site has."""
    if ":" not in address:
        return address
    try:
        return str(ipaddress.IPv6Network((address.partition("%")[0], 64), strict=False))
    except ValueError:
        return address
