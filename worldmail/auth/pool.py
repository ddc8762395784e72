"""A few threads for the work of hashing, and a bound on how much of it may wait."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.threadpool import ThreadPool

from worldmail.errors import AuthenticationDelayed

T = TypeVar("T")


class HashingPool:
    """Runs work in threads; started by its first use, stopped with the reactor.

    Args:
        reactor: takes the results.
        threads: how many run at once.
        queue: how much may wait beside what runs. Half of it is kept for those who are `preferred`,
            so that a flood of strangers does not keep owners out.
    """

    def __init__(self, reactor: Any, threads: int, queue: int) -> None:
        self._reactor = reactor
        self._limit = threads + queue
        self._limit_for_strangers = threads + queue // 2
        self._pool = ThreadPool(minthreads=0, maxthreads=threads, name="hashing")
        self._outstanding = 0

    @property
    def outstanding(self) -> int:
        """How much runs or waits."""
        return self._outstanding

    def run(self, work: Callable[[], T], *, preferred: bool) -> Deferred[T]:
        """Fires with the result of `work`, run in a thread.

        Raises: `AuthenticationDelayed` at once if too much is waiting.
        """
        if self._outstanding >= (self._limit if preferred else self._limit_for_strangers):
            raise AuthenticationDelayed(reason="too many passwords wait to be verified")
        if not self._pool.started:
            self._pool.start()
            self._reactor.addSystemEventTrigger("after", "shutdown", self.stop)
        self._outstanding += 1
        result: Deferred[T] = Deferred()

        def done(success: bool, value: Any) -> None:
            self._reactor.callFromThread(self._finish, result, success, value)

        self._pool.callInThreadWithCallback(done, work)
        return result

    def stop(self) -> None:
        """Wait for what runs. Harmless a second time, and if nothing was ever run."""
        if self._pool.started:
            self._pool.stop()

    def _finish(self, result: Deferred[Any], success: bool, value: Any) -> None:
        self._outstanding -= 1
        if result.called:  # whoever waited was cancelled
            return
        if success:
            result.callback(value)
        else:
            result.errback(value)
