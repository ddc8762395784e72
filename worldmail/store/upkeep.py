"""What the store does in the background: services of Twisted, children of the one that `Store` has."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from attrs import define, field
from twisted.application.service import MultiService, Service
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from worldmail.errors import Refusal
from worldmail.interfaces.database import IChanges, IDatabase, Notice
from worldmail.store.trace import file_batch, forget_batch, unfiled

_log = Logger()

BATCH = 100
QUIET = 20
"""So many new rows or fewer since the last look: time to file."""

MOSTLY_IDLE = 0.6
"""Of its time the reactor may be occupied, and still has room for what can wait."""

SHARE = 0.15
"""Of the time looked back upon: so long work that can wait goes on then."""

TAIL = 20_000
"""More rows than this are not left unfiled, quiet or not."""


class Turns:
    """Runs a piece of work, one turn at a time, each after a wait.

    Args:
        work: a turn; an error is logged.
        done: what comes behind a turn, unless it was the last.
    """

    def __init__(
        self, reactor: Any, what: str, work: Callable[[], Awaitable[object]], done: Callable[[], None]
    ) -> None:
        self._reactor = reactor
        self._what = what
        self._work = work
        self._done = done
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

        self._call = self._reactor.callLater(seconds, over)

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
        await _logging(self._what, self._work)
        self._is_working = False
        if self._ended is None:
            self._done()
        else:
            ended, self._ended = self._ended, None
            ended.callback(None)


class Periodic(Service):
    """Runs `work` every `interval` seconds, the first time `first` seconds after the start; never twice at once.

    An error is logged, and the next run comes all the same. Stopping waits for the run under way.
    """

    def __init__(
        self,
        reactor: Any,
        interval: float,
        what: str,
        work: Callable[[], Awaitable[object]],
        *,
        first: float | None = None,
    ) -> None:
        self._first = interval if first is None else first
        self._turns = Turns(reactor, what, work, lambda: self._turns.wait(interval))

    def startService(self) -> None:
        Service.startService(self)  # type: ignore[no-untyped-call]  # Twisted's is untyped
        self._turns.wait(self._first)

    def stopService(self) -> Deferred[None] | None:
        Service.stopService(self)  # type: ignore[no-untyped-call]  # Twisted's is untyped
        return self._turns.end()


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
        self._turns = Turns(reactor, what, lambda: work(self._goes_on), self._worked)

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


async def _logging(what: str, work: Callable[[], Awaitable[object]]) -> None:
    """Background work goes on another time whatever happens now."""
    try:
        await work()
    except Refusal as error:
        _log.warn("{what}: {reason}", what=what, reason=error.reason or error.reply_text)
    except Exception:  # noqa: BLE001 - see above
        _log.failure("{what} failed", what=what)


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
