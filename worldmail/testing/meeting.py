"""A listener on the loopback with small dialogues, for tests and measurements of transports."""

from __future__ import annotations

import socket
from collections.abc import Callable, Coroutine
from typing import Any

from attrs import define, field
from twisted.internet import reactor as installed
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from worldmail.testing.fakes import PlainDialogue
from worldmail.testing.world import MemoryJournal
from worldmail.transport.driver import DialogueFactory
from worldmail.transport.listen import Listener
from worldmail.transport.tls import Tls

reactor: Any = installed


@define(kw_only=True)
class Meeting:
    """A listener on the loopback whose connections are `PlainDialogue`s (or others), all kept to be looked at."""

    reactor: Any
    journal: MemoryJournal = field(factory=MemoryJournal)
    tls: Tls | None = None
    implicit_tls: bool = False
    greets_secured: bool = False
    limits: Any = None
    handshake_timeout: float = 30.0
    make: Callable[[], Any] = PlainDialogue
    host: str = "127.0.0.1"
    dialogues: list[Any] = field(factory=list)
    factory: DialogueFactory = field(init=False)
    listener: Listener = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.factory = DialogueFactory(
            self._make,
            name="test",
            reactor=self.reactor,
            journal=self.journal,
            tls=self.tls,
            implicit_tls=self.implicit_tls,
            limits=self.limits,
            handshake_timeout=self.handshake_timeout,
            greets_secured=self.greets_secured,
        )
        self.listener = Listener(self.factory, [(self.host, 0)], reactor=self.reactor, grace=2.0)

    def _make(self) -> Any:
        made = self.make()
        self.dialogues.append(made)
        return made

    def start(self) -> tuple[str, int]:
        """Listen; where."""
        self.listener.startService()
        return self.listener.addresses[0]


def read_until(connection: socket.socket, end: bytes) -> bytes:
    """Everything up to and with `end`, or to the end of the connection."""
    data = bytearray()
    while not data.endswith(end):
        piece = connection.recv(65536)
        if not piece:
            break
        data += piece
    return bytes(data)


def read_all(connection: socket.socket) -> bytes:
    """Everything up to the end of the connection; "<reset>" stands for an end that was none. Closes it."""
    data = b""
    try:
        while piece := connection.recv(65536):
            data += piece
    except ConnectionResetError:
        data += b"<reset>"
    connection.close()
    return data


class Meets(TestCase):
    """A test that meets a listener; its clients block, and run in threads."""

    timeout = 60
    meeting: Meeting
    place: tuple[str, int]

    def meet(self, **changes: Any) -> Meeting:
        """Listen, until the test is over."""
        self.meeting = Meeting(reactor=reactor, **changes)
        self.place = self.meeting.start()
        self.addCleanup(self.meeting.listener.stopService)
        return self.meeting

    def connect(self) -> socket.socket:
        """A connection. Blocks."""
        connection = socket.create_connection(self.place, timeout=20)
        self.addCleanup(connection.close)
        return connection

    def greeted(self) -> socket.socket:
        """A connection, its greeting read. Blocks."""
        connection = self.connect()
        assert read_until(connection, b"\r\n") == b"hello\r\n"
        return connection

    async def client(self, talk: Callable[[], Any]) -> Any:
        """What `talk` returns, run in a thread."""
        return await deferToThread(talk)

    async def until(self, condition: Callable[[], Any]) -> None:
        """Done when it is true."""
        for _ in range(5000):
            if condition():
                return
            await deferLater(reactor, 0.01, lambda: None)
        self.fail("it never came true")

    def run_async(self, test: Coroutine[Any, Any, None]) -> Deferred[None]:
        """What a test method returns."""
        return Deferred.fromCoroutine(test)
