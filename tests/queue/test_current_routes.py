"""Every process follows the routes."""

from __future__ import annotations

import os
from functools import partial
from typing import Any

import pytest
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase
from zope.interface.verify import verifyObject

from tests.queue.route_case import ISP, KEY, SECRET, RouteCase, admin_of, current_of
from worldmail.database.current import AGAIN
from worldmail.database.file import DatabaseFile
from worldmail.database.immediate import ImmediateDatabase
from worldmail.database.sqlite import SqliteDatabase
from worldmail.errors import AlreadyThere, TemporaryFailure
from worldmail.interfaces.outbound import Login
from worldmail.interfaces.queue import IRoutes, Route
from worldmail.queue.current_routes import CurrentRoutes
from worldmail.queue.route_admin import RouteAdmin
from worldmail.testing.postgres import PostgresProcess
from worldmail.testing.world import ManualClock


class Failing:
    """A database whose scans fail, or wait, when the test says so."""

    def __init__(self, database: ImmediateDatabase) -> None:
        self._database = database
        self.changes = database.changes
        self.failures = 0
        self.waiting: list[Deferred[None]] | None = None
        self.scans = 0

    async def scan(self, unit: Any) -> Any:
        self.scans += 1
        if self.failures:
            self.failures -= 1
            raise TemporaryFailure(reason="of the test")
        found = await self._database.scan(unit)
        if self.waiting is not None:
            self.waiting.append(waiting := Deferred())
            await waiting
        return found


class TestCurrentRoutes(RouteCase):
    def setUp(self) -> None:
        super().setUp()
        self.failing = Failing(self.database)
        self.clock = ManualClock()
        self.routes = current_of(self.failing, clock=self.clock)
        self.addCleanup(self.routes.stop)

    def host(self) -> str:
        return self.routes.route(None, "x.example").host

    async def test_it_provides_the_interface(self) -> None:
        await self.routes.start()
        assert verifyObject(IRoutes, self.routes)

    async def test_a_change_is_followed(self) -> None:
        await self.routes.start()
        assert self.routes.route(None, "x.example") == Route(name="")
        await self.admin.add_route("in", {"via": "host", "host": "a.example"})
        assert self.host() == "a.example"
        await self.admin.set_route("in", {"host": "b.example"})
        assert self.host() == "b.example"
        assert self.routes.named("in") is self.routes.route(None, "y.example")
        await self.admin.remove_route("in")
        assert self.host() == "" and self.routes.named("in") is None

    async def test_what_cannot_be_read_at_the_start_is_told_and_no_answer_is_given(self) -> None:
        self.failing.failures = 1
        await self.refused(TemporaryFailure, self.routes.start())
        await self.admin.add_route("in", {"via": "host", "host": "a.example"})
        assert self.failing.scans == 1
        with pytest.raises(TemporaryFailure):
            self.host()

    async def test_what_cannot_be_read_later_is_read_again_and_the_routes_of_before_stay(self) -> None:
        await self.admin.add_route("in", {"via": "host", "host": "a.example"})
        await self.routes.start()
        self.failing.waiting = []
        self.failing.failures = 2
        await self.admin.set_route("in", {"host": "b.example"})
        assert self.host() == "a.example" and self.clock.slept == [AGAIN, AGAIN]
        self.failing.waiting.pop().callback(None)
        assert self.host() == "b.example"

    async def test_a_change_while_the_routes_are_read_is_read_as_well(self) -> None:
        self.failing.waiting = waiting = []
        starting = Deferred.fromCoroutine(self.routes.start())
        await self.admin.add_route("in", {"via": "host", "host": "a.example"})
        waiting.pop().callback(None)
        waiting.pop().callback(None)
        await starting
        assert self.host() == "a.example" and not waiting
        await self.admin.set_route("in", {"host": "b.example"})
        await self.admin.set_route("in", {"host": "c.example"})
        assert len(waiting) == 1
        waiting.pop().callback(None)
        waiting.pop().callback(None)
        assert self.host() == "c.example" and not waiting and self.failing.scans == 4

    async def test_who_waits_for_it_has_the_routes_of_the_last_change_that_was_told(self) -> None:
        await self.routes.start()
        await self.routes.settled()
        self.failing.waiting = waiting = []
        await self.admin.add_route("in", {"via": "host", "host": "a.example"})
        settled = Deferred.fromCoroutine(self.routes.settled())
        await self.admin.set_route("in", {"host": "b.example"})
        waiting.pop().callback(None)
        assert not settled.called
        waiting.pop().callback(None)
        assert settled.called and self.host() == "b.example"

    async def test_nobody_waits_longer_for_routes_that_cannot_be_read_or_for_those_of_a_server_that_stops(self) -> None:
        sleeping: list[Deferred[None]] = []
        routes = CurrentRoutes(self.failing, self.failing.changes, KEY.unseal, partial(_sleep, sleeping))
        await routes.start()
        self.failing.failures = 1
        await self.admin.add_route("in", {"via": "host", "host": "a.example"})
        assert len(sleeping) == 1
        await routes.settled()
        self.failing.waiting = []
        sleeping.pop().callback(None)
        settled = Deferred.fromCoroutine(routes.settled())
        assert not settled.called
        routes.stop()
        assert settled.called

    async def test_after_the_end_nothing_is_read(self) -> None:
        await self.routes.start()
        self.failing.waiting = []
        await self.admin.add_route("in", {"via": "host", "host": "a.example"})
        self.routes.stop()
        self.routes.stop()
        self.failing.waiting.pop().callback(None)
        await self.admin.set_route("in", {"host": "b.example"})
        assert self.failing.scans == 2 and self.host() == ""

    async def test_a_row_that_cannot_be_read_leaves_mail_on_the_way_it_had(self) -> None:
        await self.admin.add_route("in", {"via": "host", "host": "a.example"})
        for column in ("via", "settings"):
            sleeping: list[Deferred[None]] = []
            routes = CurrentRoutes(self.database, self.database.changes, KEY.unseal, partial(_sleep, sleeping))
            await routes.start()
            self.addCleanup(routes.stop)
            await self.database.write(partial(self.spoil, column))
            assert routes.route(None, "x.example").host == "a.example" and len(sleeping) == 1
            await self.database.write(partial(self.mend, column))
            sleeping.pop().callback(None)
            assert routes.route(None, "x.example").host == "b.example" and not sleeping
            await self.admin.set_route("in", {"host": "a.example"})

    def spoil(self, column: str, cursor: Any) -> None:
        self.before = cursor.one(f"SELECT {column} FROM route")
        cursor.run(f"UPDATE route SET {column} = 'odd', host = 'b.example'")
        cursor.notice("route", 0)

    def mend(self, column: str, cursor: Any) -> None:
        cursor.run(f"UPDATE route SET {column} = ?", self.before)


