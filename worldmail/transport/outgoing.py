"""The writing half of a connection: joining, waiting for a slow reader, closing so that the last words arrive."""

from __future__ import annotations

import time
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure
from zope.interface import implementer

from worldmail.interfaces.protocol import IReporting
from worldmail.transport.certificate_words import clients_handshake_words
from worldmail.transport.connections import Connections
from worldmail.transport.deflate import Deflate
from worldmail.wire.effects import Flush, Stream

OUTPUT_LIMIT = 64 * 1024
"""Octets joined before they are written though the turn goes on."""

SLOWEST_READER = 20
"""Octets a second that a peer must take while output waits for it."""

TURN_SECONDS = 0.01
"""How long one connection may be at work in one go, while others wait."""

LINGER_SECONDS = 3.0
"""How long a closed connection waits for the peer to close too, when it may not have read the last words."""

WORKING_SECONDS = 10.0
"""After so long a peer that waits for our work may be told how it goes on (`IReporting`), and again each time."""

NEVER = float("inf")


@implementer(IPushProducer)
class Outgoing(Protocol):
    """Output of one connection. As a producer it stands for whoever writes.

    Attributes:
        deadline: monotonic seconds; the sweep calls `look` when they have passed.
    """

    factory: Connections
    transport: Any
    dialogue: Any
    _output: list[bytes]  # what is joined for the next write
    deadline = NEVER
    reader_timeout = 300.0
    _octets_out = 0
    _queued = 0  # octets in _output
    _over = False  # closing or gone: nothing new begins
    _gone = False  # the connection is lost
    _working = False  # the dialogue is at work: if the turn waits, it is neither for the peer nor for others
    _has_waited = False  # the turn has, since it began or last made way
    _reporting = False  # it has waited so since the event came, and a report is due some time
    _full = False  # output waits for the peer
    _undelivered = 0  # octets that the peer had not taken when last looked at
    _looked = 0.0  # when that was; 0 if never
    _deflate: Deflate | None = None
    _waiting: Deferred[None] | None = None  # what a turn itself waits for: room, TLS, its next go
    _reason = ""

    def send(self, data: bytes) -> None:
        """Send this, joined with what comes before and after."""
        self._output.append(data)
        self._queued += len(data)
        if self._queued > OUTPUT_LIMIT:
            self.flush()

    def flush(self) -> None:
        """Write what was joined."""
        output = self._output
        if output:
            data = output[0] if len(output) == 1 else b"".join(output)
            output.clear()
            self._queued = 0
            if self._deflate is not None:
                data = self._deflate.compress(data)
            self._octets_out += len(data)
            self.transport.write(data)

    def waits(self) -> None:
        """The turn begins to wait."""
        self._has_waited = True
        self.flush()
        if self._working and not self._reporting:
            self._reporting = True
            self.deadline = time.monotonic() + WORKING_SECONDS

    def report(self, now: float) -> None:
        """Tell the peer how the work goes on, unless it reads too slowly anyway."""
        self.deadline = now + WORKING_SECONDS
        if not self._full and IReporting.providedBy(self.dialogue) and (report := self.dialogue.working()):
            self.send(report)
            self.flush()

    async def in_writes(self, effect: Stream | Flush) -> None:
        """Send what takes more than one write."""
        if isinstance(effect, Stream):
            await self._stream(effect)
        elif not self._over:
            self.flush()
            await self.let_others_in()

    async def _stream(self, stream: Stream) -> None:
        """Send chunk after chunk, as fast as the peer takes them and others are not kept waiting."""
        chunks, until = stream.chunks, time.monotonic() + TURN_SECONDS
        try:
            while not self._over:
                self._working = True
                chunk = await anext(chunks)
                self._working = False
                self.send(chunk)
                if self._full:
                    await self.room()
                elif time.monotonic() > until:
                    await self.let_others_in()
                    until = time.monotonic() + TURN_SECONDS
        except StopAsyncIteration:
            pass
        finally:
            self._working = False
            close = getattr(chunks, "aclose", None)
            if close is not None:
                await close()

    # -- what Twisted calls (IPushProducer) -----------------------------------

    def pauseProducing(self) -> None:
        """The peer reads too slowly: what is written lies in our memory."""
        self._full = True

    def resumeProducing(self) -> None:
        """The peer has read."""
        self._full = False
        self.go_on()

    def stopProducing(self) -> None:
        """The connection is gone; `connectionLost` follows."""

    # -- waiting ---------------------------------------------------------------

    async def room(self) -> None:
        """Done when the peer has taken what was written, or is gone."""
        while self._full and not self._gone:
            now = time.monotonic()
            self.watch_reader(now)
            await self.pause()

    async def let_others_in(self) -> None:
        """Go on in the reactor's next round."""
        self.factory.reactor.callLater(0, self.go_on)
        await self.pause()

    async def make_way(self) -> None:
        """Let others in, unless they were already while the turn waited for something else."""
        if not self._has_waited:
            await self.let_others_in()
        self._has_waited = False

    def pause(self) -> Deferred[None]:
        """What fires at the next `go_on`."""
        self._waiting = Deferred()
        return self._waiting

    def go_on(self) -> None:
        """End the pause, if there is one."""
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.callback(None)

    # -- slow readers ------------------------------------------------------------

    def undelivered(self) -> int:
        """Octets that the peer has not taken; 0 where the transport cannot tell."""
        ask = getattr(self.transport, "undelivered", None)
        return 0 if ask is None or self._gone else int(ask())

    def watch_reader(self, now: float) -> None:
        """From now on the peer must take octets."""
        self._undelivered = self.undelivered()
        self._looked = now
        self.deadline = now + self.reader_timeout

    def look_at_reader(self, now: float) -> None:
        """It had its time. Has it taken enough?"""
        left = self.undelivered()
        if left and (not self._looked or self._undelivered - left >= SLOWEST_READER * (now - self._looked)):
            self.watch_reader(now)
        else:
            self.abort("does not read" if left else "timed out")

    # -- the end -----------------------------------------------------------------

    def close(self, reason: str, unread: bool = False) -> None:
        """Send what there is, then close. `unread`: input may be lying in the system.

        A system that closes over unread input resets the connection, and the last words may be lost
        with it: then only our side is closed, and the rest of the input thrown away for a while.
        """
        if self._over:
            return
        self.flush()
        self._over = True
        self._reason = reason
        self.deadline = time.monotonic() + LINGER_SECONDS
        self.transport.unregisterProducer()
        if unread and not self.transport.TLS:
            self.transport.loseWriteConnection()
            self.transport.resumeProducing()
        else:
            self.transport.loseConnection()

    def abort(self, reason: str) -> None:
        """Cut it off; what was not sent is not sent."""
        if not self._gone:
            self._over = True
            self._reason = self._reason or reason
            self._output.clear()
            self.transport.abortConnection()


def why(reason: Failure, securing: bool) -> str:
    """A failure of the connection, as the log has it."""
    if securing:
        return f"TLS handshake failed: {clients_handshake_words(reason.value)}"
    error = reason.value
    if isinstance(error, ConnectionDone):
        return "closed by peer"
    if isinstance(error, ConnectionAborted):
        return "aborted"
    if isinstance(error, ConnectionLost):
        return "connection lost"
    return f"connection failed: {type(error).__name__}"
