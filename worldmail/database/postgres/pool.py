"""The threads that units run in: reads, writes and long work, and the results on their way back.

One queue for what is short and one for what is long. Of the threads no more than half do long work at once, so that a
few exports never keep mail waiting.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.python.failure import Failure

from worldmail.database.postgres.lane import Lane
from worldmail.errors import TemporaryFailure

Task = Callable[[Lane], Any]
Job = tuple[Task, "Deferred[Any]"]


class Results:
    """What threads tell the reactor, many in one call: each wake-up of the reactor costs a system call.

    `reactor` needs `callFromThread` alone.
    """

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._waiting: deque[tuple[Callable[[Any], object], Any]] = deque()
        self._called = False

    def put(self, told: Callable[[Any], object], result: Any) -> None:
        """In any thread: have `told(result)` called in the reactor, in the order of the puts."""
        self._waiting.append((told, result))
        if not self._called:
            self._called = True
            self._reactor.callFromThread(self._deliver)

    def _deliver(self) -> None:
        self._called = False  # before looking: what comes from now on calls again
        while self._waiting:
            told, result = self._waiting.popleft()
            told(result)


class Pool:
    """Threads with a lane each, made when first needed.

    Args:
        make_lane: for one thread.
        results: brings results to the reactor.
        threads: at most so many.
        waiting_limit: tasks that may wait; one more fails at once.
    """

    def __init__(self, make_lane: Callable[[], Lane], results: Results, *, threads: int, waiting_limit: int) -> None:
        self._make_lane = make_lane
        self._results = results
        self._most = threads
        self._most_long = max(1, threads // 2)
        self._waiting_limit = waiting_limit
        self._change = threading.Condition()
        self._short: deque[Job] = deque()
        self._long: deque[Job] = deque()
        self._threads = self._idle = self._running_long = 0
        self._open = True
        self._stopped: Deferred[None] = Deferred()

    def run(self, task: Task, long: bool = False) -> Deferred[Any]:
        """Run it in one of the threads, with its lane; fires in the reactor with its result, or with its error."""
        done: Deferred[Any] = Deferred()
        with self._change:
            if not self._open:
                return fail(TemporaryFailure(reason="the database is closed"))
            queue = self._long if long else self._short
            if len(queue) >= self._waiting_limit:
                return fail(TemporaryFailure(reason=f"{len(queue)} units wait for the database"))
            queue.append((task, done))
            if self._idle < len(self._short) + len(self._long) and self._threads < self._most:
                self._threads += 1
                threading.Thread(target=self._work, name="worldmail-unit", daemon=True).start()
            else:
                self._change.notify()
        return done

    def stop(self) -> Deferred[None]:
        """Take no more; fires once all that was taken is done and the connections are closed."""
        with self._change:
            self._open = False
            self._change.notify_all()
            if self._threads == 0 and not self._stopped.called:
                self._stopped.callback(None)
        return self._stopped

    def _work(self) -> None:
        lane = self._make_lane()
        while (taken := self._take()) is not None:
            (task, done), long = taken
            told: Callable[[Any], object]
            try:
                told, result = done.callback, task(lane)
            except BaseException:  # noqa: BLE001 - whatever it is, it is the result
                told, result = done.errback, Failure()  # type: ignore[no-untyped-call]  # Twisted's is untyped
            if long:
                with self._change:
                    self._running_long -= 1
                    self._change.notify_all()
            self._results.put(told, result)
        lane.close()
        with self._change:
            self._threads -= 1
            last = self._threads == 0
        if last:
            self._results.put(self._stopped.callback, None)

    def _take(self) -> tuple[Job, bool] | None:
        """The next job, and whether it is a long one; None when there is none and the pool is closed."""
        with self._change:
            while True:
                if self._long and self._running_long < self._most_long:
                    self._running_long += 1
                    return self._long.popleft(), True
                if self._short:
                    return self._short.popleft(), False
                if not self._open and not self._long:
                    return None
                self._idle += 1
                self._change.wait()
                self._idle -= 1