def _sleep(sleeping: list[Deferred[None]], seconds: float) -> Deferred[None]:
    sleeping.append(made := Deferred())
    return made


async def until(look: Any) -> None:
    """Wait until `look` finds something."""
    while not look():
        await deferLater(reactor, 0.02, lambda: None)


class NodesCase(TestCase):
    """What must hold on either engine."""

    def node(self) -> Any:
        raise AssertionError("an engine makes it")

    async def follow_each_other(self) -> None:
        """Two processes: what one changes the other follows."""
        here, there = self.node(), self.node()
        routes = current_of(there)
        await routes.start()
        self.addCleanup(routes.stop)
        admin = admin_of(here)
        await admin.add_route("isp", ISP)
        await until(lambda: routes.named("isp"))
        assert routes.route(None, "x.example").login == Login(user="me", password=SECRET)
        await self.refuses_the_same_mail(admin)
        await admin.set_route("isp", {"host": "b.example"})
        await until(lambda: routes.route(None, "x.example").host == "b.example")
        assert [route.host for route in await admin_of(there).routes()] == ["b.example"]
        await admin.remove_route("isp")
        await until(lambda: routes.named("isp") is None)

    async def refuses_the_same_mail(self, admin: RouteAdmin) -> None:
        for error, name in ((AlreadyThere, "two"), (AlreadyThere, "isp")):
            with self.assertRaises(error):
                await admin.add_route(name, {})


class TestOnTheEmbeddedEngine(NodesCase):
    def setUp(self) -> None:
        self.path = os.path.abspath(f"{self.mktemp()}/store.sqlite")

    def node(self) -> Any:
        made = SqliteDatabase(DatabaseFile(path=self.path), reactor)
        made.start()
        self.addCleanup(made.stop)
        return made

    async def test_processes_follow_each_other(self) -> None:
        await self.follow_each_other()


@pytest.mark.usefixtures("postgres")
class TestOnPostgreSQL(NodesCase):
    postgres: PostgresProcess

    def setUp(self) -> None:
        self.url = self.postgres.url()

    def node(self) -> Any:
        made = self.postgres.database(reactor, self.url)
        made.start()
        self.addCleanup(made.stop)
        return made

    async def test_processes_follow_each_other(self) -> None:
        await self.follow_each_other()
