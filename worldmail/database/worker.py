"""One thread that does what the reactor must not wait for, one thing after another."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")


class Worker:
    """A daemon thread with a queue. `reactor` needs `callFromThread` alone."""

    def __init__(self, reactor: Any, name: str) -> None:
        self._reactor = reactor
        self._queue: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def do(self, work: Callable[[], T], done: Callable[[T], None]) -> None:
        """Run `work` in the thread, then `done` with its result in the reactor. `work` raises nothing."""
        call_from_thread = self._reactor.callFromThread
        self._queue.put(lambda: call_from_thread(done, work()))

    def stop(self) -> None:
        """End the thread once it has done what it was given; waits for it."""
        self._queue.put(None)
        self._thread.join()

    def _work(self) -> None:
        while (task := self._queue.get()) is not None:
            task()
