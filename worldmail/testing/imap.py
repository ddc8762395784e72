"""IMAP sessions, for tests.

    server = ImapServer.make()
    client = server.connect().login()
    assert client.say(b"NOOP").status == b"OK"

The server has the account bob@example.test with the password "secret". Its world is one in memory, which has no
mailboxes for IMAP, or any other that is given.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from attrs import define, evolve, field

from worldmail.config.settings import AuthSettings, Settings
from worldmail.interfaces.protocol import Peer
from worldmail.interfaces.world import World
from worldmail.protocols.imap.session import Session
from worldmail.protocols.imap.sessions import Sessions, make_site
from worldmail.protocols.imap.settings import ImapSettings
from worldmail.testing.feeding import Conductor, settle
from worldmail.testing.pop3 import TLS, MemoryChanges
from worldmail.testing.world import MemoryWorld

_LITERAL = re.compile(rb"\{([0-9]+)\}\r\n\Z")
_CODE = re.compile(rb"\[([^\]]*)\] ?")


@define(kw_only=True)
class ImapServer:
    """One server.

    Args:
        world: what its sessions see.
        memory: the parts of a world in memory, if it is one.
        sessions: makes them.
        tls: its connections are in TLS.
    """

    world: World
    sessions: Sessions
    tls: bool = True
    memory: Any = None
    changes: Any = None
    name: bytes = b"bob@example.test"
    password: bytes = b"secret"

    @classmethod
    def make(
        cls,
        *,
        tls: bool = True,
        legacy: bool = False,
        auth: AuthSettings | None = None,
        reactor: Any = None,
        **settings: Any,
    ) -> ImapServer:
        """A server over a world in memory, with these settings of [imap]."""
        memory, changes = MemoryWorld.make(reactor=reactor), MemoryChanges()
        world = memory.replace(changes=changes, settings=evolve(Settings(), auth=auth or AuthSettings()))
        memory.authentication.legacy = legacy
        memory.add_account("bob@example.test", "secret", legacy_auth=legacy)
        return cls.over(world, tls=tls, memory=memory, changes=changes, **settings)

    @classmethod
    def over(
        cls, world: World, *, tls: bool = True, memory: Any = None, changes: Any = None, **settings: Any
    ) -> ImapServer:
        """A server over this world, with these settings of [imap]."""
        site = make_site(world, ImapSettings(**settings))
        return cls(world=world, sessions=Sessions(site), tls=tls, memory=memory, changes=changes)

    @property
    def peer(self) -> Peer:
        """A peer of this server."""
        tls = TLS if self.tls else None
        return Peer(session="s1", host="127.0.0.1", port=4, local_host="127.0.0.1", local_port=1, tls=tls)

    def connect(self) -> ImapClient:
        """A client that was greeted."""
        client = ImapClient(server=self, conductor=Conductor(dialogue=self.sessions(), peer=self.peer))
        client.conductor.peer.wake = client.woken
        settle(client.conductor.open())
        return client


@define(kw_only=True)
class Answered:
    """What came of one command.

    Args:
        untagged: each untagged response, with its literals, without its last CRLF.
        status: OK, NO or BAD; b"" if there was no tagged reply.
        code: the response code of the tagged reply, without its brackets.
        text: the text of the tagged reply.
        raw: all of it, as it came.
    """

    untagged: list[bytes]
    status: bytes = b""
    code: bytes | None = None
    text: bytes = b""
    raw: bytes = b""

    def of(self, word: bytes) -> list[bytes]:
        """The untagged responses of this kind: `* WORD ...` or `* 1 WORD ...`."""
        return [line for line in self.untagged if word in line.upper().split(b" ", 3)[1:3]]


@define(kw_only=True)
class ImapClient:
    """Says commands, and gives what came back. Works with worlds that do not wait."""

    server: ImapServer
    conductor: Conductor
    seen: int = 0
    number: int = 0
    wakes: int = 0
    _busy: bool = field(default=False)

    @property
    def greeting(self) -> bytes:
        """What the server said first."""
        return self.conductor.held.output.partition(b"\r\n")[0]

    @property
    def session(self) -> Session:
        """The server's side."""
        session: Session = self.conductor.dialogue
        return session

    @property
    def closed(self) -> str | None:
        """Why the server closed; None if it did not."""
        return self.conductor.held.closed

    def say(self, command: bytes, *literals: bytes) -> Answered:
        """One command with a tag of its own, to its tagged reply.

        Each `{}` in it announces the next of the literals, and waits for the server to ask for it; `{+}` does not
        wait; `~{}` is a literal8.
        """
        self.number += 1
        tag = b"a%d" % self.number
        pieces = re.split(rb"\{(\+?)\}", command)
        answer = b""
        line = tag + b" " + pieces[0]
        for text, (plus, literal) in zip(pieces[2::2], zip(pieces[1::2], literals, strict=True), strict=True):
            answer += self.send(line + b"{%d%s}\r\n" % (len(literal), plus))
            if not plus and not answer.endswith(b"+ OK\r\n"):
                return answered(answer, tag)
            answer = answer.removesuffix(b"+ OK\r\n")
            line = literal + text
        return answered(answer + self.send(line + b"\r\n"), tag)

    def send(self, data: bytes) -> bytes:
        """Octets as they are; what was answered to them."""
        before = len(self.conductor.held.output)
        self._feed(data)
        self.seen = len(self.conductor.held.output)
        return self.conductor.held.output[before:]

    def login(self, name: bytes | None = None, password: bytes | None = None) -> ImapClient:
        """Sign in, as bob if nobody else is named."""
        done = self.say(b"LOGIN %s %s" % (name or self.server.name, password or self.server.password))
        assert done.status == b"OK", done
        return self

    def idle(self) -> ImapClient:
        """Begin IDLE. What is told as it begins is left to `told`."""
        self.number += 1
        answer = self.send(b"a%d IDLE\r\n" % self.number)
        assert answer.startswith(b"+ "), answer
        self.seen -= len(answer) - answer.index(b"\r\n") - 2
        return self

    def done(self) -> Answered:
        """End IDLE."""
        return answered(self.send(b"DONE\r\n"), b"a%d" % self.number)

    def told(self) -> bytes:
        """What came since the last `send`, or the last `told`, without being asked for."""
        output = self.conductor.held.output
        told, self.seen = output[self.seen :], len(output)
        return told

    def woken(self) -> None:
        """What the driver does when the session asks for a turn: here, at once."""
        self.wakes += 1
        if not self._busy:
            self._feed(b"")

    def _feed(self, data: bytes) -> None:
        self._busy = True  # what wakes the session meanwhile is looked at when it is done, as the driver does
        try:
            settle(self.conductor.feed(data))
        finally:
            self._busy = False

    def drop(self) -> None:
        """The connection is lost."""
        self.session.closed("peer closed")


