"""/etc/hosts: names that a site gives its machines without the DNS."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping

Hosts = Mapping[str, tuple[str, ...]]
"""Addresses by name (lower case, no final dot), IPv6 first, otherwise in the file's order."""


def parse_hosts(text: str) -> Hosts:
    """What /etc/hosts says; lines that make no sense say nothing."""
    found: dict[str, dict[str, None]] = {}
    for line in text.splitlines():
        address, *names = line.partition("#")[0].split() or [""]
        if names and (normal := _address(address)) is not None:
            for name in names:
                found.setdefault(name.removesuffix(".").lower(), {})[normal] = None
    return {name: tuple(sorted(addresses, key=lambda text: ":" not in text)) for name, addresses in found.items()}


def _address(text: str) -> str | None:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None
