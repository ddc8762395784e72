"""Acceptance ids: what Received, the trace and the log call a message by."""

from __future__ import annotations

import secrets
from collections.abc import Callable

_DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32: no I, L, O, U
_PAIRS = tuple(high + low for high in _DIGITS for low in _DIGITS)
_SHIFTS = range(70, -1, -10)


class AcceptanceIds:
    """Gives out ids of 16 characters, each greater than the one before.

    80 bits: milliseconds since the epoch (48), random for this process (16), a counter (16). A clock that is
    set back, or a counter that is used up within a millisecond, borrows from the milliseconds to come.

    Args:
        now: epoch seconds.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._process = secrets.randbits(16) << 16
        self._moment = 0
        self._counter = 0

    def new(self) -> str:
        """The next id."""
        moment = int(self._now() * 1000)
        if moment > self._moment:
            self._moment, self._counter = moment, 0
        elif self._counter == 0xFFFF:
            self._moment, self._counter = self._moment + 1, 0
        else:
            self._counter += 1
        number = (self._moment & 0xFFFF_FFFF_FFFF) << 32 | self._process | self._counter
        return "".join([_PAIRS[number >> shift & 1023] for shift in _SHIFTS])
