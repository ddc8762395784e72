"""Waiting for what is under way."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred

LAST = 5.0
"""Seconds beyond the grace until the server stops, whatever cannot be written: the next runner takes over then."""


async def rested(
    later: Callable[..., Any], rest: Coroutine[Any, Any, None], grace: float, abort: Callable[[], None]
) -> None:
    """Done when that is, which is hastened after the grace and not waited for much longer."""
    late: Deferred[None] = Deferred()
    timers = [later(grace, abort), later(grace + LAST, late.callback, None)]
    await any_of([Deferred.fromCoroutine(rest), late])
    for timer in timers:
        if timer.active():
            timer.cancel()


async def any_of(some: Iterable[Deferred[None]]) -> None:
    """Done when one of them is; they keep their results."""
    waiting: Deferred[None] = Deferred()

    def over(result: Any) -> Any:
        if not waiting.called:
            waiting.callback(None)
        return result

    for one in list(some):
        one.addBoth(over)
    await waiting


@define(eq=False)
class Bell:
    """Wakes the one who waits for it. A ring that nobody waited for is not lost."""

    _later: Callable[..., Any]
    _rung: bool = field(default=False, init=False)
    _waiting: Deferred[None] | None = field(default=None, init=False)

    @property
    def awaited(self) -> bool:
        """Does somebody wait for it?"""
        return self._waiting is not None

    def ring(self) -> None:
        """Something happened."""
        self._rung = True
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.callback(None)

    async def wait(self, seconds: float) -> None:
        """Done at the next ring, or after so many seconds."""
        if not self._rung:
            self._waiting = Deferred()
            timer = self._later(max(0.0, seconds), self.ring)
            await self._waiting
            if timer.active():
                timer.cancel()
        self._rung = False
