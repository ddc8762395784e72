"""From a route and a domain to the hosts that take the mail, in the order in which they are tried.

The list that RFC 5321 §5.1 asks for:

    1. the MX records; none: the domain itself, as if it were one of preference 0; a null MX: nobody (RFC 7505)
    2. by preference, those of equal preference in random order
    3. from the first that is ourselves, by name or by address, on: gone, with all of the same preference. Nothing
       left: the mail loops
    4. what is no host, or has no address, is passed over. Nothing left: nobody takes the mail

What should be a host's name and is an alias (§5.1, RFC 2181 §10.3) is followed by the resolver, and keeps its name
here.

Hosts are looked up when they are needed: those of one preference together (one of them could be ourselves), the
others only when these failed.
"""

from __future__ import annotations

import enum
import ipaddress
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from itertools import groupby, zip_longest

from attrs import define, field, frozen

from worldmail.interfaces.outbound import Fate, Hop, HopFailed, Phase, Trouble
from worldmail.interfaces.queue import Route, Via
from worldmail.interfaces.resolver import IResolver, MailExchanger, NameTrouble, NoSuchName
from worldmail.mail.domain import literal_address, normal_domain
from worldmail.queue.route_keys import SENT, SMTP_PORT, TO_HOST

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Families(enum.Enum):
    """Which IP versions are tried, and which first; both alternate."""

    IPV6_FIRST = "ipv6 first"
    IPV4_FIRST = "ipv4 first"
    IPV6 = "ipv6"
    IPV4 = "ipv4"


@frozen
class Ourselves:
    """How this server can be recognised among mail exchangers.

    Args:
        names: its names, lower case, in A-labels.
        networks: its addresses on port 25. What belongs here is the loopback too, unless mail is sent there.
    """

    names: frozenset[str] = frozenset()
    networks: tuple[Network, ...] = ()

    def has(self, address: IPAddress) -> bool:
        """Whether it is one of ours."""
        return any(address in network for network in self.networks)  # of another IP version: False


@frozen
class _Host:
    """One host with the addresses to be tried; `ours` if one of all its addresses is."""

    name: str
    addresses: tuple[str, ...]
    ours: bool = False


@define(kw_only=True)
class Exchangers:
    """Finds the hosts for a route.

    Args:
        resolver: asks the DNS.
        shuffle: brings a list into random order, in place.
        helo: the name we give (see `Hop`).
        ourselves: how we are recognised.
        families: which addresses of a host, and in which order.
        source: our own addresses to connect from (see `Hop`).
        hosts: the most hosts of a domain that are tried.
        addresses: the most addresses of a host that are tried.
        port: of the servers that the DNS names.
    """

    _resolver: IResolver
    _shuffle: Callable[[list[MailExchanger]], object]
    _helo: str
    _ourselves: Ourselves = field(factory=Ourselves)
    _families: Families = Families.IPV6_FIRST
    _source: tuple[str, ...] = ()
    _hosts: int = 10
    _addresses: int = 6
    _port: int = SMTP_PORT

    def hops(self, route: Route, domain: str) -> AsyncIterator[Hop]:
        """The hops to try one after the other until one takes the mail, each looked up when it is asked for.

        Raises: `HopFailed`, at its end, if there was none (its trouble is FAILED if that is final), and if there were
            some but others could not be looked up for now (it is DEFERRED then).

        Args:
            route: one by MX, HOST or LMTP.
            domain: the recipients' domain, in A-labels, lower case, or an address literal.
        """
        if route.via not in SENT:
            raise ValueError(f"nothing is sent via {route.via.value}")
        return self._to_host(route) if route.via in TO_HOST else self._to_domain(route, domain)

    async def _to_host(self, route: Route) -> AsyncIterator[Hop]:
        try:
            found = await self._resolver.addresses(route.host)
        except NoSuchName:
            raise _misconfigured(route.host, "does not exist") from None
        except NameTrouble as error:
            raise _unknown_for_now(route.host, error) from None
        addresses = self._choose(_parsed(found))
        if not addresses:
            raise _misconfigured(route.host, "has no address that can be used")
        yield self._hop(route, route.host, addresses, route.port)

    async def _to_domain(self, route: Route, domain: str) -> AsyncIterator[Hop]:
        if domain.startswith("["):
            yield self._hop(route, *self._literal(domain), self._port)
            return
        levels = self._levels(domain, await self._exchangers(domain))
        sent, trouble = False, None
        for level in levels:
            hosts, failed = await self._look_up(level)
            if any(host.ours for host in hosts):
                if level is levels[0]:
                    raise _loops(domain)
                break
            trouble = trouble or failed
            for host in hosts:
                if host.addresses:
                    sent = True
                    yield self._hop(route, host.name, host.addresses, self._port)
        if trouble is not None:
            raise _unknown_for_now(domain, trouble)
        if not sent:
            # RFC 5321 §5.1: MX records of which none can be used are an error; RFC 3463 §3.5: X.4.4.
            raise _failed(domain, "5.4.4", f"no server of {domain} has an address")

    def _literal(self, domain: str) -> tuple[str, tuple[str, ...]]:
        """The host and address of an address literal: it names the server itself (RFC 5321 §4.1.3)."""
        address = literal_address(domain)
        if self._ourselves.has(_unmapped(address)):
            raise _loops(domain)
        addresses = self._choose([address])
        if not addresses or not _reachable(_unmapped(address)):
            raise _failed(domain, "5.4.4", f"{domain} is no address that mail can be sent to")
        return str(address), addresses

    async def _exchangers(self, domain: str) -> Sequence[MailExchanger]:
        """The MX records, or the one that the domain itself stands for. Raises `HopFailed`."""
        try:
            found = await self._resolver.exchangers(domain)
        except NoSuchName:
            # "If a non-existent domain error is returned, this situation MUST be reported as an error" (RFC 5321
            # §5.1); the code for it is that of a domain that cannot be right (RFC 3463 §3.2).
            raise _failed(domain, "5.1.2", f"the domain {domain} does not exist") from None
        except NameTrouble as error:
            raise _unknown_for_now(domain, error) from None
        if not found:
            return (MailExchanger(preference=0, host=domain),)
        if all(not each.host for each in found):
            raise _failed(domain, "5.1.10", f"the domain {domain} takes no mail (null MX)")  # RFC 7505 §3; code: §6
        return found

    def _levels(self, domain: str, found: Iterable[MailExchanger]) -> list[list[str]]:
        """Host names by preference, each once, down to where we are ourselves; at most so many. Raises `HopFailed`."""
        levels: list[list[str]] = []
        seen = {""}  # a null MX beside others says nothing (RFC 7505 §3)
        for _, group in groupby(sorted(found, key=_preference), key=_preference):
            level = list(group)
            if any(each.host in self._ourselves.names for each in level):
                if not levels:
                    raise _loops(domain)
                break
            self._shuffle(level)
            names = [name for name in dict.fromkeys(each.host for each in level) if name not in seen]
            seen.update(names)
            levels.append([name for name in names if _is_name(name)])
        room = self._hosts
        for at, names in enumerate(levels):
            levels[at] = names[:room]
            room -= len(levels[at])
        return levels

    async def _look_up(self, names: Iterable[str]) -> tuple[list[_Host], NameTrouble | None]:
        """The hosts of these names, in their order, and the trouble if one could not be looked up for now."""
        hosts, trouble = [], None
        for name in names:
            try:
                found = _parsed(await self._resolver.addresses(name))
            except NoSuchName:
                continue
            except NameTrouble as error:
                trouble = trouble or error
                continue
            ours = any(self._ourselves.has(_unmapped(each)) for each in found)
            usable = self._choose([each for each in found if _reachable(_unmapped(each))])
            hosts.append(_Host(name, usable, ours))
        return hosts, trouble

    def _choose(self, found: Iterable[IPAddress]) -> tuple[str, ...]:
        """Those that are tried: both IP versions in turn, each in the order of the resolver (RFC 5321 §5.1)."""
        by_version: dict[int, list[str]] = {6: [], 4: []}
        for each in dict.fromkeys(found):
            by_version[each.version].append(str(each))
        first, second = _ORDERS[self._families]
        turns = zip_longest(by_version[first], by_version.get(second, ()))
        return tuple(each for turn in turns for each in turn if each is not None)[: self._addresses]

    def _hop(self, route: Route, host: str, addresses: tuple[str, ...], port: int) -> Hop:
        return Hop(
            host=host,
            addresses=addresses,
            port=port,
            lmtp=route.via is Via.LMTP,
            security=route.security,
            implicit_tls=route.implicit_tls,
            pins=route.pins,
            renews=route.renews,
            login=route.login,
            helo=self._helo,
            source=self._source,
            by_dns=route.via not in TO_HOST,
        )