def responses(octets: bytes) -> list[bytes]:
    """Responses out of what a server sent, each with its literals and without its last CRLF."""
    found, at, start = [], 0, 0
    while at < len(octets):
        end = octets.index(b"\r\n", at) + 2
        literal = _LITERAL.search(octets, at, end)
        if literal is not None:
            at = end + int(literal[1])
            continue
        found.append(octets[start : end - 2])
        at = start = end
    return found


def answered(octets: bytes, tag: bytes) -> Answered:
    """What a server sent, as the answer to the command with this tag."""
    untagged: list[bytes] = []
    done = Answered(untagged=untagged, raw=octets)
    for response in responses(octets):
        if response.startswith(tag + b" "):
            _, done.status, rest = response.split(b" ", 2)
            code = _CODE.match(rest)
            done.code = None if code is None else code[1]
            done.text = rest if code is None else rest[code.end() :]
        else:
            untagged.append(response)
    return done


def talk_in_all_ways(make: Callable[[], ImapServer], segments: Sequence[bytes]) -> bytes:
    """Whatever these octets make a new server say: whole, octet by octet, and as they are cut here; it must agree."""
    whole = b"".join(segments)
    ways = {"whole": [whole], "octet by octet": [whole[i : i + 1] for i in range(len(whole))], "as cut": segments}
    said: dict[str, bytes] = {}
    for way, pieces in ways.items():
        client = make().connect()
        for piece in pieces:
            client.send(piece)
        said[way] = client.conductor.held.output
        assert said[way] == said["whole"], f"{way}: {said[way]!r}, but whole: {said['whole']!r}"
    return said["whole"]
