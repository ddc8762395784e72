"""The resolver: cache, hosts file, aliases, and questions that are asked once however many want to know."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from random import Random, SystemRandom
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

from worldmail.interfaces.resolver import IResolver, MailExchanger, NameTrouble, NoSuchName
from worldmail.transport.dns.asking import Asking
from worldmail.transport.dns.cache import Cache
from worldmail.transport.dns.findings import ALIASES, Finding, Kind
from worldmail.transport.dns.hosts import Hosts, parse_hosts
from worldmail.transport.dns.message import Question, RecordType
from worldmail.transport.dns.names import is_local, literal, normal_name
from worldmail.transport.dns.servers import Asked, parse_resolv_conf, parse_server
from worldmail.transport.dns.watched import WatchedFile

LOOPBACK = ("::1", "127.0.0.1")


@implementer(IResolver)
@define(kw_only=True)
class Resolver:
    """Looks names up at recursive servers.

    Args:
        reactor: the reactor.
        servers: whom to ask, "192.0.2.53" or "[2001:db8::53]:5353"; none: those of `resolv_conf`.
        resolv_conf: names the servers, and is read again when it changes.
        hosts: gives addresses before the DNS does, and is read again when it changes.
        limit: seconds that any one look-up may take, aliases and all.
        mixed_case: see `Asking`.
        seconds: the time, monotonic.
        chance: must not be foreseeable.

    Raises: ValueError for a server that is none.
    """

    reactor: Any
    servers: Iterable[str] = ()
    resolv_conf: Path = Path("/etc/resolv.conf")
    hosts: Path = Path("/etc/hosts")
    limit: float = 10.0
    mixed_case: bool = False
    seconds: Callable[[], float] = time.monotonic
    chance: Random = field(factory=SystemRandom)
    cache: Cache = field(init=False)
    _asking: Asking = field(init=False)
    _hosts: WatchedFile[Hosts] = field(init=False)
    _under_way: dict[Question, list[Deferred[Finding]]] = field(init=False, factory=dict)

    def __attrs_post_init__(self) -> None:
        self.cache = Cache(seconds=self.seconds)
        self._hosts = WatchedFile(path=self.hosts, parse=parse_hosts, seconds=self.seconds)
        self._asking = Asking(
            reactor=self.reactor,
            asked=self._asked(),
            seconds=self.seconds,
            chance=self.chance,
            mixed_case=self.mixed_case,
        )

    async def exchangers(self, domain: str) -> tuple[MailExchanger, ...]:
        """The MX records (RFC 5321 §5.1)."""
        return await self._records(normal_name(domain), RecordType.MX)

    async def texts(self, name: str) -> tuple[str, ...]:
        """The TXT records."""
        return await self._records(normal_name(name), RecordType.TXT)

    async def addresses(self, host: str) -> tuple[str, ...]:
        """IPv6 addresses, then IPv4 addresses; those of the DNS in an order by chance, so that load is spread."""
        address = literal(host)
        if address is not None:
            return (address,)
        name = normal_name(host)
        if is_local(name):
            return LOOPBACK
        return self._hosts.value().addresses(name) or await self._asked_addresses(name)

    def _asked(self) -> Callable[[], Asked]:
        """Who is asked: those of the setting, or of the file as it is then."""
        if servers := tuple(map(parse_server, self.servers)):
            setting = Asked(servers=servers)
            return lambda: setting
        return WatchedFile(path=self.resolv_conf, parse=parse_resolv_conf, seconds=self.seconds).value

    async def _asked_addresses(self, name: str) -> tuple[str, ...]:
        """Both questions at the same time; of what failed only what leaves nothing known."""
        both = [
            Deferred.fromCoroutine(self._records(name, kind)).addErrback(lambda failure: failure.value)
            for kind in (RecordType.AAAA, RecordType.A)
        ]
        results: list[Any] = [await one for one in both]
        found = [self._shuffled(result) for result in results if isinstance(result, tuple)]
        if any(found):
            return sum(found, ())
        errors = [result for result in results if not isinstance(result, tuple)]
        # There are servers that deny a name if asked for AAAA (RFC 4074 §4.2): only both make it final.
        for error in sorted(errors, key=lambda error: isinstance(error, NoSuchName)):
            if not (isinstance(error, NoSuchName) and found):
                raise error
        return ()

    def _shuffled(self, addresses: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(self.chance.sample(addresses, len(addresses)))

    async def _records(self, name: str, kind: RecordType) -> tuple[Any, ...]:
        """The records of a name, aliases followed. Raises: `NameTrouble`, `NoSuchName`."""
        until, passed = self.seconds() + self.limit, {name}
        while not is_local(name):
            finding = await self._find(Question(name=name, type=kind), until)
            match finding.kind:
                case Kind.TROUBLE:
                    raise NameTrouble(finding.reason)
                case Kind.NO_NAME:
                    raise NoSuchName(f"{name} does not exist")
                case Kind.RECORDS | Kind.NOTHING:
                    return finding.records
            name = _target(finding)
            if name in passed or len(passed) > ALIASES:
                raise NameTrouble(f"{name} {kind.name}: aliases without end")
            passed.add(name)
        return ()

    def _find(self, question: Question, until: float) -> Deferred[Finding]:
        """What is known, or what those who ask already will hear."""
        kept = self.cache.get(question)
        if kept is not None:
            return succeed(kept)
        waiting: Deferred[Finding] = Deferred()
        waiters = self._under_way.get(question)
        if waiters is not None:
            waiters.append(waiting)
        else:
            self._under_way[question] = [waiting]
            Deferred.fromCoroutine(self._ask(question, until)).addErrback(self._tell_failure, question)
        return waiting

    async def _ask(self, question: Question, until: float) -> None:
        try:
            finding = await self._asking.ask(question, until)
        except NameTrouble as error:
            finding = self.cache.revive(question) or Finding(kind=Kind.TROUBLE, reason=str(error))
            if finding.kind is Kind.TROUBLE:
                self.cache.put(question, finding)
        else:
            self.cache.put(question, finding)
        for waiting in self._under_way.pop(question):
            waiting.callback(finding)

    def _tell_failure(self, failure: Any, question: Question) -> None:
        """A fault of ours: whoever waits hears of it."""
        for waiting in self._under_way.pop(question, ()):
            waiting.errback(failure)


def _target(alias: Finding) -> str:
    """The name to ask for instead. One that nobody can ask for is its owner's mistake, which may be mended."""
    try:
        return normal_name(alias.target)
    except NoSuchName as error:
        raise NameTrouble(f"an alias of what is none: {error}") from None
