"""A DNS that is a few dictionaries, and what is found in it."""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from attrs import define, field
from zope.interface import implementer

from worldmail.interfaces.outbound import Fate, Hop, HopFailed, Phase, Trouble
from worldmail.interfaces.queue import Route
from worldmail.interfaces.resolver import IResolver, MailExchanger, NameTrouble, NoSuchName
from worldmail.queue.exchangers import Exchangers, Ourselves
from worldmail.wire.ready import Ready

MX = Route(name="")
Records = Sequence[tuple[int, str]]


@implementer(IResolver)
@define(kw_only=True)
class Names:
    """A zone: MX records by domain, addresses by host; what is in `trouble` cannot be looked up now."""

    mx: dict[str, Records] = field(factory=dict)
    hosts: dict[str, tuple[str, ...]] = field(factory=dict)
    trouble: set[str] = field(factory=set)
    asked: list[str] = field(factory=list)

    def exchangers(self, domain: str) -> Awaitable[tuple[MailExchanger, ...]]:
        """See `IResolver.exchangers`."""
        self._ask(f"MX {domain}", domain, domain in self.mx or domain in self.hosts)
        return Ready(tuple(MailExchanger(preference=each[0], host=each[1]) for each in self.mx.get(domain, ())))

    def addresses(self, host: str) -> Awaitable[tuple[str, ...]]:
        """See `IResolver.addresses`."""
        if host.startswith("192.") or ":" in host:
            return Ready((host,))
        self._ask(host, host, host in self.mx or host in self.hosts)
        return Ready(self.hosts.get(host, ()))

    def texts(self, name: str) -> Awaitable[tuple[str, ...]]:
        """See `IResolver.texts`."""
        return Ready(())

    def _ask(self, question: str, name: str, there: bool) -> None:
        self.asked.append(question)
        if name in self.trouble:
            raise NameTrouble("SERVFAIL")
        if not there:
            raise NoSuchName(name)


def kept(_: list[Any]) -> None:
    """A shuffle that leaves all where it is."""


def exchangers(names: Names, shuffle: Callable[[list[Any]], object] = kept, **settings: Any) -> Exchangers:
    """Those of a server mail.our.example at 192.0.2.9 and 2001:db8::9."""
    networks = tuple(map(ipaddress.ip_network, ("192.0.2.9", "2001:db8::9", "127.0.0.0/8")))
    ourselves = Ourselves(frozenset({"mail.our.example"}), networks)
    return Exchangers(resolver=names, shuffle=shuffle, helo="mail.our.example", ourselves=ourselves, **settings)


def awaited(awaitable: Awaitable[Any]) -> Any:
    """The value of what needs not wait."""
    try:
        awaitable.__await__().send(None)  # type: ignore[attr-defined]
    except StopIteration as stop:
        return stop.value
    raise AssertionError("it waits")


def looked_up(
    names: Names, domain: str = "d.example", route: Route = MX, **settings: Any
) -> tuple[list[Hop], Trouble | None]:
    """All hops, and the trouble at the end if there is any."""
    hops: list[Hop] = []

    async def work() -> Trouble | None:
        try:
            async for hop in exchangers(names, **settings).hops(route, domain):
                hops.append(hop)  # noqa: PERF401
        except HopFailed as error:
            return error.trouble
        return None

    return hops, awaited(work())


def hosts(names: Names, **settings: Any) -> list[str]:
    """The names of all hops; there is no trouble."""
    hops, trouble = looked_up(names, **settings)
    assert trouble is None
    return [hop.host for hop in hops]


def failure(names: Names, domain: str = "d.example", **settings: Any) -> tuple[Fate, str]:
    """How it failed; there is no hop."""
    hops, trouble = looked_up(names, domain, **settings)
    assert not hops and trouble is not None
    assert trouble.phase is Phase.NAME and trouble.reply is None and trouble.reason.isascii() and trouble.server
    return trouble.fate, trouble.status


def plain(*names: str) -> dict[str, tuple[str, ...]]:
    """Each with an address of its own."""
    return {name: (f"198.51.100.{at}",) for at, name in enumerate(names, 1)}
