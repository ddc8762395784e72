"""The contract of what is derived, in memory, in a file and on PostgreSQL."""

from __future__ import annotations

import os
import time
from typing import Any

import pytest
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults

from worldmail.config.sections import StoreSettings
from worldmail.database.file import DatabaseFile
from worldmail.database.immediate import ImmediateDatabase
from worldmail.database.sqlite import SqliteDatabase
from worldmail.store.derived import Derived, derived_here, open_derived
from worldmail.store.derived.postgres import LEASE, PostgresShelf
from worldmail.store.files import ContentFiles
from worldmail.store.inflow import Inflow
from worldmail.store.space import Space
from worldmail.testing.contracts import derived as contract
from worldmail.transport.clock import ReactorClock


class TestInMemory(contract.DerivedContract):
    def setUp(self) -> None:
        self.database, self.contents = ImmediateDatabase(), ContentFiles(os.path.abspath(self.mktemp()), reactor)
        self.database.start()
        self.derived = derived_here(self.database, self.contents)

    def again(self) -> Derived:
        return self.derived


class OnDisk:
    """With threads, and all that is on the disk in a directory of its own."""

    shared = False

    def setUp(self) -> None:
        self.directory = os.path.abspath(self.mktemp())
        os.makedirs(self.directory)
        self.database = self.make_database()
        self.database.start()
        self.contents = ContentFiles(f"{self.directory}/content", reactor)
        self.opened: list[Derived] = []
        self.derived = self.again()

    def make_database(self) -> Any:
        raise AssertionError("each engine has its own")

    def again(self) -> Derived:
        space = Space(directory=self.directory, minimum_free=0, seconds=reactor.seconds)
        clock = ReactorClock(reactor=reactor)
        settings = StoreSettings(minimum_free=0)
        parts = (settings, self.directory, self.database, self.contents, clock, reactor, space)
        self.inflow = Inflow()
        self.opened.append(open_derived(*parts, inflow=self.inflow, shared=self.shared))
        return self.opened[-1]

    def tearDown(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self.stop())

    async def stop(self) -> None:
        for derived in self.opened:
            await derived.stop()
        await self.database.stop()

    async def test_its_filler_sees_large_mail_come_in(self) -> None:
        assert self.derived.filler.inflow is self.inflow


class TestInAFile(OnDisk, contract.DerivedContract):
    def make_database(self) -> Any:
        return SqliteDatabase(DatabaseFile(path=f"{self.directory}/store.sqlite"), reactor)


@pytest.mark.usefixtures("postgres")
class TestOnPostgres(OnDisk, contract.DerivedContract):
    shared = True

    def make_database(self) -> Any:
        return self.postgres.database(reactor)

    async def test_one_node_fills_and_another_takes_over_when_it_is_gone(self) -> None:
        first = self.derived.shelf
        second = PostgresShelf(database=self.database, now=lambda: time.time() + 2 * LEASE)
        beside = PostgresShelf(database=self.database, now=time.time)
        assert await first.lead()
        assert not await beside.lead()
        assert await second.lead()
        assert await second.lead(), "it goes on"

    async def test_nodes_may_begin_at_once(self) -> None:
        ids = await self.add(*(contract.message("subject", "word") for _ in range(3)))
        shelves = [PostgresShelf(database=self.database, now=time.time) for _ in range(4)]
        waiting = await gatherResults([Deferred.fromCoroutine(shelf.waiting(0, 9)) for shelf in shelves])
        assert ids in [found.content_ids for found in waiting]
        assert (await self.derived.shelf.waiting(0, 9)).content_ids == ids

    async def test_tables_of_another_version_are_made_anew(self) -> None:
        ids = await self.add(*(contract.message("subject", "word") for _ in range(3)))
        assert await self.derived.filler.catch_up() == 3
        change = "UPDATE fact SET value = '0' WHERE name = 'derived-version'"
        await self.database.write(lambda cursor: cursor.run(change))
        other = self.again()
        assert await other.shelf.known(0, 9) == []
        await other.filler.catch_up()
        assert await self.found("body", "word", ids) == set(ids)
