"""A connector on the loopback and a small client's dialogue, for tests of connections that we open."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from attrs import define, field
from zope.interface import implementer

from worldmail.interfaces.outbound import Hop, Security
from worldmail.interfaces.protocol import IDialogue, Peer
from worldmail.testing.authority import Authority
from worldmail.testing.meeting import Meets, reactor
from worldmail.testing.world import MemoryJournal
from worldmail.transport.client_tls import ClientTls
from worldmail.transport.connecting import Connector
from worldmail.transport.tls import Tls
from worldmail.wire.effects import Effect, Effects, StartTls
from worldmail.wire.faults import Fault
from worldmail.wire.lines import LineBuffer
from worldmail.wire.wakes import WAKE

NAME = "mx.example.test"
"""Of the servers that are called."""


@implementer(IDialogue)
@define(kw_only=True)
class PlainClient:
    """Keeps each line that comes; says what a test has it say.

    Attributes:
        heard: the lines, and "secured".
        answers: what a line is answered with, once.
        last: what it says when the server stops.
    """

    timeout: float = 60.0
    minimum_rate: int = 0
    peer: Peer | None = None
    heard: list[bytes] = field(factory=list)
    endings: list[str] = field(factory=list)
    answers: dict[bytes, list[Effect]] = field(factory=dict)
    last: list[Effect] = field(factory=list)
    secured_tls: Any = None
    lines: LineBuffer = field(factory=lambda: LineBuffer(100_000))
    _waiting: list[Effect] = field(factory=list)

    def opened(self, peer: Peer) -> Effects:
        """The server speaks first."""
        self.peer = peer
        return []

    def say(self, *effects: Effect) -> None:
        """In a turn of its own."""
        assert self.peer is not None
        self._waiting += effects
        self.peer.wake()

    def refused(self, reason: str) -> Effects:
        """Nothing is said."""
        return []

    def receive(self, data: bytes) -> None:
        """Keeps it."""
        self.lines.append(data)

    def buffered(self) -> int:
        """What is kept."""
        return self.lines.buffered

    def next_event(self) -> object | None:
        """The next line, or that there is something to say."""
        line = self.lines.take()
        return WAKE if line is None and self._waiting else line

    async def handle(self, event: object) -> Effects:
        """Notes it."""
        if event is WAKE:
            waiting, self._waiting = self._waiting, []
            return waiting
        assert not isinstance(event, Fault)
        assert isinstance(event, bytes)
        self.heard.append(event)
        return self.answers.pop(event, [])

    def secured(self, peer: Peer) -> Effects:
        """Notes it."""
        self.secured_tls = peer.tls
        self.heard.append(b"secured")
        return []

    def timed_out(self) -> Effects:
        """Nothing is said."""
        return []

    def shutting_down(self) -> Effects:
        """As the test wants."""
        return self.last

    def closed(self, reason: str) -> None:
        """Keeps the reason."""
        self.endings.append(reason)


class Calls(Meets):
    """A test that opens connections, to a listener of ours or to sockets that threads serve."""

    connector: Connector
    journal: MemoryJournal

    def connecting(self, tls: ClientTls | None = None, **changes: Any) -> Connector:
        """A connector, until the test is over."""
        self.journal = MemoryJournal()
        self.connector = Connector(reactor=reactor, journal=self.journal, tls=tls or ClientTls(), **changes)
        self.addCleanup(self.connector.shutdown, 1.0)
        return self.connector

    def hop(self, *addresses: str, **changes: Any) -> Hop:
        """To the listener, if nothing else is said."""
        given: dict[str, Any] = {"host": NAME, "helo": "us.example.test"}
        given["addresses"] = addresses or (self.place[0],)
        given.setdefault("port", changes.pop("port", None) or self.place[1])
        return Hop(**(given | changes))

    async def call(self, *addresses: str, make: Callable[[], Any] = PlainClient, **changes: Any) -> Any:
        """A dialogue on a connection."""
        return await self.connector.connect(make, self.hop(*addresses, **changes))

    def listening(self, host: str = "127.0.0.1", backlog: int = 5) -> socket.socket:
        """A listening socket that nobody accepts from but the test."""
        made = socket.create_server((host, 0), backlog=backlog)
        made.settimeout(20)
        self.place = made.getsockname()[:2]
        self.addCleanup(made.close)
        return made


class TlsCalls(Calls):
    """A test that opens connections to a listener with a certificate."""

    directory: Path
    authority: Authority

    def setUp(self) -> None:
        """An authority of its own."""
        self.directory = Path(self.mktemp())  # type: ignore[no-untyped-call]  # of trial
        self.authority = Authority(self.directory)

    def both(self, served: Tls, trust: Path | None = None, **changes: Any) -> None:
        """Listen with this certificate, trust our authority (or that)."""
        self.meet(tls=served, **changes)
        self.connecting(ClientTls(trust=trust or self.authority.file))

    async def secured(self, **changes: Any) -> Any:
        """A dialogue that has started TLS, or failed to."""
        dialogue = await self.call(make=lambda: PlainClient(answers={b"go": [StartTls()]}), **changes)
        dialogue.say(b"STARTTLS\r\n")
        await self.until(lambda: b"secured" in dialogue.heard or dialogue.endings)
        return dialogue

    async def failing(self, **changes: Any) -> str:
        """Why it failed."""
        dialogue = await self.secured(**({"security": Security.VERIFIED} | changes))
        await self.until(lambda: dialogue.endings)
        failure: str | None = dialogue.peer.tls_failure
        assert failure is not None
        assert dialogue.heard == [b"hello", b"go"]
        assert dialogue.endings == [f"TLS handshake failed: {failure}"]
        assert dialogue.peer.tls is None
        return failure
