"""Work of our own that would hold the reactor for long is done in slices, and others get their turn between them.

A thread would not do: while it runs Python, the reactor has to wait for the interpreter's lock again after each of its
system calls, for up to 5 ms each. But what cannot be cut into slices, such as a message of megabytes, goes to a thread.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from attrs import define, field

from worldmail.mail.mime.fields import Octets, header_end
from worldmail.wire.ready import Ready

T = TypeVar("T")

_JUST = 0.001  # seconds

LARGE = 1 << 17
"""Octets of a content, each as laborious as those of a plain text, that are not worked on on the reactor's thread."""

_NESTED = (b"rfc822", b"multipart/digest", b"message/global")

Elsewhere = Callable[[Callable[[], Any]], Awaitable[Any]]
"""Runs what takes its time, in a thread if there is one for it."""


def labour(octets: Octets) -> int:
    """How many octets of a plain text take as long as these, about.

    A header takes ten times as long as its size, so parts, tags and the headers of messages in the message count more:
    who means harm makes little else.
    """
    size = len(octets)
    if size > LARGE:
        return size
    text = octets[:]
    most = 15 * size + 255 * text.count(b"\n--")
    if most <= LARGE:  # nearly all mail: it is little whatever else is in it
        return most
    lower = text.lower()
    if any(name in lower for name in _NESTED):
        return 8 * size
    return size + 7 * header_end(text, 0, size) + 255 * text.count(b"\n--") + 7 * text.count(b"<")


def at_once(work: Callable[[], T]) -> Awaitable[T]:
    """Where there is no thread."""
    return Ready(work())


Pause = Callable[[float], Awaitable[None]]
"""Done after so many seconds, when all others had their turn."""


@define(kw_only=True)
class Slices:
    """Args:
    seconds: a clock that only grows.
    longest: seconds that a slice takes, about.
    apart: seconds between two.
    elsewhere: for what is large.
    """

    seconds: Callable[[], float]
    pause: Pause
    longest: float
    apart: float = 0.0
    elsewhere: Elsewhere = at_once

    _until: float = field(default=0.0, init=False)
    _worked: float = field(default=float("-inf"), init=False)

    def begin(self) -> Turn:
        """A slice begins, or goes on if other work has only just ended."""
        now = self.seconds()
        if now - self._worked > _JUST:
            self._until = now + self.longest
        return Turn(self)

    def is_over(self) -> bool:
        """Whether others should have their turn, now that some work is done."""
        self._worked = self.seconds()
        return self._worked >= self._until

    async def rest(self) -> None:
        """Let others have their turn."""
        await self.pause(self.apart)
        self._until = self.seconds() + self.longest


@define
class Turn:
    """A piece of work in slices."""

    _slices: Slices

    async def work(self, size: int, work: Callable[[], T]) -> T:
        """The result of so much labour; then others have their turn if the slice is over."""
        value: T = work() if size <= LARGE else await self._slices.elsewhere(work)
        if self.is_over():
            await self.rest()
        return value

    def is_over(self) -> bool:
        """Whether the slice is, now that some work is done: `rest` is due."""
        return self._slices.is_over()

    def rest(self) -> Awaitable[None]:
        """Let others have their turn."""
        return self._slices.rest()
