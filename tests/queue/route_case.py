"""Routes in a database in memory."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import TestCase

from worldmail.auth.server_key import ServerKey
from worldmail.database.immediate import ImmediateDatabase
from worldmail.queue.current_routes import CurrentRoutes
from worldmail.queue.route_admin import RouteAdmin
from worldmail.testing.world import ManualClock

KEY = ServerKey(b"k" * 32)
SECRET = "marker sécret"
ISP = {"via": "host", "host": "smtp.isp.example", "user": "me", "password": SECRET}


def admin_of(database: Any, key: ServerKey = KEY) -> RouteAdmin:
    """Changes the routes of a database."""
    return RouteAdmin(database, key.seal, key.unseal)


def current_of(database: Any, key: ServerKey = KEY, clock: ManualClock | None = None) -> CurrentRoutes:
    """Follows them."""
    return CurrentRoutes(database, database.changes, key.unseal, (clock or ManualClock()).sleep)


class RouteCase(TestCase):
    def setUp(self) -> None:
        self.database = ImmediateDatabase()
        self.database.start()
        self.addCleanup(self.database.stop)
        self.admin = admin_of(self.database)

    async def refused(self, kind: type[Exception], awaitable: Any) -> str:
        try:
            await awaitable
        except kind as error:
            assert SECRET not in str(error)
            return str(error)
        raise AssertionError(f"{kind.__name__} was not raised")

    async def names(self) -> list[str]:
        return [route.name for route in await self.admin.routes()]

    async def sealed(self, name: str) -> Any:
        row = await self.database.read(lambda cursor: cursor.one("SELECT password FROM route WHERE name = ?", (name,)))
        return row and row[0]

    async def current(self, key: ServerKey = KEY) -> CurrentRoutes:
        made = current_of(self.database, key)
        await made.start()
        self.addCleanup(made.stop)
        return made
