"""Waiting for a while, and for what others do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred


@define(kw_only=True, eq=False)
class Pause:
    """A wait that may be cut short."""

    later: Callable[..., Any]
    _waiting: Deferred[None] | None = field(default=None, init=False)
    _timer: Any = field(default=None, init=False)
    _soon: float | None = field(default=None, init=False)

    async def wait(self, seconds: float) -> None:
        """So long, or less if that was or is asked for."""
        soon, self._soon = self._soon, None
        waiting: Deferred[None] = Deferred()
        self._waiting = waiting
        self._timer = self.later(seconds if soon is None else min(soon, seconds), self._over)
        await waiting

    def shorten(self, seconds: float) -> None:
        """Not longer than this from now on, or of the next one."""
        if self._waiting is None:
            self._soon = seconds
        elif self._timer.active() and self._timer.getTime() - self._timer.seconds() > seconds:
            self._timer.reset(seconds)

    def _over(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.callback(None)


async def quietly(work: Deferred[Any]) -> None:
    """Done when that is, or might have been; its failure is another's."""
    done: Deferred[None] = Deferred()

    def over(result: Any) -> Any:
        done.callback(None)
        return result

    work.addBoth(over)
    await done
