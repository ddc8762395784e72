"""Is an IP address in one of these networks? Asked for every connection and login, so answered with integers."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network

_MAPPED = b"\0" * 10 + b"\xff\xff"


class NetworkSet:
    """Networks, and `host in networks` for an address as text.

    An IPv4 address mapped into IPv6 counts as IPv4, the zone of an address says nothing, and a text that is
    no address is in no network.
    """

    __slots__ = ("_masks",)

    def __init__(self, networks: Iterable[IPv4Network | IPv6Network] = ()) -> None:
        # (octets of an address, network, mask) for each.
        self._masks = [(net.max_prefixlen // 8, int(net.network_address), int(net.netmask)) for net in networks]

    def __bool__(self) -> bool:
        return bool(self._masks)

    def __contains__(self, host: str) -> bool:
        if not self._masks:
            return False
        packed = packed_address(host)
        if packed is None:
            return False
        octets, value = len(packed), int.from_bytes(packed, "big")
        return any(octets == size and value & mask == network for size, network, mask in self._masks)


@lru_cache(4096)
def packed_address(host: str) -> bytes | None:
    """The 4 or 16 octets of an address as text; None if it is none."""
    try:
        if ":" not in host:
            return socket.inet_pton(socket.AF_INET, host)
        packed = socket.inet_pton(socket.AF_INET6, host.partition("%")[0])
    except (OSError, ValueError):
        return None
    return packed[12:] if packed.startswith(_MAPPED) else packed
