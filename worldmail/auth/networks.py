"""Which networks an address stands for, where failures are counted and owners are recognised."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from attrs import frozen

from worldmail.config.fields import Network

_REMEMBERED = 10_000


@frozen(kw_only=True)
class ClientNetworks:
    """The networks of one address.

    Args:
        narrow: what one client can have: an IPv4 address, an IPv6 /64.
        wide: its surroundings: /24, /48.
        home: where an owner is recognised: /24, /64.
        exempt: True if the site leaves it alone.
    """

    narrow: str
    wide: str
    home: str
    exempt: bool


class Networks:
    """The networks of addresses, remembered.

    Args:
        exempt: networks that rates, caps and bans leave alone.
    """

    def __init__(self, exempt: Iterable[Network]) -> None:
        self._exempt = tuple(exempt)
        self._known: dict[str, ClientNetworks] = {}

    def of(self, client: str) -> ClientNetworks:
        """The networks of an IP address as text (an IPv4-mapped one counts as IPv4)."""
        known = self._known.get(client)
        if known is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            known = self._known[client] = self._find(client)
        return known

    def _find(self, client: str) -> ClientNetworks:
        try:
            address = ipaddress.ip_address(client.partition("%")[0])
        except ValueError:
            return ClientNetworks(narrow=client, wide=client, home=client, exempt=False)
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        lengths = (32, 24, 24) if address.version == 4 else (64, 48, 64)
        narrow, wide, home = (str(ipaddress.ip_network((address, length), strict=False)) for length in lengths)
        exempt = any(address in network for network in self._exempt)
        return ClientNetworks(narrow=narrow, wide=wide, home=home, exempt=exempt)
