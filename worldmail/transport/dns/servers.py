"""Which servers are asked, and how patiently: settings, and /etc/resolv.conf."""

from __future__ import annotations

import ipaddress

from attrs import frozen

PORT = 53
MAXIMUM_SERVERS = 8
NOBODY = ("127.0.0.1",)
"""Who is asked if no server is named (resolv.conf(5))."""


@frozen(order=True)
class Server:
    """Where a name server is: a numeric address (an IPv6 address may have a scope, "fe80::1%eth0") and a port."""

    host: str
    port: int = PORT

    def __str__(self) -> str:
        """As settings and logs have it."""
        if self.port == PORT:
            return self.host
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@frozen(kw_only=True)
class Asked:
    """Who is asked, in this order.

    Args:
        timeout: the most seconds that one server has for one answer.
        attempts: how often each is asked.
    """

    servers: tuple[Server, ...]
    timeout: float = 3.0
    attempts: int = 3


def parse_server(text: str) -> Server:
    """A server as settings name it: "192.0.2.53", "192.0.2.53:5353", "2001:db8::53", "[2001:db8::53]:5353".

    Raises: ValueError.
    """
    host, port = text, ""
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        port = rest.removeprefix(":")
        if not bracket or (rest and not rest.startswith(":")):
            raise ValueError(f"{text!r} is not the address of a server")
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    if text.endswith(":") and not text.endswith("::"):
        raise ValueError(f"{text!r} is not the address of a server")
    try:
        address = str(ipaddress.ip_address(host))
    except ValueError:
        raise ValueError(f"{text!r} is not the address of a server") from None
    if port and not (port.isascii() and port.isdigit() and len(port) <= 5 and 0 < int(port) <= 65535):
        raise ValueError(f"{text!r} has a port that is none")
    return Server(address, int(port) if port else PORT)


def parse_resolv_conf(text: str) -> Asked:
    """What /etc/resolv.conf says: `nameserver`, and of `options` timeout and attempts; the rest is not for us."""
    servers: list[Server] = []
    options: dict[str, float] = {}
    for line in text.splitlines():
        word, *rest = line.split() or [""]
        if word == "nameserver" and rest and len(servers) < MAXIMUM_SERVERS:
            _add_server(servers, rest[0])
        elif word == "options":
            options.update(_option(option) for option in rest)
    return Asked(
        servers=tuple(servers or map(Server, NOBODY)),
        timeout=options.get("timeout", 3.0),
        attempts=int(options.get("attempts", 3)),
    )


def _add_server(servers: list[Server], text: str) -> None:
    try:
        server = Server(str(ipaddress.ip_address(text)))
    except ValueError:
        return
    if server not in servers:
        servers.append(server)


def _option(text: str) -> tuple[str, float]:
    """Name and value; resolv.conf(5) bounds timeout at 30 and attempts at 5."""
    name, _, value = text.partition(":")
    number = int(value) if value.isascii() and value.isdigit() and len(value) < 4 else 0
    if number < 1:
        return "", 0
    return name, min(number, {"timeout": 30, "attempts": 5}.get(name, number))
