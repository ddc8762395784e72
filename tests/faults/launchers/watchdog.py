"""A server with a timer of 20 ms; its worst lateness, in milliseconds, is written to $WATCHDOG at the end.

What the machine took is not counted: the time in which the reactor's thread was ready and had no processor (the
kernel's figure for that thread), and what a hypervisor stole. A thread that waits for a disk, a lock or another thread
is not ready, and one that computes has its processor: both count in full.

SIGUSR1 forgets what was measured so far: starting up is not what is watched. When it has, and the reactor was held up
if it is to be, $WATCHDOG.begun is there. SIGUSR2 writes the worst since the last
SIGUSR2 to $WATCHDOG.step, to tell what it was that took so long. With $HOLD_UP the reactor is held up once,
to see that this is noticed: "sleep" or "compute", for $HOLD_UP_SECONDS.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep, thread_time
from typing import Any

PERIOD = 0.020


class Machine:
    """What the machine took from this thread so far: seconds, by who took them."""

    def __init__(self) -> None:
        self._schedule = Path(f"/proc/self/task/{threading.get_native_id()}/schedstat")
        self._ticks = os.sysconf("SC_CLK_TCK")

    def took(self) -> dict[str, float]:
        """Empty where the kernel does not tell."""
        taken = {}
        with suppress(OSError, ValueError, IndexError):
            taken["ready"] = int(self._schedule.read_text().split()[1]) / 1e9
            for line in Path("/proc/stat").read_text().splitlines():
                name, *times = line.split()
                if name.startswith("cpu") and name != "cpu":
                    taken[name] = int(times[7]) / self._ticks
        return taken


def taken_between(before: Mapping[str, float], after: Mapping[str, float]) -> float:
    """Seconds: without a processor, and the most that was stolen from one of them."""
    gone = {name: after[name] - before.get(name, 0.0) for name in after}
    return gone.pop("ready", 0.0) + max(gone.values(), default=0.0)


class Watchdog:
    """Counts from when a tick was due to when it came."""

    def __init__(self, reactor: Any) -> None:
        self.reactor = reactor
        self.machine = Machine()
        self.worst = self.worst_of_step = 0.0
        self.begin()

    def begin(self) -> None:
        self.due = monotonic()
        self.took = self.machine.took()

    def tick(self) -> None:
        late = monotonic() - self.due
        took = self.machine.took()
        late -= taken_between(self.took, took)
        self.worst, self.worst_of_step = max(self.worst, late), max(self.worst_of_step, late)
        self.took = took
        self.due = monotonic() + PERIOD
        self.reactor.callLater(PERIOD, self.tick)

    def forget(self) -> None:
        self.reactor.callLater(0, self._begin_anew)

    def _begin_anew(self) -> None:
        self.worst = 0.0
        HOLD_UPS[os.environ.get("HOLD_UP", "")]()
        self.reactor.callLater(1.5 * PERIOD, Path(os.environ["WATCHDOG"] + ".begun").touch)

    def tell_step(self) -> None:
        """Counts the time since the last tick too: a signal comes as soon as nothing holds the reactor up."""
        self.reactor.callLater(1.5 * PERIOD, self._tell_step)

    def _tell_step(self) -> None:
        Path(os.environ["WATCHDOG"] + ".step").write_text(f"{self.worst_of_step * 1000:.1f}\n")
        self.worst_of_step = 0.0

    def tell(self) -> None:
        with open(os.environ["WATCHDOG"], "w") as file:
            file.write(f"{self.worst * 1000:.1f}")


def compute(seconds: float) -> None:
    """Use so much of a processor's time."""
    end = thread_time() + seconds
    while thread_time() < end:
        pass


HOLD_UPS: Mapping[str, Callable[[], object]] = {
    "": lambda: None,
    "sleep": lambda: sleep(float(os.environ["HOLD_UP_SECONDS"])),
    "compute": lambda: compute(float(os.environ["HOLD_UP_SECONDS"])),
}


def watch() -> None:
    from twisted.internet import reactor

    watchdog = Watchdog(reactor)

    def start() -> None:
        watchdog.begin()
        watchdog.tick()
        signal.signal(signal.SIGUSR1, lambda number, frame: watchdog.forget())
        signal.signal(signal.SIGUSR2, lambda number, frame: watchdog.tell_step())

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
