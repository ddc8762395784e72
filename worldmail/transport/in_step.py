"""Waiting for events: awake where the next one comes at once.

A core with nothing to do falls asleep, and takes longer to wake (a virtual machine's 30 to 60 µs) than a program
on the same machine takes to answer. Where events come one at a time and each at once, as from a peer in step with us,
the next is looked for without sleeping. One that takes longer, or comes with others, is slept for as ever.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from time import monotonic

AWAKE_SECONDS = 100e-6
"""How long an event is waited for awake."""

SOON_SECONDS = 200e-6
"""An event that came so early may have been there earlier: the core had to wake for it."""

STEPS = 8
"""Events in a row, each alone and soon, that show a peer in step."""

Events = list[tuple[int, int]]


class InStep:
    """Asks an `epoll` for events. With one core, whoever is waited for needs it.

    Args:
        cores: that this process may use; None for as many as the system gives it.
    """

    __slots__ = ("_several", "_steps")

    def __init__(self, cores: int | None = None) -> None:
        self._several = (len(os.sched_getaffinity(0)) if cores is None else cores) > 1
        self._steps = 0

    def wait(self, poll: Callable[[float, int], Events], timeout: float, most: int) -> Events:
        """What `poll` gives; after `timeout` seconds (and `AWAKE_SECONDS`) at the latest, unless that is negative."""
        if not (timeout and self._several):
            return poll(timeout, most)
        began = monotonic()
        if self._steps >= STEPS:
            until = began + AWAKE_SECONDS
            while monotonic() < until:
                if events := poll(0, most):
                    if len(events) > 1:
                        self._steps = 0
                    return events
            self._steps = 0
            return poll(timeout, most)
        events = poll(timeout, most)
        self._steps = self._steps + 1 if len(events) == 1 and monotonic() - began < SOON_SECONDS else 0
        return events
