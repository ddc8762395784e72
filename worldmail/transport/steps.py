"""Runs one coroutine by hand.

`Deferred.fromCoroutine` makes a Deferred, a context copy and a chain of callbacks for each run; a
connection needs one run for each segment that it reads and no result. Same rules otherwise:
what is awaited ends in Deferreds, and one that has fired already is not waited for, so that no
stack grows however many are awaited.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred


class Steps:
    """One coroutine on its way.

    Args:
        coroutine: what to run. It starts with `go`.
        waits: called each time just before it begins to wait.
        over: called once with None, or with what the coroutine raised.
    """

    __slots__ = ("_coroutine", "_over", "_waits")

    def __init__(
        self,
        coroutine: Any,
        waits: Callable[[], None],
        over: Callable[[Exception | None], None],
    ) -> None:
        self._coroutine = coroutine
        self._waits = waits
        self._over = over

    def go(self, failure: Any = None) -> None:
        """Run until it has to wait, or is over; a `Failure` is raised where it waited."""
        coroutine = self._coroutine
        try:
            waited = coroutine.send(None) if failure is None else failure.throwExceptionIntoGenerator(coroutine)
            while True:
                if not isinstance(waited, Deferred):
                    waited = coroutine.throw(TypeError(f"a connection can wait for Deferreds only, not for {waited!r}"))
                elif waited.called and not waited.paused:
                    waited = coroutine.send(None)
                else:
                    break
        except StopIteration:
            self._over(None)
        except Exception as error:  # noqa: BLE001  it is handed on
            self._over(error)
        else:
            self._waits()
            waited.addCallbacks(self._wake, self.go)

    def _wake(self, result: Any) -> Any:
        """What was waited for is there; the coroutine takes it out of the Deferred itself."""
        self.go()
        return result
