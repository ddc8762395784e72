"""A server whose wall clock an hour is added to at SIGUSR1, and taken from at SIGUSR2."""

from __future__ import annotations

import signal
import time

_real = time.time
_offset = 0.0


def stepped() -> float:
    return _real() + _offset


def step(number: int, frame: object) -> None:
    global _offset
    _offset += 3600.0 if number == signal.SIGUSR1 else -3600.0


time.time = stepped
signal.signal(signal.SIGUSR1, step)
signal.signal(signal.SIGUSR2, step)

from twisted.scripts.twistd import run  # noqa: E402 - what it imports takes time.time at once

run()
