"""Routes and holds as the database has them, in every process: a table in memory that follows the change feed."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

from zope.interface import implementer

from worldmail.database.current import Current
from worldmail.interfaces.database import Cursor, IChanges, IDatabase
from worldmail.interfaces.holds import Hold
from worldmail.interfaces.queue import IRoutes, Route
from worldmail.interfaces.triggers import TriggerTable
from worldmail.mail.address import Address
from worldmail.queue.hold_admin import HOLDS, read_hold
from worldmail.queue.hold_loads import HoldLoads
from worldmail.queue.route_rows import Seal, all_rows
from worldmail.queue.routes import RouteTable


@implementer(IRoutes)
class CurrentRoutes:
    """See `IRoutes`. Mail takes no way that nobody wanted: before they were read all answers are `TemporaryFailure`.

    Args:
        database: where they are kept.
        changes: the feed that tells of changes.
        unseal: opens a sealed password.
        sleep: done after so many seconds.
        seconds: a clock that only grows.
        delimiters: the characters that part a user from a detail.

    Attributes:
        loads: see `IRoutes.loads`.
    """

    def __init__(
        self,
        database: IDatabase,
        changes: IChanges,
        unseal: Seal,
        sleep: Callable[[float], Awaitable[None]],
        seconds: Callable[[], float] = time.monotonic,
        delimiters: str = "",
    ) -> None:
        self.loads = HoldLoads(database, seconds, delimiters)
        self._unseal = unseal
        self._table = Current(database, changes, ("route", HOLDS.noun), self._load, sleep, what="the routes")

    async def start(self) -> None:
        """Read all routes and follow their changes. Raises `TemporaryFailure`, `ConfigurationError`, `BadValue`."""
        await self._table.start()

    def stop(self) -> None:
        """Follow no more. Harmless a second time."""
        self._table.stop()

    async def settled(self) -> None:
        """See `IRoutes.settled`."""
        await self._table.settled()

    def route(self, sender: Address | None, domain: str) -> Route:
        """See `IRoutes.route`."""
        return self._table.value.route(sender, domain)

    def onward(self, sender: Address | None, domain: str) -> Route:
        """See `IRoutes.onward`."""
        return self._table.value.onward(sender, domain)

    def named(self, name: str) -> Route | None:
        """See `IRoutes.named`."""
        return self._table.value.named(name)

    def hold(self, name: str) -> Hold | None:
        """See `IRoutes.hold`."""
        return self._table.value.hold(name)

    def holds(self) -> list[Hold]:
        """See `IRoutes.holds`."""
        return self._table.value.holds()

    def holding(self, domain: str) -> Hold | None:
        """See `IRoutes.holding`."""
        return self._table.value.holding(domain)

    @property
    def triggers(self) -> TriggerTable:
        """See `IRoutes.triggers`."""
        return self._table.value.triggers

    def _load(self, cursor: Cursor) -> RouteTable:
        holds = [read_hold(entry, self._unseal) for entry in HOLDS.all(cursor)]
        return RouteTable.of((row.route(self._unseal) for row in all_rows(cursor)), holds)
