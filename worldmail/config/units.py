"""Values with units: octets, durations, networks, places to listen, paths.

Each has a reader from what stands in the TOML file, which raises ValueError with
what was expected, and a writer that the reader reads back.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, TypeAlias

from attrs import frozen

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

_QUANTITY = re.compile(r"(\d+(?:\.\d+)?) ?([A-Za-z]*)")

_OCTETS = {
    "": 1,
    "B": 1,
    "kB": 10**3,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
    "KiB": 2**10,
    "MiB": 2**20,
    "GiB": 2**30,
    "TiB": 2**40,
}
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}

_OCTETS_EXPECTED = 'a size such as "64KiB", "25MB" or a number of octets'
_DURATION_EXPECTED = 'a time such as "500ms", "30s", "5m", "12h", "7d" or a number of seconds'
_NETWORK_EXPECTED = 'a network such as "10.0.0.0/8", "2001:db8::/32" or a single address'
_LISTEN_EXPECTED = 'an address and port such as "127.0.0.1:2025", "[::1]:25" or "*:25"'


@frozen(kw_only=True)
class Unit:
    """How a value with a unit is read, written and described."""

    expected: str
    read: Callable[[object], Any]
    write: Callable[[Any], str]


def octets(value: object) -> int:
    """A number of octets from "64KiB", "25MB", "512" or an int. Raises ValueError."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    match = _QUANTITY.fullmatch(value) if isinstance(value, str) else None
    factor = _OCTETS.get(match[2]) if match else None
    if match is None or factor is None:
        raise ValueError(_OCTETS_EXPECTED)
    amount = float(match[1]) * factor if "." in match[1] else int(match[1]) * factor
    if amount != int(amount):
        raise ValueError(_OCTETS_EXPECTED)
    return int(amount)


def write_octets(value: int) -> str:
    """The shortest exact form."""
    for unit in ("TiB", "TB", "GiB", "GB", "MiB", "MB", "KiB", "kB"):
        if value and value % _OCTETS[unit] == 0:
            return f"{value // _OCTETS[unit]}{unit}"
    return str(value)


def duration(value: object) -> float:
    """Seconds from "500ms", "30s", "5m", "12h", "7d", "1w" or a number. Raises ValueError."""
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < float("inf"):
        return float(value)
    match = _QUANTITY.fullmatch(value) if isinstance(value, str) else None
    factor = _SECONDS.get(match[2]) if match else None
    if match is None or factor is None:
        raise ValueError(_DURATION_EXPECTED)
    return float(match[1]) / 1000 if match[2] == "ms" else float(match[1]) * factor


def write_duration(value: float) -> str:
    """The shortest exact form, to the microsecond."""
    if value == 0:
        return "0s"
    for unit in ("w", "d", "h", "m", "s"):
        if value % _SECONDS[unit] == 0:
            return f"{int(value // _SECONDS[unit])}{unit}"
    milliseconds = value * 1000
    return f"{int(milliseconds)}ms" if milliseconds == int(milliseconds) else f"{value:.6f}".rstrip("0") + "s"


def network(value: object) -> Network:
    """A network or a single address. Raises ValueError, also if host bits are set."""
    if not isinstance(value, str):
        raise ValueError(_NETWORK_EXPECTED)
    try:
        return ipaddress.ip_network(value)
    except ValueError:
        raise ValueError(_NETWORK_EXPECTED) from None


@frozen
class Listen:
    """A place to listen: a numeric IP address and a port; "*" for all addresses of both families, port 0 for any."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def listen(value: object) -> Listen:
    """A place to listen from "127.0.0.1:2025", "[::1]:25" or "*:25". Raises ValueError."""
    host, colon, port = value.rpartition(":") if isinstance(value, str) else ("", "", "")
    if not colon or not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise ValueError(_LISTEN_EXPECTED)
    if host == "*":
        return Listen(host, int(port))
    try:
        if host.startswith("[") and host.endswith("]"):
            return Listen(str(ipaddress.IPv6Address(host[1:-1])), int(port))
        return Listen(str(ipaddress.IPv4Address(host)), int(port))
    except ValueError:
        raise ValueError(_LISTEN_EXPECTED) from None


def place(value: object) -> Path:
    """A file or directory; the reader of the configuration makes it absolute. Raises ValueError."""
    if not isinstance(value, str) or not value or "\0" in value:
        raise ValueError("a path")
    return Path(value)


Octets: TypeAlias = Annotated[int, Unit(expected=_OCTETS_EXPECTED, read=octets, write=write_octets)]
Duration: TypeAlias = Annotated[float, Unit(expected=_DURATION_EXPECTED, read=duration, write=write_duration)]
Place: TypeAlias = Annotated[Path, Unit(expected="a path", read=place, write=str)]

NETWORK = Unit(expected=_NETWORK_EXPECTED, read=network, write=str)
LISTEN = Unit(expected=_LISTEN_EXPECTED, read=listen, write=str)
