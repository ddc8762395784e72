"""Threads for what the reactor must not wait for: one that keeps an order, and several that keep none."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from worldmail.errors import TemporaryFailure

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


class Threads:
    """Up to `count` threads, made when first needed. `reactor` needs `callFromThread` alone."""

    def __init__(self, reactor: Any, name: str, count: int) -> None:
        self._reactor = reactor
        self._executor = ThreadPoolExecutor(count, thread_name_prefix=name)
        self._stopping = False

    def run(self, work: Callable[[], T]) -> Deferred[T]:
        """Run `work` in one of them; fires in the reactor with its result, or fails with its error."""
        done: Deferred[T] = Deferred()

        def task() -> None:
            settle: Callable[[Any], None]
            result: Any
            try:
                if self._stopping:
                    raise TemporaryFailure(reason="the server stops")
                settle, result = done.callback, work()
            except BaseException:  # noqa: BLE001 - whatever it is, it is the result
                settle, result = done.errback, Failure()  # type: ignore[no-untyped-call]  # Twisted's is untyped
            self._reactor.callFromThread(settle, result)

        self._executor.submit(task)
        return done

    def stop(self) -> None:
        """Take no more; waits for what runs, and fails what waits for a thread."""
        self._stopping = True
        self._executor.shutdown()
