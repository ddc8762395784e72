"""What the store does in the background: services of Twisted, children of the one that `Store` has."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any

from attrs import define, field
from twisted.application.service import MultiService, Service
from twisted.internet.defer import Deferred, maybeDeferred

from worldmail.interfaces.database import IChanges, IDatabase, Notice
from worldmail.store.trace import file_batch, forget_batch, unfiled
from worldmail.transport.periodic import Turns, log_failure

BATCH = 100
QUIET = 20
"""So many new rows or fewer since the last look: time to file."""

MOSTLY_IDLE = 0.6
"""Of its time the reactor may be occupied, and still has room for what can wait."""

SHARE = 0.15
"""Of the time looked back upon: so long work that can wait goes on then."""

TAIL = 20_000
"""More rows than this are not left unfiled, quiet or not."""


class AfterChanges(Service):
    """Runs `work` when a change was told, and none since for `quiet` seconds; never twice at once.

    While changes come and come it runs too, for a short time, if the reactor had little to do for so long: who makes
    the changes is slower than we are then. `work` is given a function that says whether it may go on. An error is
    logged. Stopping waits for the run under way.

    Args:
        occupied: seconds for which the reactor's thread had something to do.
    """

    def __init__(
        self,
        reactor: Any,
        changes: IChanges,
        topic: str,
        quiet: float,
        what: str,
        work: Callable[[Callable[[], bool]], Awaitable[object]],
        *,
        occupied: Callable[[], float] | None = None,
    ) -> None:
        self._reactor = reactor
        self._changes = changes
        self._topic = topic
        self._quiet = quiet
        self._occupied = occupied or seconds_occupied
        self._was_occupied = 0.0
        self._until = 0.0
        self._cancel: Callable[[], None] | None = None
        self._changed = False
        self._turns = Turns(reactor.callLater, lambda: work(self._goes_on), self._worked, partial(log_failure, what))

    def startService(self) -> None:
        Service.startService(self)  # type: ignore[no-untyped-call]  # Twisted's is untyped
        self._cancel = self._changes.subscribe(self._topic, self._told)

    def stopService(self) -> Deferred[None] | None:
        Service.stopService(self)  # type: ignore[no-untyped-call]  # Twisted's is untyped
        if self._cancel is not None:
            self._cancel()
        return self._turns.end()

    def _told(self, _: Notice) -> None:
        self._changed = True
        if self._turns.idle:
            self._wait()

    def _wait(self) -> None:
        self._changed, self._was_occupied = False, self._occupied()
        self._turns.wait(self._quiet, self._look)

    def _look(self) -> None:
        has_room = self._occupied() - self._was_occupied < MOSTLY_IDLE * self._quiet
        if self._changed and not has_room:
            self._wait()
            return
        self._until = self._reactor.seconds() + self._quiet * SHARE if has_room else 0.0
        self._turns.begin()

    def _goes_on(self) -> bool:
        return bool(self.running) and (not self._changed or self._reactor.seconds() < self._until)

    def _worked(self) -> None:
        if self._changed:
            self._wait()


def seconds_occupied() -> float:
    """For how long this thread has run, or could not though it would have: others had the processor."""
    try:
        with open("/proc/thread-self/schedstat", "rb") as file:
            ran, waited, _ = file.read().split()
        return (int(ran) + int(waited)) / 1e9
    except (OSError, ValueError):  # not every system tells
        return time.thread_time()


class Ending(MultiService):
    """Stops its children, then does what comes last."""

    def __init__(self, end: Callable[[], Coroutine[Any, Any, None]]) -> None:
        MultiService.__init__(self)  # type: ignore[no-untyped-call]  # Twisted's is untyped
        self._end = end

    def stopService(self) -> Deferred[Any]:
        def stopped(_: object) -> Deferred[None]:
            return Deferred.fromCoroutine(self._end())

        return maybeDeferred(MultiService.stopService, self).addBoth(stopped)


@define(kw_only=True)
class TraceFiling:
    """Files the keys of trace rows when few are added, and removes old rows.

    Args:
        kept: seconds that a trace is kept; 0 for ever.
    """

    database: IDatabase
    kept: int
    _newest: int = field(default=0, init=False)

    async def file(self) -> None:
        """One look: file all if it is quiet, the oldest if the tail is long."""
        newest, waiting = await self.database.read(unfiled)
        quiet, self._newest = newest - self._newest <= QUIET, newest
        while waiting > (0 if quiet else TAIL):
            filed = await self.database.write_long(lambda cursor: file_batch(cursor, BATCH))
            waiting = waiting - filed if filed else 0

    async def forget(self, now: int) -> None:
        """Remove what is older than `kept`."""
        while self.kept and await self.database.write_long(lambda cursor: forget_batch(cursor, now - self.kept, BATCH)):
            pass
