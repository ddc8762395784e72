"""Connections in all: how many there may be, who waits for one, and which wait for more to send."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred

from worldmail.queue.destinations import Destination
from worldmail.queue.jobs import Job

UNPROVEN = 0.5
"""The part of all connections for destinations where nothing was taken yet: dead ones must not take them all."""


@define(kw_only=True, eq=False)
class Places:
    """The connections that a runner may have, `most` of them."""

    most: int
    _open: int = field(default=0, init=False)
    _unproven: int = field(default=0, init=False)
    _stalled: dict[str, Destination] = field(factory=dict, init=False)
    _stalled_unproven: dict[str, Destination] = field(factory=dict, init=False)

    def may_try(self) -> bool:
        """May one more connection go where nothing was taken yet?"""
        return self._unproven < self.most * UNPROVEN

    def take(self, destination: Destination) -> Callable[[], None] | None:
        """One more connection: what gives its place back. None if there is no place now; then it waits for one."""
        unproven = not destination.took
        if self._open >= self.most:
            self._stalled[destination.key] = destination
            return None
        if unproven and not self.may_try():
            self._stalled_unproven[destination.key] = destination
            return None
        self._open += 1
        self._unproven += unproven

        def leave() -> None:
            self._open -= 1
            self._unproven -= unproven

        return leave

    def next(self) -> Destination | None:
        """Who waited for the place that is free now."""
        if self._open >= self.most:
            return None
        waiting = self._stalled_unproven if self._stalled_unproven and self.may_try() else self._stalled
        return waiting.pop(next(iter(waiting))) if waiting else None


@define(kw_only=True, eq=False)
class Idle:
    """Connections that wait for more to send. Most of them get it soon: there is one timer for all.

    Args:
        later: calls back after so many seconds; gives what cancels it.
    """

    later: Callable[..., Any]
    _waiters: dict[str, deque[tuple[int, Deferred[Job | None]]]] = field(factory=dict, init=False)
    _timer: Any = field(default=None, init=False)
    _timers: int = field(default=0, init=False)  # how many there were: who waits since before the last is due with it

    async def wait(self, destination: Destination, patience: float) -> Job | None:
        """The next job that is given to this destination within so many seconds, or up to twice as many."""
        waiting: Deferred[Job | None] = Deferred()
        self._waiters.setdefault(destination.key, deque()).append((self._timers, waiting))
        if self._timer is None:
            self._set_timer(patience)
        return await waiting

    def give(self, destination: Destination, job: Job) -> bool:
        """Give it to who waits; False if nobody does."""
        waiters = self._waiters.get(destination.key)
        if not waiters:
            return False
        _, waiting = waiters.popleft()
        waiting.callback(job)
        return True

    def dismiss(self) -> None:
        """Nothing comes any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._let_go(self._timers + 1)

    def _set_timer(self, patience: float) -> None:
        self._timers += 1
        self._timer = self.later(patience, self._too_long, patience)

    def _too_long(self, patience: float) -> None:
        self._timer = None
        self._let_go(self._timers)
        if self._waiters and self._timer is None:
            self._set_timer(patience)

    def _let_go(self, timers: int) -> None:
        """Who came before there were so many waits no longer."""
        gone = []
        for key, waiters in list(self._waiters.items()):
            while waiters and waiters[0][0] < timers:
                gone.append(waiters.popleft()[1])
            if not waiters:
                del self._waiters[key]
        for waiting in gone:
            waiting.callback(None)


@define(kw_only=True, eq=False)
class Pace:
    """Holds back what would go to a destination sooner than the rate of its route allows.

    Args:
        seconds: a clock that only grows.
        later: calls back after so many seconds; gives what cancels it.
    """

    seconds: Callable[[], float]
    later: Callable[..., Any]
    _waiting: dict[Deferred[None], Any] = field(factory=dict, init=False)

    async def turn(self, destination: Destination) -> None:
        """Done when the next message may go; at once where there is no rate."""
        rate = destination.route.rate
        if not rate:
            return
        now = self.seconds()
        at = max(now, destination.free_at)
        destination.free_at = at + 60 / rate
        if at > now:
            waiting: Deferred[None] = Deferred()
            self._waiting[waiting] = self.later(at - now, self._go, waiting)
            await waiting

    def dismiss(self) -> None:
        """Nobody waits any longer."""
        for waiting, timer in list(self._waiting.items()):
            timer.cancel()
            self._go(waiting)

    def _go(self, waiting: Deferred[None]) -> None:
        del self._waiting[waiting]
        waiting.callback(None)
