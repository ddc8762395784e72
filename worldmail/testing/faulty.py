"""What a process stands on, as a test wants it: a clock that is turned, locks that are lost, a database that fails."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock, deferLater
from zope.interface import implementer

from worldmail.database.settled import Failed
from worldmail.errors import TemporaryFailure
from worldmail.interfaces.database import IDatabase, Unit
from worldmail.interfaces.store import ILeaseLock, ILeaseLocks
from worldmail.interfaces.world import IClock
from worldmail.testing.world import EPOCH
from worldmail.wire.ready import Ready

T = TypeVar("T")


@implementer(IClock)
@define(eq=False)
class TurnedClock:
    """The time of a `Clock` that the test turns; whoever sleeps is woken by it.

    Attributes:
        ahead: by how much somebody has set the clock of the machine forward.
    """

    turned: Clock = field(factory=Clock)
    ahead: float = 0.0

    def seconds(self) -> float:
        """Seconds that only grow."""
        return float(self.turned.seconds())

    def now(self) -> float:
        """Epoch seconds."""
        return EPOCH + self.ahead + float(self.turned.seconds())

    def sleep(self, seconds: float) -> Awaitable[None]:
        """Done when the clock was turned so far."""
        waiting: Awaitable[None] = deferLater(self.turned, seconds, lambda: None)
        return waiting


@implementer(ILeaseLock)
@define(eq=False)
class _Lock:
    _locks: MemoryLocks
    _id: int
    interruptions: int = field(default=0, init=False)

    def held(self) -> bool:
        """See `IMaildropLock.held`."""
        return not self.lost() and self._id not in self._locks.doubtful

    def lost(self) -> bool:
        """See `ILeaseLock.lost`."""
        return self._locks.taken.get(self._id) is not self

    def release(self) -> Ready[None]:
        """See `IMaildropLock.release`."""
        if not self.lost():
            del self._locks.taken[self._id]
            self._locks.doubtful.discard(self._id)
        return Ready(None)


@implementer(ILeaseLocks)
@define(eq=False)
class MemoryLocks:
    """Locks of several processes; `taken` has those that are held, `doubtful` those whose session was lost."""

    taken: dict[int, _Lock] = field(factory=dict)
    doubtful: set[int] = field(factory=set)
    patience: float = 0.0

    def lock(self, account_id: int) -> Awaitable[ILeaseLock | None]:
        """See `IMaildropLocks.lock`."""
        if account_id in self.taken and account_id not in self.doubtful:
            return Ready(None)
        self.doubtful.discard(account_id)
        lock = self.taken[account_id] = _Lock(self, account_id)
        return Ready(lock)

    def free(self, numbers: Sequence[int]) -> Awaitable[list[int]]:
        """See `ILeaseLocks.free`."""
        return Ready([number for number in numbers if number not in self.taken or number in self.doubtful])

    def doubt(self, number: int) -> None:
        """The session is lost that has this lock: it is back with the next one, if nobody else takes it."""
        if number in self.taken:
            self.doubtful.add(number)

    def come_back(self) -> None:
        """There are sessions again: locks that nobody else has taken are back."""
        for number in self.doubtful:
            self.taken[number].interruptions += 1
        self.doubtful.clear()


@implementer(IDatabase)
@define(eq=False)
class FaultyDatabase:
    """A database that fails when it is told to.

    Attributes:
        locked: nothing can be written; `dead`: nothing comes back any more.
        vanishing: so many of the next commits come about, and the connection is lost before that is known.
        refuses: says of a unit that it cannot be written.
        writes: how many were done.
    """

    _inner: Any
    locked: bool = False
    dead: bool = False
    vanishing: int = 0
    refuses: Callable[[Any], bool] = lambda unit: False
    writes: int = 0

    def write(self, unit: Unit[T]) -> Awaitable[T]:
        """See `IDatabase.write`."""
        if self.dead:
            return Deferred()
        if self.locked or self.refuses(unit):
            return Failed(TemporaryFailure(reason="the database is locked"))
        self.writes += 1
        done: Awaitable[T] = self._inner.write(unit)
        if self.vanishing:
            self.vanishing -= 1
            return Failed(TemporaryFailure(reason="the connection was lost"))
        return done

    write_long = write

    def read(self, unit: Unit[T]) -> Awaitable[T]:
        """See `IDatabase.read`."""
        if self.dead:
            return Deferred()
        done: Awaitable[T] = self._inner.read(unit)
        return done

    scan = read

    def spare(self) -> int:
        """See `IDatabase.spare`."""
        return 0

    def start(self) -> None:
        """It is started by who has it."""

    def stop(self) -> Awaitable[None]:
        """It is stopped by who has it."""
        return Ready(None)
