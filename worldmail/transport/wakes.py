"""Turns that no peer asked for: connections that have something to tell.

A change may concern thousands of connections at once, and is told in the midst of somebody's work: so each gets
its turn in the reactor's next rounds, as many in a round as its time allows.
"""

from __future__ import annotations

import time
from collections import deque
from typing import Any, Protocol

from twisted.logger import Logger

_log = Logger()

ROUND_SECONDS = 0.01
"""How long the woken are served in one go, while others wait."""


class Sleeper(Protocol):
    """What can be woken."""

    def woken(self) -> None:
        """It is its turn."""


class Wakes:
    """Calls `woken` on each that was added, once, soon."""

    __slots__ = ("_reactor", "_waiting")

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._waiting: deque[Sleeper] = deque()

    def add(self, sleeper: Sleeper) -> None:
        """Wake it in the reactor's next round."""
        self._waiting.append(sleeper)
        if len(self._waiting) == 1:
            self._reactor.callLater(0, self._round)

    def _round(self) -> None:
        until = time.monotonic() + ROUND_SECONDS
        waiting = self._waiting
        while waiting:
            try:
                waiting[0].woken()
            except Exception:  # noqa: BLE001 - the others are to be woken all the same, now and later
                _log.failure("waking a connection")
            waiting.popleft()
            if waiting and time.monotonic() > until:
                self._reactor.callLater(0, self._round)
                return
