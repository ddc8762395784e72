"""A server with a timer of 20 ms; its worst lateness, in milliseconds, is written to $WATCHDOG at the end.

SIGUSR1 forgets what was measured so far: starting up is not what is watched.
"""

from __future__ import annotations

import os
import signal
from time import monotonic
from typing import Any

PERIOD = 0.020


class Watchdog:
    """Counts from when a tick was due to when it came."""

    def __init__(self, reactor: Any) -> None:
        self.reactor = reactor
        self.worst = 0.0
        self.due = monotonic()

    def tick(self) -> None:
        now = monotonic()
        self.worst = max(self.worst, now - self.due)
        self.due = now + PERIOD
        self.reactor.callLater(PERIOD, self.tick)

    def forget(self) -> None:
        self.worst = 0.0

    def tell(self) -> None:
        with open(os.environ["WATCHDOG"], "w") as file:
            file.write(f"{self.worst * 1000:.1f}")


def watch() -> None:
    from twisted.internet import reactor

    watchdog = Watchdog(reactor)

    def start() -> None:
        watchdog.due = monotonic()
        watchdog.tick()
        signal.signal(signal.SIGUSR1, lambda number, frame: watchdog.forget())

    watchdog.reactor.callWhenRunning(start)
    watchdog.reactor.addSystemEventTrigger("before", "shutdown", watchdog.tell)


def main() -> None:
    """twistd installs its reactor while it reads the options; the watch begins once it is there."""
    from twisted.application import app

    run_reactor = app.runReactorWithLogging

    def run_watched(*args: Any, **kwargs: Any) -> None:
        watch()
        run_reactor(*args, **kwargs)

    app.runReactorWithLogging = run_watched
    from twisted.scripts.twistd import run

    run()


main()
