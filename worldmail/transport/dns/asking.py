"""One question, asked of server after server until one gives an answer in earnest or the time is over."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from random import Random
from typing import Any

from attrs import define, field
from twisted.internet.defer import DeferredSemaphore
from twisted.internet.defer import TimeoutError as TimeIsOver
from twisted.internet.task import deferLater

from worldmail.errors import WorldMailError
from worldmail.interfaces.resolver import NameTrouble
from worldmail.transport.dns.exchange import NoAnswer, Spoofed
from worldmail.transport.dns.findings import Finding, finding_of
from worldmail.transport.dns.message import Answer, Malformed, Query, Question, Rcode, read_answer
from worldmail.transport.dns.servers import Asked, Server
from worldmail.transport.dns.tcp import ask_by_tcp
from worldmail.transport.dns.udp import ask_by_udp

SILENT_SECONDS = 30.0
"""So long a server that did not answer comes after the others."""

PLAIN_SECONDS = 3600.0
"""So long a server that does not know EDNS is asked without (RFC 6891 §7)."""

LEAST_WAIT = 0.5
"""Seconds that a server has at least, unless all time is over."""

ROUND_SECONDS = 1.0
"""From one round of servers that cannot be reached to the next."""

AT_ONCE = 200
"""Questions under way; each takes a socket. The others wait, and their time runs."""

_NO_EDNS = frozenset({Rcode.FORMERR, Rcode.NOTIMP, Rcode.BADVERS})
_IN_EARNEST = frozenset({Rcode.NOERROR, Rcode.NXDOMAIN})


Way = Callable[[Any, Server, Query, float], Awaitable[bytes]]
"""UDP or TCP: octets of an answer to a query, by a server, within seconds."""


class _Useless(WorldMailError):
    """What a server said is no answer in earnest, and would be the same if asked again."""


@define(kw_only=True)
class Asking:
    """Asks the servers, and remembers how they behaved.

    Args:
        reactor: the reactor.
        asked: who is asked now.
        seconds: the time, monotonic.
        chance: makes ids; must not be foreseeable.
        mixed_case: names are asked in letters of random case, for servers that anybody on the way may answer for. There
            are servers that do not repeat a name as it was, so it is not the rule.
    """

    reactor: Any
    asked: Callable[[], Asked]
    seconds: Callable[[], float]
    chance: Random
    mixed_case: bool = False
    _silent: dict[Server, float] = field(init=False, factory=dict)  # until when
    _plain: dict[Server, float] = field(init=False, factory=dict)  # until when
    _turns: DeferredSemaphore = field(init=False, factory=lambda: DeferredSemaphore(AT_ONCE))

    async def ask(self, question: Question, until: float) -> Finding:
        """What the servers say before that moment. Raises: `NameTrouble`, which names each server's fault."""
        turn = self._turns.acquire()
        turn.addTimeout(max(0.0, until - self.seconds()), self.reactor)
        try:
            await turn
        except TimeIsOver:
            raise NameTrouble(f"{question}: too many names are being looked up") from None
        try:
            return await self._ask(question, until)
        finally:
            self._turns.release()

    async def _ask(self, question: Question, until: float) -> Finding:
        asked = self.asked()
        faults: dict[Server, str] = {}
        useless: set[Server] = set()
        began = self.seconds()
        share = max(LEAST_WAIT, (until - self.seconds()) / (asked.attempts * len(asked.servers)))
        for attempt in range(asked.attempts):
            if attempt and faults.keys() - useless:
                await self._pause(min(began + min(share, ROUND_SECONDS), until))
            began = self.seconds()
            for server in [server for server in self._in_order(asked.servers) if server not in useless]:
                seconds = min(asked.timeout, share, until - self.seconds())
                if seconds <= 0:
                    break
                try:
                    return await self._ask_server(server, question, seconds, until)
                except NoAnswer as error:
                    self._silent[server] = self.seconds() + SILENT_SECONDS
                    faults[server] = str(error)
                except (_Useless, Malformed) as error:
                    useless.add(server)
                    faults[server] = str(error)
        words = "; ".join(f"{server}: {fault}" for server, fault in faults.items())
        raise NameTrouble(f"{question}: {words or 'no time left'}")

    async def _pause(self, until: float) -> None:
        """A server that refuses at once may be starting anew: it is not asked again at once."""
        seconds = until - self.seconds()
        if seconds > 0:
            await deferLater(self.reactor, seconds, lambda: None)

    def _in_order(self, servers: tuple[Server, ...]) -> list[Server]:
        """As they are listed, but those that were silent lately come last."""
        now = self.seconds()
        for memory in (self._silent, self._plain):
            for server in [server for server, end in memory.items() if end <= now or server not in servers]:
                del memory[server]
        return sorted(servers, key=self._silent.__contains__)

    async def _ask_server(self, server: Server, question: Question, seconds: float, until: float) -> Finding:
        edns = server not in self._plain
        answer = await self._exchange(server, question, seconds, until, edns)
        if edns and answer.rcode in _NO_EDNS:
            answer = await self._exchange(server, question, seconds, until, False)
            if answer.rcode in _IN_EARNEST:
                self._plain[server] = self.seconds() + PLAIN_SECONDS
        self._silent.pop(server, None)
        if answer.rcode not in _IN_EARNEST:
            raise _Useless(_rcode(answer.rcode))
        if answer.referral:
            raise _Useless("does not look names up for us")
        return finding_of(question, answer)

    async def _exchange(self, server: Server, question: Question, seconds: float, until: float, edns: bool) -> Answer:
        """An answer that is not cut; each way has its seconds."""
        query = Query.make(question, chance=self.chance, edns=edns, mixed_case=self.mixed_case)
        try:
            answer = await self._answer(ask_by_udp, server, query, min(seconds, until - self.seconds()))
        except Spoofed:
            answer = None
        if answer is None or answer.truncated:
            answer = await self._answer(ask_by_tcp, server, query, min(seconds, until - self.seconds()))
            if answer.truncated:
                raise Malformed("an answer cut short by TCP")
        return answer

    async def _answer(self, way: Way, server: Server, query: Query, seconds: float) -> Answer:
        return read_answer(query, await way(self.reactor, server, query, seconds))


def _rcode(number: int) -> str:
    try:
        return Rcode(number).name
    except ValueError:
        return f"response code {number}"
