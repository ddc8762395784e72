"""Work of our own that would hold the reactor for long is done in slices, and others get their turn between them.

A thread would not do: while it runs Python, the reactor has to wait for the interpreter's lock again after each of its
system calls, for up to 5 ms each.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from attrs import define

Pause = Callable[[float], Awaitable[None]]
"""Done after so many seconds, when all others had their turn."""


@define(kw_only=True)
class Slices:
    """Args:
    seconds: a clock that only grows.
    longest: seconds that a slice takes, about.
    apart: seconds between two.
    """

    seconds: Callable[[], float]
    pause: Pause
    longest: float
    apart: float = 0.0

    def begin(self) -> Turn:
        """A slice begins."""
        return Turn(self, self.seconds() + self.longest)


@define
class Turn:
    """A piece of work in slices."""

    _slices: Slices
    _until: float

    async def rest(self) -> None:
        """Let others have their turn if the slice is over."""
        slices = self._slices
        if slices.seconds() >= self._until:
            await slices.pause(slices.apart)
            self._until = slices.seconds() + slices.longest
