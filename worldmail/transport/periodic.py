"""Work that is done again and again beside everything else, one time after another."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from worldmail.errors import Refusal

_log = Logger()


class Turns:
    """Runs a piece of work, one turn at a time, each after a wait.

    Args:
        later: calls back after so many seconds; gives what cancels it.
        work: a turn.
        done: what comes behind a turn, unless it was the last.
        failed: told of what a turn failed with; other turns come all the same.
    """

    def __init__(
        self,
        later: Callable[..., Any],
        work: Callable[[], Awaitable[object]],
        done: Callable[[], None],
        failed: Callable[[Exception], None],
    ) -> None:
        self._later = later
        self._work = work
        self._done = done
        self._failed = failed
        self._call: IDelayedCall | None = None
        self._is_working = False
        self._ended: Deferred[None] | None = None

    @property
    def idle(self) -> bool:
        """True if nothing is waited for and nothing is done."""
        return self._call is None and not self._is_working

    def wait(self, seconds: float, then: Callable[[], None] | None = None) -> None:
        """A turn begins after so many seconds; or something else is done."""

        def over() -> None:
            self._call = None
            (then or self.begin)()

        self._call = self._later(seconds, over)

    def begin(self) -> None:
        """A turn begins."""
        self._is_working = True
        Deferred.fromCoroutine(self._run())

    def end(self) -> Deferred[None] | None:
        """There are no more; fires when the one under way is over."""
        if self._call is not None:
            self._call.cancel()
            self._call = None
        if self._is_working:
            self._ended = Deferred()
        return self._ended

    async def _run(self) -> None:
        try:
            await self._work()
        except Exception as error:  # noqa: BLE001  one turn's fault must not end all that come after it
            self._failed(error)
        self._is_working = False
        if self._ended is None:
            self._done()
        else:
            ended, self._ended = self._ended, None
            ended.callback(None)


class Periodic(Service):
    """Runs `work` every `interval` seconds, the first time `first` seconds after the start; never twice at once.

    The interval lasts from the end of one run to the next. An error is logged, or `failed` is told of it, and the next
    run comes all the same. Stopping waits for the run under way.
    """

    def __init__(
        self,
        later: Callable[..., Any],
        interval: float,
        what: str,
        work: Callable[[], Awaitable[object]],
        *,
        first: float | None = None,
        failed: Callable[[Exception], None] | None = None,
    ) -> None:
        self._first = interval if first is None else first
        self._turns = Turns(
            later, work, lambda: self._turns.wait(interval), partial(log_failure, what) if failed is None else failed
        )

    def startService(self) -> None:
        """See `IService`."""
        Service.startService(self)  # type: ignore[no-untyped-call]  # Twisted's is untyped
        self._turns.wait(self._first)

    def stopService(self) -> Deferred[None] | None:
        """See `IService`."""
        Service.stopService(self)  # type: ignore[no-untyped-call]  # Twisted's is untyped
        return self._turns.end()


def log_failure(what: str, error: Exception) -> None:
    """Background work goes on another time whatever happens now."""
    if isinstance(error, Refusal):
        _log.warn("{what}: {reason}", what=what, reason=error.reason or error.reply_text)
    else:
        _log.failure("{what} failed", Failure(error), what=what)  # type: ignore[no-untyped-call]  # Twisted's is untyped
