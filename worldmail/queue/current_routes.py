"""The routes as the database has them, in every process: a table in memory that follows the change feed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from worldmail.errors import WorldMailError
from worldmail.interfaces.database import Cursor, IChanges, IDatabase, Notice
from worldmail.interfaces.queue import IRoutes, Route
from worldmail.mail.address import Address
from worldmail.queue.route_rows import Seal, all_rows
from worldmail.queue.routes import RouteTable

_log = Logger()

AGAIN = 5.0
"""Seconds after which routes that could not be read are read again."""


@implementer(IRoutes)
class CurrentRoutes:
    """See `IRoutes`. `start` it before anything is asked.

    Between a change and the moment in which it is read, some milliseconds, answers are those of before. If the rows
    cannot be read, they stay what they were, and reading is tried again: mail takes no way that nobody wanted.

    Args:
        database: where they are kept.
        changes: the feed that tells of changes.
        unseal: opens a sealed password.
        sleep: done after so many seconds.
    """

    def __init__(
        self, database: IDatabase, changes: IChanges, unseal: Seal, sleep: Callable[[float], Awaitable[None]]
    ) -> None:
        self._database = database
        self._changes = changes
        self._unseal = unseal
        self._sleep = sleep
        self._table = RouteTable.of(())
        self._news = 0
        self._following = False
        self._reading: Deferred[None] | None = None
        self._cancel: Callable[[], None] | None = None

    async def start(self) -> None:
        """Read all routes and follow their changes. Raises `TemporaryFailure`, `ConfigurationError`, `BadValue`."""
        self._cancel = self._changes.subscribe("route", self._changed)
        try:
            await self._read()
        except BaseException:
            self.stop()
            raise
        self._following = True

    def stop(self) -> None:
        """Follow no more. Harmless a second time."""
        self._following = False
        if self._cancel is not None:
            self._cancel()
            self._cancel = None
        if self._reading is not None:
            self._reading.cancel()

    def route(self, sender: Address | None, domain: str) -> Route:
        """See `IRoutes.route`."""
        return self._table.route(sender, domain)

    def onward(self, sender: Address | None, domain: str) -> Route:
        """See `IRoutes.onward`."""
        return self._table.onward(sender, domain)

    def named(self, name: str) -> Route | None:
        """See `IRoutes.named`."""
        return self._table.named(name)

    def _changed(self, notice: Notice) -> None:
        self._news += 1
        if self._following and self._reading is None:
            self._reading = reading = Deferred.fromCoroutine(self._catch_up())
            reading.addBoth(self._caught_up)

    def _caught_up(self, result: object) -> None:
        self._reading = None
        if isinstance(result, Failure) and not isinstance(result.value, CancelledError):
            _log.failure("reading the routes", result)

    async def _catch_up(self) -> None:
        while self._following:
            try:
                await self._read()
                return
            except WorldMailError as error:
                if self._following:
                    _log.error("the routes cannot be read, those of before stay: {error}", error=error)
            await self._sleep(AGAIN)

    async def _read(self) -> None:
        """Until nothing changed while it was read."""
        seen = -1
        while seen != self._news:
            seen = self._news
            self._table = await self._database.scan(self._load)

    def _load(self, cursor: Cursor) -> RouteTable:
        return RouteTable.of(row.route(self._unseal) for row in all_rows(cursor))
