"""Fetching mail from servers that say anything: seeded changes of what a good server says.

The clients, the run and the store are the real ones; the line between client and server lies in memory. With
WORLDMAIL_LONG=1 there are very many seeds.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from typing import Any

import pytest
from attrs import define, evolve, field
from twisted.internet.defer import Deferred

from tests.ondemand.collecting_site import CollectingSite, text
from worldmail.interfaces.ondemand import Result
from worldmail.interfaces.outbound import Fate, HopFailed, Login, Phase, Security, Trouble
from worldmail.testing.scripted_imap import MailboxMeeting, ScriptedMailbox
from worldmail.testing.scripted_pop3 import DropMeeting, ScriptedDrop
from worldmail.testing.smtp_client import HOP, TLS

SEEDS = range(2000 if os.environ.get("WORLDMAIL_LONG") else 40)
KINDS = "pop3", "imap"
HELD = 2 << 20
"""Octets that wait to be made something of, at most."""
NUMBERS = range(1, 7)
SECURE = evolve(HOP, security=Security.VERIFIED, implicit_tls=True, login=Login(user="ann", password="secret"))

Change = Callable[[random.Random, bytes], bytes]


def _cut(chance: random.Random, said: bytes) -> bytes:
    return said[: chance.randrange(len(said) + 1)]


def _doubled(chance: random.Random, said: bytes) -> bytes:
    return said + said


def _reordered(chance: random.Random, said: bytes) -> bytes:
    lines = said.splitlines(keepends=True)
    chance.shuffle(lines)
    return b"".join(lines)


def _oversized(chance: random.Random, said: bytes) -> bytes:
    at = chance.randrange(len(said) + 1)
    return said[:at] + chance.choice((b"x", b"x\r\n", b"* 1 EXISTS\r\n", b"\0")) * 70_000 + said[at:]


def _numbers(chance: random.Random, said: bytes) -> bytes:
    """Tags, UIDs, sizes, lengths of literals."""
    octets = bytearray(said)
    for at in [at for at, octet in enumerate(octets) if chr(octet).isdigit()]:
        if chance.random() < 0.2:
            octets[at] = chance.choice(b"0123456789")
    return bytes(octets)


def _huge(chance: random.Random, said: bytes) -> bytes:
    return said.replace(b"{", b"{99999999").replace(b" ", b" 4294967299 ", 1)


def _odd(chance: random.Random, said: bytes) -> bytes:
    octets = bytearray(said)
    for _ in range(chance.randrange(1, 5)):
        octets.insert(chance.randrange(len(octets) + 1), chance.choice((0, 10, 13, 34, 40, 41, 92, 123, 128, 255)))
    return bytes(octets)


def _other(chance: random.Random, said: bytes) -> bytes:
    return chance.choice(
        (b"", b"\r\n", b"* BYE no\r\n", b"-ERR no\r\n", b"+OK\r\n", b"+ \r\n", b".\r\n", b"* OK {5}\r\n")
    )


ANY: tuple[Change, ...] = (_cut, _doubled, _reordered, _oversized, _numbers, _huge, _odd, _other)


@define(kw_only=True)
class Hostile:
    """What a good server says, now and then changed; `ends`: then it says nothing more, and is gone or silent."""

    inner: Any
    chance: random.Random
    changes: tuple[Change, ...] = ()
    often: float = 0.0
    ends: bool = False
    silent: bool = False
    over: bool = False

    @property
    def closed(self) -> bool:
        return (self.over and not self.silent) or bool(self.inner.closed)

    @property
    def commands(self) -> list[str]:
        said: list[str] = self.inner.commands
        return said

    def open(self) -> bytes:
        return self._changed(self.inner.open())

    def secure(self) -> None:
        self.inner.secure()

    def receive(self, data: bytes) -> bytes:
        return b"" if self.over else self._changed(self.inner.receive(data))

    def _changed(self, said: bytes) -> bytes:
        if not said or not self.changes or self.chance.random() >= self.often:
            return said
        changed = self.chance.choice(self.changes)(self.chance, said)
        self.over = self.ends
        self.silent = self.chance.random() < 0.3
        return changed


@define(kw_only=True)
class Drop(ScriptedDrop):
    """By lasting names; what was deleted goes when it says goodbye to QUIT."""

    names: list[str]
    gone: set[str] = field(factory=set)

    def _answer(self, line: str) -> bytes:
        if line == "UIDL":
            return (
                b"+OK\r\n" + b"".join(f"{at} {name}\r\n".encode() for at, name in enumerate(self.names, 1)) + b".\r\n"
            )
        if line == "QUIT":
            self.gone = {self.names[number - 1] for number in self.deleted}
        word, _, number = line.partition(" ")
        if word in ("RETR", "TOP", "DELE") and not 1 <= int(number.split()[0]) <= len(self.names):
            return b"-ERR no such message\r\n"
        answer: bytes = ScriptedDrop._answer(self, line)
        return answer


@define(kw_only=True, eq=False)
class Remote:
    """A mailbox elsewhere with a connection in memory."""

    kind: str
    messages: dict[int, bytes]
    make: Callable[[Any], Hostile]
    meetings: list[Any] = field(factory=list)
    servers: list[Any] = field(factory=list)
    held: int = 0
    aborted: list[str] = field(factory=list)

    async def connect(self, hop: Any) -> Any:
        if self.kind == "pop3":
            names = {f"u{number}": octets for number, octets in self.messages.items()}
            server: Any = Drop(messages=list(names.values()), names=list(names))
        else:
            server = ScriptedMailbox(messages=dict(self.messages))
        self.servers.append(server)
        self.aborted.clear()
        meet: Any = DropMeeting if self.kind == "pop3" else MailboxMeeting
        meeting = meet(server=self.make(server), hop=SECURE, tls=TLS)
        meeting.peer.abort = self.aborted.append  # as the driver does: not while something is under way
        self.meetings.append(meeting)
        if not meeting.ready and meeting.trouble is None:
            meeting.time_out()
        if meeting.trouble is not None or not meeting.ready:
            trouble = Trouble(fate=Fate.DEFERRED, status="4.0.0", phase=Phase.GREETING, server="b.test", reason="gone")
            raise HopFailed(meeting.trouble or trouble)
        return meeting.drop

    def pump(self) -> None:
        """Until nobody has anything to say; who is silent then runs out of time."""
        meeting = self.meetings[-1]
        if self.aborted:
            self.aborted.clear()
            meeting.lose("aborted")
        before = len(meeting.writes)
        while meeting.closed is None and (meeting._inbox or meeting._woken):
            self.held = max(self.held, meeting.dialogue.buffered())
            meeting._go_on()
        if meeting.closed is None and len(meeting.writes) == before:
            meeting.time_out()

    def settle(self) -> None:
        """What is left there when all connections are over."""
        for server in self.servers:
            gone = (
                {int(name[1:]) for name in server.gone}
                if self.kind == "pop3"
                else self.messages.keys() - server.messages
            )
            self.messages = {number: octets for number, octets in self.messages.items() if number not in gone}
        self.servers.clear()


def mail(number: int) -> bytes:
    return text("ann@example.test", f"X-Number: {number}\r\n", body=f"{number} " * (400 * number) + "\r\n.\r\n")


def run(site: CollectingSite, remote: Remote, make: Callable[[Any], Hostile]) -> Result:
    """One run to its end."""
    remote.make = make
    site.remote = remote  # type: ignore[assignment]
    results: list[Result] = []
    running = Deferred.fromCoroutine(site.errand().run(site.agent(recipient="ann@example.test", largest="100000")))
    running.addBoth(results.append)
    for _ in range(1000):
        if results:
            break
        remote.pump()
    assert results, "it does not end"
    assert isinstance(results[0], Result), results[0]
    remote.settle()
    return results[0]


def good(server: Any) -> Hostile:
    return Hostile(inner=server, chance=random.Random(0))


def remote_of(kind: str) -> Remote:
    return Remote(kind=kind, messages={number: mail(number) for number in NUMBERS}, make=good)


def numbers(site: CollectingSite) -> list[int]:
    return sorted(int(each.partition(b"X-Number: ")[2].partition(b"\r\n")[0]) for each in site.mail("ann"))


@pytest.mark.parametrize("kind", KINDS)
def test_a_good_server_is_emptied(kind: str) -> None:
    site, remote = CollectingSite(), remote_of(kind)
    assert run(site, remote, good).ok
    assert numbers(site) == list(NUMBERS) and remote.messages == {}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_a_server_says_a_run_ends_and_says_what_came_of_it(kind: str, seed: int) -> None:
    site, remote, chance = CollectingSite(), remote_of(kind), random.Random(f"{kind} any {seed}")
    often = chance.choice((0.05, 0.2, 0.5))
    for _ in range(3):
        result = run(site, remote, lambda server: Hostile(inner=server, chance=chance, changes=ANY, often=often))
        assert result.words and len(result.words) < 5000
        assert result.ok or any(word in result.words for word in ("left there", "ended", ":")), result.words
    assert site.base.memory.journal.failures == []
    assert remote.held <= HELD
    for _ in range(3):
        run(site, remote, good)
    assert remote.messages == {}, "in the end a good server is emptied"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", SEEDS)
def test_wherever_a_server_breaks_off_or_falls_silent_nothing_is_lost_or_doubled(kind: str, seed: int) -> None:
    site, remote, chance = CollectingSite(), remote_of(kind), random.Random(f"{kind} cut {seed}")

    def endless(chance: random.Random, said: bytes) -> bytes:
        return _cut(chance, said).rstrip(b"\r\n.") + b"x" * chance.randrange(200_000)

    changes = (_cut, endless)
    for _ in range(3):
        run(site, remote, lambda server: Hostile(inner=server, chance=chance, changes=changes, often=0.15, ends=True))
    for _ in range(3):
        result = run(site, remote, good)
    assert result.ok and remote.messages == {}
    assert numbers(site) == list(NUMBERS)
    assert site.base.memory.journal.failures == []
