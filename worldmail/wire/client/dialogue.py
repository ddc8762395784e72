"""What a driver calls of a client's conversation (`IDialogue`): it steps a course through what the server says."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Generic, TypeVar

from worldmail.wire.client.channel import SECURED, ClientChannel, ClientPeer
from worldmail.wire.courses import Courses, Promise
from worldmail.wire.effects import Effects

C = TypeVar("C", bound=ClientChannel)


class CourseDialogue(ABC, Generic[C]):
    """The client's side of one connection, on which one course runs from the greeting on.

    Attributes:
        peer: the connection; None before it is `opened`.
    """

    __slots__ = ("_channel", "_courses", "_ready", "peer")

    minimum_rate = 0

    def __init__(self, channel: C) -> None:
        self.peer: ClientPeer | None = None
        self._channel = channel
        self._courses = Courses()
        self._ready: Promise = channel.means.promise()

    async def ready(self) -> None:
        """Wait until it is in TLS and signed in as was asked. Raises `FAILED` of its channel. To be called once."""
        await self._ready

    def abort(self) -> None:
        """Drop the connection now. One where all was said closes already, and for its own reason."""
        if self.peer is not None and not self._channel.over:
            self.peer.abort("aborted")

    # --- what the driver calls -----------------------------------------------------------

    @property
    def timeout(self) -> float:
        """See `IDialogue.timeout`."""
        return self._channel.timeout

    def opened(self, peer: ClientPeer) -> Effects:
        """The server speaks first."""
        self.peer = peer
        self._channel.meet(peer)
        self._courses.course = self._run()
        return self._act(None)

    def refused(self, reason: str) -> Effects:
        """See `IDialogue.refused`."""
        return self._end(self._channel.lost("4.3.2", f"The connection is not allowed: {reason}"))

    def receive(self, data: bytes) -> None:
        """Take bytes."""
        self._channel.reader.receive(data)

    def buffered(self) -> int:
        """See `IDialogue.buffered`."""
        return self._channel.reader.buffered()

    def next_event(self) -> object | None:
        """The next that the server says."""
        return None if self._channel.over else self._channel.reader.take()

    async def handle(self, event: object) -> Effects:
        """Go on."""
        await self._courses.drive(event)
        return self._channel.taken()

    def secured(self, peer: ClientPeer) -> Effects:
        """See `IDialogue.secured`."""
        self._channel.reader.clear()
        return self._act(SECURED)

    def timed_out(self) -> Effects:
        """See `IDialogue.timed_out`."""
        return self._end(self._channel.lost("4.4.2", "The server did not answer in time"))

    def closed(self, reason: str) -> None:
        """The connection is gone, or another dialogue's. What came before that still counts."""
        channel = self._channel
        while self._courses.course is not None and (said := channel.reader.take()) is not None:
            self._act(said)
        channel.over = True
        failure = None if self.peer is None else self.peer.tls_failure
        if failure is None:
            self._leave(channel.lost("4.4.2", f"The connection was lost: {reason}"))
        else:
            self._leave(channel.lost("4.7.5", f"TLS could not be started: {failure}"))

    # --- the course ----------------------------------------------------------------------

    @abstractmethod
    async def _run(self) -> None:
        """What is said from the greeting on; keeps `_ready`."""

    def _tell(self, promise: Promise, error: Exception) -> bool:
        """Tell who waits for what comes to nothing by this. False if it is an error of ours, to be raised on."""
        channel = self._channel
        promise.errback(channel.given_up(error))
        return isinstance(error, (channel.FAILED, channel.LOST))

    def _act(self, event: object) -> Effects:
        """Go on where nothing can be waited for."""
        self._courses.act(event, self._channel.lost("4.4.2", "The connection was lost"))
        return self._channel.taken()

    def _end(self, lost: Exception) -> Effects:
        """Nothing can be said any more."""
        self._courses.end(lost)
        return self._channel.taken()

    def _leave(self, lost: Exception) -> None:
        """The connection is no more: whoever waits is told."""
        self._end(lost)
