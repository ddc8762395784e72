"""Deadlines without a timer for each connection.

One call a second looks at every connection of a factory: a float compared for each. It
runs only while there are connections.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, Protocol

from twisted.internet.task import LoopingCall
from twisted.logger import Logger

INTERVAL = 1.0


class Swept(Protocol):
    """What has deadlines."""

    deadline: float

    def look(self, now: float) -> None:
        """The deadline has passed."""


class Sweep:
    """Calls `look` on whatever is past its `deadline` (monotonic seconds), within a second of it."""

    _log = Logger()

    def __init__(self, reactor: Any) -> None:
        self._members: set[Any] = set()
        self._loop = LoopingCall(self.sweep)
        self._loop.clock = reactor

    def add(self, member: Swept) -> None:
        """From now on."""
        self._members.add(member)
        if not self._loop.running:
            self._loop.start(INTERVAL, now=False)

    def discard(self, member: Swept) -> None:
        """No more."""
        self._members.discard(member)

    def stop(self) -> None:
        """Look no more, until something is added."""
        if self._loop.running:
            self._loop.stop()

    def __len__(self) -> int:
        return len(self._members)

    def __iter__(self) -> Iterator[Any]:
        return iter(list(self._members))

    def sweep(self) -> None:
        """Look once. Stops by itself when there is nothing to look at."""
        if not self._members:
            self.stop()
            return
        now = time.monotonic()
        for member in [member for member in self._members if member.deadline <= now]:
            try:
                member.look(now)
            except Exception:  # noqa: BLE001  one connection's fault must not end the sweep
                self._log.failure("a deadline could not be dealt with")
                member.deadline = now + 60.0
