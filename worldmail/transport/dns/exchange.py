"""What one query to one server may end in, besides an answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred

from worldmail.errors import WorldMailError


class NoAnswer(WorldMailError):
    """The server said nothing in time, or cannot be reached: it may be asked again."""


class Spoofed(WorldMailError):
    """So many wrong answers came that the right one may be wrong too: ask by TCP."""


class Waiting:
    """One answer that is waited for: octets, or an error; whatever comes first.

    Args:
        end: called once when the wait is over, to free what was used.
        seconds: how long it may take.
    """

    def __init__(self, *, reactor: Any, seconds: float, end: Callable[[], None]) -> None:
        self.result: Deferred[bytes] = Deferred(self._cancelled)
        self._close = end
        self._timer = reactor.callLater(max(seconds, 0), self.failed, NoAnswer("no answer in time"))
        self._over = False

    def succeeded(self, octets: bytes) -> None:
        """This came."""
        if self._end():
            self.result.callback(octets)

    def failed(self, error: Exception) -> None:
        """Nothing will come."""
        if self._end():
            self.result.errback(error)

    def _cancelled(self, result: Deferred[bytes]) -> None:
        self._end()

    def _end(self) -> bool:
        """Was it the first end?"""
        if self._over:
            return False
        self._over = True
        if self._timer.active():
            self._timer.cancel()
        self._close()
        return True
