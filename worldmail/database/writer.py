"""The writing side: which units go into the next group, and who runs them.

One connection writes. It belongs to the reactor while a group is put together, and to the writer's
thread while that group is committed; `Writer._away` says which. See `worldmail.database` for why.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from math import inf
from time import monotonic
from typing import Any

from apsw import Connection
from twisted.internet.defer import Deferred, fail
from twisted.logger import Logger

from worldmail.database.committer import Committer
from worldmail.database.cursor import Overrun
from worldmail.database.group import Group, Job, NumberedNotice, TransactionLost, UnitFailed, roll_back, run_jobs
from worldmail.database.worker import Worker
from worldmail.errors import TemporaryFailure
from worldmail.interfaces.database import Unit

_log = Logger()

SLICE = 0.010
"""Seconds of statements that the reactor runs before it commits what it has."""

PATIENCE = 0.030
"""Seconds from the start of a slice after which a unit that still runs goes to the thread."""

WARY = 100
"""Groups after one in which a unit failed that have a savepoint for each of theirs."""


class Writer:
    """Collects units, runs them in groups, settles them after their commit.

    Args:
        committer: holds the connection.
        reactor: `callLater`, `callFromThread`.
        committed: told the notices of each group, before its units are settled.
        let_go: called when the file was moved: readers let go of it before the writer does.
        group_limit: units in one transaction.
        waiting_limit: units that may wait; one more fails at once.
    """

    def __init__(
        self,
        committer: Committer,
        reactor: Any,
        committed: Callable[[list[NumberedNotice]], None],
        let_go: Callable[[], None],
        *,
        group_limit: int,
        waiting_limit: int,
    ) -> None:
        self._committer = committer
        self._reactor = reactor
        self._committed = committed
        self._readers_let_go = let_go
        self._group_limit = group_limit
        self._waiting_limit = waiting_limit
        self._waiting: deque[Job] = deque()
        self._away = False
        self._turn_is_due = False
        self._wary = 0  # groups that run apart, since a unit failed lately
        self._idle: list[Deferred[None]] = []
        self._open = True
        self._worker = Worker(reactor, "worldmail-commit")

    def submit(self, unit: Unit[Any], long: bool = False) -> Deferred[Any]:
        """Run `unit` in one of the next groups; fires after its commit."""
        if not self._open:
            return fail(TemporaryFailure(reason="the database is closed"))
        if len(self._waiting) >= self._waiting_limit:
            return fail(TemporaryFailure(reason=f"{self._waiting_limit} units wait for the database"))
        job = Job(unit, long)
        self._waiting.append(job)
        if not (self._away or self._turn_is_due):
            self._turn_is_due = True
            self._reactor.callLater(0, self._turn)
        return job.deferred

    def stop(self) -> Deferred[None]:
        """Take no more; fires when everything taken is committed and the connection closed."""
        done: Deferred[None] = Deferred()
        self._open = False
        self._idle.append(done)
        self._rest()
        return done.addCallback(lambda _: self._worker.stop())

    def follow(self) -> None:
        """Let go of a connection whose file was moved or replaced; cheap, to be called now and then."""
        if not self._away and self._committer.moved():
            self._readers_let_go()
            self._away = True
            self._worker.do(self._retire, self._back)

    def _retire(self) -> list[Group]:
        self._committer.retire()
        return []

    def _turn(self) -> None:
        """Put a group together and send it on its way."""
        self._turn_is_due = False
        if self._away or not self._waiting:
            return
        jobs = self._take()
        if any(job.long for job in jobs):
            group = None
        else:
            group = self._run(jobs)
        self._away = True
        if group is None:
            self._worker.do(partial(self._sure, jobs, partial(self._committer.run, jobs)), self._back)
        else:
            self._waiting.extendleft(reversed(jobs[len(group.jobs) :]))
            self._worker.do(partial(self._sure, group.jobs, partial(self._commit, group)), self._back)

    def _commit(self, group: Group) -> list[Group]:
        return [self._committer.commit(group)]

    def _sure(self, jobs: Sequence[Job], work: Callable[[], list[Group]]) -> list[Group]:
        """What `work` gives, in the thread. Whatever goes wrong, the thread lives on and each job hears of it."""
        try:
            return work()
        except BaseException as error:  # noqa: BLE001 - each job gets it
            self._committer.distrust()
            for job in jobs:
                job.fail(TemporaryFailure(reason=f"{type(error).__name__}: {error}"))
            return [Group(jobs=jobs)]

    def _take(self) -> list[Job]:
        waiting = self._waiting
        return [waiting.popleft() for _ in range(min(len(waiting), self._group_limit))]

    def _run(self, jobs: list[Job]) -> Group | None:
        """The statements of a group, now, on this thread; None if that cannot be: the thread runs it all then."""
        committer = self._committer
        connection, stopwatch = committer.connection, committer.stopwatch
        if connection is None or stopwatch is None:
            return None
        if committer.moved():
            self._readers_let_go()
            return None
        started = monotonic()
        try:
            committer.begin(connection)
            stopwatch.deadline = started + PATIENCE
            return self._run_jobs(connection, jobs, started)
        except (Overrun, Exception):  # noqa: BLE001 - the thread runs it all again, and reports
            # Busy, too long, or broken: whichever it is, the thread has the time to deal with it.
            self._abandon()
            return None
        finally:
            stopwatch.deadline = inf

    def _run_jobs(self, connection: Connection, jobs: list[Job], started: float) -> Group:
        """Together first: hardly a unit ever fails, and all may be run again."""
        run = partial(run_jobs, connection, jobs, slice_end=started + SLICE, deadline=started + PATIENCE)
        apart, self._wary = self._wary > 0, max(0, self._wary - 1)
        try:
            return run(apart=apart)
        except UnitFailed:
            self._wary = WARY
            roll_back(connection)
            self._committer.begin(connection)
            return run(apart=True)

    def _abandon(self) -> None:
        connection = self._committer.connection
        try:
            if connection is not None:
                roll_back(connection)
        except TransactionLost:
            self._committer.distrust()

    def _back(self, groups: list[Group]) -> None:
        """Groups are committed (or failed). The next one starts before these are told: its fsync runs beside that."""
        self._away = False
        if self._waiting:
            self._turn()
        for group in groups:
            try:
                self._committed(group.notices)
            except BaseException:  # noqa: BLE001 - they are committed, and their callers must hear of it
                _log.failure("database: notices were not told")
        for group in groups:
            for job in group.jobs:
                job.settle()
        self._rest()

    def _rest(self) -> None:
        """Tell whoever waits for the end, if this is it."""
        if not (self._open or self._away or self._waiting):
            idle, self._idle = self._idle, []
            if idle:
                self._away = True
                self._worker.do(self._committer.close, lambda _: _fire(idle))


def _fire(waiting: list[Deferred[None]]) -> None:
    for done in waiting:
        done.callback(None)
