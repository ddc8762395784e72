"""Something small of the database that every process keeps in memory, following the change feed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Generic, TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from worldmail.errors import TemporaryFailure, WorldMailError
from worldmail.interfaces.database import Cursor, IChanges, IDatabase, Notice

_log = Logger()

AGAIN = 5.0
"""Seconds after which what could not be read is read again."""

_Value = TypeVar("_Value")


class Current(Generic[_Value]):
    """What `load` reads, as of the last change that was told.

    Between a change and the moment in which it is read, some milliseconds, it is what it was before. So it is while
    the rows cannot be read, which is tried again.

    Args:
        database: where it is kept.
        changes: the feed that tells of changes.
        topics: those of the feed that it follows.
        load: reads the whole of it.
        sleep: done after so many seconds.
        what: its name in messages, "the routes".
    """

    def __init__(
        self,
        database: IDatabase,
        changes: IChanges,
        topics: Iterable[str],
        load: Callable[[Cursor], _Value],
        sleep: Callable[[float], Awaitable[None]],
        *,
        what: str,
    ) -> None:
        self._database = database
        self._changes = changes
        self._topics = tuple(topics)
        self._load = load
        self._sleep = sleep
        self._what = what
        self._known: tuple[_Value] | None = None
        self._news = 0
        self._following = False
        self._reading: Deferred[None] | None = None
        self._trying = False
        self._waiting: list[Deferred[None]] = []
        self._cancels: list[Callable[[], object]] = []

    @property
    def value(self) -> _Value:
        """Raises `TemporaryFailure` if it was never read: nobody may go by what only seems to be empty."""
        if self._known is None:
            raise TemporaryFailure(reason=f"{self._what} are not read yet")
        return self._known[0]

    @property
    def is_known(self) -> bool:
        """Was it read?"""
        return self._known is not None

    async def start(self) -> None:
        """Read it, and follow its changes. Raises `TemporaryFailure`, and what `load` raises."""
        self._cancels = [self._changes.subscribe(topic, self._changed) for topic in self._topics]
        try:
            await self._read()
        except BaseException:
            self.stop()
            raise
        self._following = True

    async def settled(self) -> None:
        """Done when all changes that were told are read, or it was tried in vain."""
        if self._trying:
            self._waiting.append(waiting := Deferred[None]())
            await waiting

    def stop(self) -> None:
        """Follow no more. Harmless a second time."""
        self._following = False
        for cancel in self._cancels:
            cancel()
        self._cancels = []
        if self._reading is not None:
            self._reading.cancel()

    def _changed(self, notice: Notice) -> None:
        self._news += 1
        if self._following and self._reading is None:
            self._reading = reading = Deferred.fromCoroutine(self._catch_up())
            reading.addBoth(self._caught_up)

    def _caught_up(self, result: object) -> None:
        self._reading = None
        if isinstance(result, Failure) and not isinstance(result.value, CancelledError):
            _log.failure("reading {what}", result, what=self._what)

    async def _catch_up(self) -> None:
        while self._following:
            self._trying = True
            try:
                await self._read()
                return
            except WorldMailError as error:
                if self._following:
                    _log.error("{what} cannot be read, those of before stay: {error}", what=self._what, error=error)
            finally:
                self._tried()
            await self._sleep(AGAIN)

    def _tried(self) -> None:
        self._trying = False
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            each.callback(None)

    async def _read(self) -> None:
        """Until nothing changed while it was read."""
        seen = -1
        while seen != self._news:
            seen = self._news
            self._known = (await self._database.scan(self._load),)
