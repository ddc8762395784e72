"""Waiting for others to finish: first come, first served, by key."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from typing import Generic, TypeVar

from twisted.internet.defer import Deferred

K = TypeVar("K", bound=Hashable)


class Turns(Generic[K]):
    """At most `limit` wait, over all keys."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._waiting: dict[K, deque[Deferred[None]]] = {}
        self._waiters = 0
        self._to_wake: deque[K] = deque()
        self._waking = False

    @property
    def full(self) -> bool:
        """True if nobody more can wait."""
        return self._waiters >= self._limit

    async def wait(self, key: K) -> None:
        """Done when it is this one's turn for `key`. Whoever does not use it passes it on with `wake`."""
        turn: Deferred[None] = Deferred()
        queue = self._waiting.setdefault(key, deque())
        queue.append(turn)
        self._waiters += 1
        try:
            await turn
        except BaseException:  # cancelled
            queue.remove(turn)
            raise
        finally:
            self._waiters -= 1
            if not queue and self._waiting.get(key) is queue:
                del self._waiting[key]

    def wake(self, key: K) -> None:
        """Let the next of `key` go on. Those it wakes may wake others: that is done in a loop, not by recursion."""
        self._to_wake.append(key)
        if self._waking:
            return
        self._waking = True
        try:
            while self._to_wake:
                queue = self._waiting.get(self._to_wake.popleft())
                if queue:
                    queue.popleft().callback(None)
        finally:
            self._waking = False
