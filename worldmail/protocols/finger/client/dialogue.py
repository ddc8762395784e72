"""One question to a finger server."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, Protocol

from zope.interface import implementer

from worldmail.interfaces.protocol import IDialogue, Peer
from worldmail.wire.effects import Close, Effects

MAXIMUM_ANSWER = 4096
"""Octets in which the first line must be."""

MAXIMUM_LINE = 300
"""Characters of the first line that are kept for people."""

PATIENCE = 60.0
"""Seconds that the server has for its first line."""


class Promise(Protocol):
    """An awaitable that is kept later, once. A Deferred is one."""

    def callback(self, value: Any) -> None:
        """This is it."""

    def __await__(self) -> Generator[Any, Any, Any]:
        """Wait for it."""


@implementer(IDialogue)
class Asking:
    """Says the question (RFC 1288 §2.2) and listens until the server has said a line that is not empty, or closes.

    Args:
        question: a word in ASCII without control characters; None to ask nothing, and close.
        promise: makes a promise.
    """

    timeout = PATIENCE
    minimum_rate = 0

    def __init__(self, question: str | None, promise: Callable[[], Promise]) -> None:
        self._question = question
        self._promise = promise()
        self._answer = bytearray()
        self._over = False
        self._peer: Peer | None = None

    async def answer(self) -> str:
        """The first line that has anything in it; "" if the server said nothing. To be called once."""
        answer: str = await self._promise
        return answer

    def abort(self) -> None:
        """Wait no more."""
        if self._peer is not None and not self._over:
            self._peer.abort("aborted")

    def opened(self, peer: Peer) -> Effects:
        """We speak first."""
        self._peer = peer
        if self._question is None:
            return self._end()
        return (self._question.encode("ascii") + b"\r\n",)

    def refused(self, reason: str) -> Effects:
        """See `IDialogue.refused`."""
        return self._end()

    def receive(self, data: bytes) -> None:
        """Take bytes."""
        self._answer += data[: MAXIMUM_ANSWER - len(self._answer)]

    def buffered(self) -> int:
        """See `IDialogue.buffered`."""
        return 0 if self._over else len(self._answer)

    def next_event(self) -> object | None:
        """That it is enough."""
        whole, end, _ = self._answer.rpartition(b"\n")
        enough = len(self._answer) >= MAXIMUM_ANSWER or (end and first_line(bytes(whole)))
        return first_line if enough and not self._over else None

    async def handle(self, event: object) -> Effects:
        """We have heard all that we want."""
        return self._end()

    def secured(self, peer: Peer) -> Effects:
        """There is no TLS."""
        return ()

    def timed_out(self) -> Effects:
        """What came until now is the answer."""
        return self._end()

    def shutting_down(self) -> Effects:
        """This server stops."""
        return self._end()

    def closed(self, reason: str) -> None:
        """The server has said all."""
        self._end()

    def _end(self) -> Effects:
        if not self._over:
            self._over = True
            self._promise.callback(first_line(bytes(self._answer)))
        return (Close("answered"),)


def first_line(answer: bytes) -> str:
    """The first line that says anything, without control characters (RFC 1288 §3.3), bounded."""
    lines = (_visible(line) for line in answer.splitlines()[:100])
    return next((line for line in lines if line), "")[:MAXIMUM_LINE]


def _visible(line: bytes) -> str:
    text = line[: 4 * MAXIMUM_LINE].decode("utf-8", "replace")
    return "".join(letter if letter.isprintable() else " " for letter in text).strip()
