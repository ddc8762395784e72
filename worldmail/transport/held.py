"""Small writes of many connections, sent together.

A write to a socket wakes whoever reads it, which costs more than the write where that one sleeps on another core. What
connections write in one round of the reactor is therefore sent at its end: a peer with many connections, and there is
one behind most load, is woken once for all of them, and finds them all.
"""

from __future__ import annotations

from time import monotonic
from typing import Protocol

HELD_SECONDS = 0.001
"""After so long nothing is held back any more, though the round goes on."""

HELD_OCTETS = 4096
"""More than this of one connection is sent at once."""


class Holder(Protocol):
    """A connection that holds something back."""

    def send_held(self) -> None:
        """Send it."""


class Held:
    """The connections that hold something back."""

    __slots__ = ("_holders", "_until")

    def __init__(self) -> None:
        self._holders: list[Holder] = []
        self._until = 0.0

    def add(self, holder: Holder) -> None:
        """It does from now on."""
        holders = self._holders
        now = monotonic()
        if not holders:
            self._until = now + HELD_SECONDS
        holders.append(holder)
        if now > self._until:
            self.send()

    def send(self) -> None:
        """Send it all."""
        holders = self._holders
        for holder in holders:
            holder.send_held()
        holders.clear()
