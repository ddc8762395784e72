"""Time in the running server."""

from __future__ import annotations

import time
from collections.abc import Awaitable
from typing import Any

from attrs import define
from twisted.internet.task import deferLater
from zope.interface import implementer

from worldmail.interfaces.world import IClock


@implementer(IClock)
@define(kw_only=True)
class ReactorClock:
    """The machine's clocks, and the reactor to wait on."""

    reactor: Any

    def seconds(self) -> float:
        """Seconds that only grow, whatever is done to the wall clock."""
        return time.monotonic()

    def now(self) -> float:
        """Wall-clock time, epoch seconds."""
        return time.time()

    def sleep(self, seconds: float) -> Awaitable[None]:
        """Done after that many seconds. A Deferred."""
        waiting: Awaitable[None] = deferLater(self.reactor, seconds, lambda: None)
        return waiting


def use_monotonic_time(reactor: Any) -> None:
    """Make the reactor's timers count monotonic seconds.

    As shipped, Twisted's reactors compare timers with the wall clock: stepped back by
    an hour, no timer fires for an hour. Timers already waiting keep their remaining
    time. Harmless a second time. Call it once, before services start.
    """
    old = reactor.seconds
    if old is time.monotonic:
        return
    shift = time.monotonic() - old()
    reactor.seconds = time.monotonic
    for call in reactor.getDelayedCalls():
        call.time += shift
        call.seconds = time.monotonic
