"""A protocol as small as can be, and the client's side of it: a line answers a line, "no" refuses, "bye" ends it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet.defer import Deferred

from worldmail.interfaces.protocol import Peer
from worldmail.testing.feeding import settle
from worldmail.testing.smtp_client import at_once
from worldmail.wire.client.asked import AskedChannel, AskedDialogue
from worldmail.wire.client.means import Means
from worldmail.wire.client.reader import GARBAGE, Garbage, LineReader
from worldmail.wire.courses import next_event
from worldmail.wire.effects import Effects
from worldmail.wire.faults import Fault

HOST = "toy.b.test"


class Gone(Exception):
    """The conversation is over."""


class Unfit(Exception):
    """There is none."""


class Refused(Exception):
    """The server does not do it."""


class ToyReader(LineReader):
    """Lines."""

    __slots__ = ()

    def take(self) -> bytes | Garbage | None:
        """The next one."""
        line = None if self._over else self._lines.take()
        return self._end() if isinstance(line, Fault) else line


class ToyChannel(AskedChannel):
    """Asks."""

    __slots__ = ()

    LOST = Gone
    FAILED = Unfit
    GOODBYE = b"quit\r\n"

    def __init__(self, means: Means) -> None:
        super().__init__(HOST, means, ToyReader(20), means.patience.opening)

    def failed(self, status: str, reason: str) -> Unfit:
        """With its status."""
        return Unfit(f"{status} {reason}")

    async def answer(self) -> bytes:
        """The next line."""
        said = self.reader.take() or await next_event()
        if said is GARBAGE or said == b"bye":
            raise Gone("the server ended it")
        if said == b"no":
            raise Refused
        assert isinstance(said, bytes)
        return said


class QuietChannel(ToyChannel):
    """Knows no goodbye."""

    __slots__ = ()

    GOODBYE = b""


class ToyDialogue(AskedDialogue[ToyChannel]):
    """Greeted by "tls" it starts TLS first; by "no" it has nothing to say, by "fault" it has a fault of its own."""

    __slots__ = ()

    def __init__(self, *, window: int = 1, quiet: bool = False) -> None:
        means = Means(promise=Deferred, aside=at_once, nonce=lambda: "nonce", window=window)
        super().__init__((QuietChannel if quiet else ToyChannel)(means))

    def ask(self, command: bytes) -> Awaitable[Any]:
        """The answer to it."""
        channel = self._channel
        return self._ask(lambda: channel.put(command + b"\r\n"), channel.answer)

    async def _enter(self) -> None:
        try:
            greeting = await self._channel.answer()
        except Refused:
            raise Unfit("we are turned away") from None
        if greeting == b"fault":
            raise ZeroDivisionError
        if greeting == b"tls":
            await self._channel.secure(self._channel.failed)
            await self._channel.answer()

    def _window(self) -> int:
        return self._channel.means.window


class Line:
    """A connection with such a client.

    Attributes:
        effects: what it wanted done, in order.
        woken: how often it asked for a turn.
    """

    def __init__(self, **changes: Any) -> None:
        self.dialogue = ToyDialogue(**changes)
        self.effects: list[Any] = []
        self.woken = 0
        self.ready: list[Any] = []
        self.watch(self.dialogue.ready(), self.ready)
        self.peer = Peer(session="c1", host="192.0.2.1", port=7, local_host="192.0.2.9", local_port=40000)
        self.peer.wake = self._wake
        self.take(self.dialogue.opened(self.peer))

    def watch(self, awaited: Awaitable[Any], results: list[Any]) -> None:
        """Have the result, or what was raised, there."""

        async def wait() -> Any:
            return await awaited

        Deferred.fromCoroutine(wait()).addErrback(lambda failure: failure.value).addCallback(results.append)

    def ask(self, command: bytes) -> list[Any]:
        """What becomes of it."""
        results: list[Any] = []
        self.watch(self.dialogue.ask(command), results)
        self.go_on()
        return results

    def hear(self, data: bytes, cut: Callable[[bytes], list[bytes]] = lambda data: [data]) -> None:
        """The server says this."""
        for piece in cut(data):
            self.dialogue.receive(piece)
            self.go_on()

    def go_on(self) -> None:
        """Turns, as long as there is something to do."""
        while (event := self.dialogue.next_event()) is not None:
            self.take(settle(self.dialogue.handle(event)))

    def take(self, effects: Effects) -> None:
        """They are carried out."""
        self.effects += effects

    def _wake(self) -> None:
        self.woken += 1
