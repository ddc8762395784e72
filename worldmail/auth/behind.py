"""Writes what may be written a moment later: counts of failures and known networks, many in one unit."""

from __future__ import annotations

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from worldmail.auth.failures import LoginFailures, prune_failures, write_failures
from worldmail.auth.owners import KnownNetworks, prune_known, write_known
from worldmail.errors import Refusal
from worldmail.interfaces.database import Cursor, IDatabase, Shared
from worldmail.interfaces.world import IClock, IJournal

PAUSE = 1.0
_PAUSE_AFTER_ERROR = 10.0
_SECONDS_BETWEEN_PRUNINGS = 3600


@define(kw_only=True)
class WriteBehind:
    """Holds the counters and writes them at most once a second while there is something to write."""

    _database: IDatabase
    _clock: IClock
    _journal: IJournal
    failures: LoginFailures = field(factory=LoginFailures)
    known: KnownNetworks = field(factory=KnownNetworks)
    _running: Deferred[None] | None = field(default=None, init=False)
    _stopped: bool = field(default=False, init=False)
    _next_pruning: float = field(default=0.0, init=False)

    def wake(self) -> None:
        """There is something to write."""
        if self._running is None and not self._stopped:
            running = self._running = Deferred.fromCoroutine(self._run())
            running.addBoth(self._ended)

    async def flush(self) -> bool:
        """Write all there is now; False if the database could not take it (it is tried again later)."""
        failures, known = sorted(self.failures.take()), sorted(self.known.take())  # rows are locked in this order
        now = int(self._clock.now())
        prune = now >= self._next_pruning

        def unit(cursor: Cursor) -> None:
            write_failures(cursor, failures)
            write_known(cursor, known)
            if prune:
                prune_failures(cursor, now // 60)
                prune_known(cursor, now)

        try:
            if failures or known:
                await self._database.write(Shared(unit))
        except Refusal as error:
            self.failures.not_written()
            self._journal.failure("login.counters-not-written", error)
            return False
        self.failures.written()
        if prune:
            self._next_pruning = now + _SECONDS_BETWEEN_PRUNINGS
        return True

    async def stop(self) -> None:
        """Write what is left, then no more."""
        self._stopped = True
        if self._running is not None:
            self._running.cancel()
        await self.flush()

    async def _run(self) -> None:
        pause = PAUSE
        while self.failures.pending or self.known.pending:
            await self._clock.sleep(pause)
            pause = PAUSE if await self.flush() else _PAUSE_AFTER_ERROR

    def _ended(self, result: Failure | None) -> None:
        self._running = None
        error = None if result is None else result.value
        if error is not None and not isinstance(error, CancelledError):
            self._journal.failure("login.counters-not-written", error)