_ORDERS = {
    Families.IPV6_FIRST: (6, 4),
    Families.IPV4_FIRST: (4, 6),
    Families.IPV6: (6, 0),
    Families.IPV4: (4, 0),
}


def _preference(exchanger: MailExchanger) -> int:
    return exchanger.preference


def _is_name(host: str) -> bool:
    """An exchange is a host's name (RFC 1035 §3.3.9), not an address that was written into its place."""
    try:
        return normal_domain(host) == host and not host.startswith("[") and not host.rpartition(".")[2].isdecimal()
    except ValueError:
        return False


def _parsed(addresses: Iterable[str]) -> list[IPAddress]:
    return [ipaddress.ip_address(each) for each in addresses]


def _unmapped(address: IPAddress) -> IPAddress:
    """What an IPv4-mapped address leads to (RFC 4291 §2.5.5.2)."""
    return getattr(address, "ipv4_mapped", None) or address


def _reachable(address: IPAddress) -> bool:
    """False for what is no host's address: whoever writes that into the DNS wants no mail, or mischief."""
    return not (address.is_unspecified or address.is_multicast or address in _NOWHERE)


_NOWHERE = ipaddress.IPv4Network("255.255.255.255/32")


def _failed(server: str, status: str, reason: str) -> HopFailed:
    return HopFailed(Trouble(fate=Fate.FAILED, status=status, phase=Phase.NAME, server=server, reason=reason))


def _deferred(server: str, status: str, reason: str) -> HopFailed:
    return HopFailed(Trouble(fate=Fate.DEFERRED, status=status, phase=Phase.NAME, server=server, reason=reason))


def _loops(domain: str) -> HopFailed:
    """RFC 5321 §5.1: no record left before ourselves is an error; RFC 3463 §3.5: X.4.6."""
    return _failed(domain, "5.4.6", f"mail for {domain} loops back to this server, which does not take it")


def _unknown_for_now(name: str, error: NameTrouble) -> HopFailed:
    """RFC 5321 §5.1: a temporary error is no reason to give up; RFC 3463 §3.5: X.4.3."""
    return _deferred(name, "4.4.3", f"{name} cannot be looked up now: {error}")


def _misconfigured(host: str, what: str) -> HopFailed:
    """The host of a route is ours to set right, and no fault of the message (RFC 3463 §3.4: X.3.5)."""
    return _deferred(host, "4.3.5", f"the host {host} of the route {what}")
