"""The sections about mail for elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from attrs import frozen

from worldmail.config.fields import Duration, Place, duration, setting


def _ip_address(value: str) -> None:
    import ipaddress

    try:
        ipaddress.ip_address(value)
    except ValueError:
        raise ValueError("an IP address") from None


def _one_of_each(value: tuple[str, ...]) -> None:
    if len({":" in address for address in value}) < len(value):
        raise ValueError("one IPv4 address and one IPv6 address at most")


@frozen(kw_only=True)
class QueueSettings:
    """The outbound queue: when mail is tried again, when it is given up, and how other servers are reached."""

    first_retry: Duration = setting(
        duration("5m"), "Time between the first attempt and the second; each next interval is twice as long.", minimum=1
    )
    longest_retry: Duration = setting(duration("1h"), "The longest time between two attempts.", minimum=1)
    lifetime: Duration = setting(
        duration("5d"),
        "How long a message is tried before it is returned to its sender (RFC 5321 §4.5.4.1: 4 days at least).",
        minimum=1,
    )
    warn_after: Duration = setting(
        duration("4h"), "After this time a sender is told once that the message is delayed; 0 for never.", minimum=0
    )
    connections: int = setting(200, "Connections to other servers in all.", minimum=1, maximum=10_000)
    connections_per_destination: int = setting(
        20, "Connections to one destination: a domain, or a host that a route names.", minimum=1, maximum=1000
    )
    double_failures: Literal["discard", "postmaster"] = setting(
        "discard",
        """What becomes of a report that cannot be delivered itself: it is never reported about (RFC 5321 §6.1), but the
        postmaster can be sent it.""",
    )
    addresses: Literal["ipv6 first", "ipv4 first", "ipv6", "ipv4"] = setting(
        "ipv6 first", "Which of a host's addresses are tried, and which kind first."
    )
    source: tuple[str, ...] = setting(
        (),
        "Our own addresses to connect from, one of each IP version at most; none: as the system chooses.",
        check=_ip_address,
        together=_one_of_each,
        example=("192.0.2.25",),
    )
    port: int = setting(
        25,
        "The port of the servers that the DNS names; another one makes sense in a closed network only.",
        minimum=1,
        maximum=65535,
    )
    trust: Place | None = setting(
        None,
        "The authorities that are trusted where a certificate is verified (PEM); none: those of the system.",
        example=Path("tls/authorities.pem"),
    )


@frozen(kw_only=True)
class DnsSettings:
    """Where names are looked up."""

    servers: tuple[str, ...] = setting(
        (),
        "Recursive name servers, as address or address:port; none: those of /etc/resolv.conf.",
        example=("192.0.2.53", "[2001:db8::53]:5353"),
    )
    timeout: Duration = setting(duration("10s"), "How long one look-up may take in all.", minimum=1, maximum=60)
