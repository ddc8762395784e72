"""The contract of what is derived, in memory, in a file and on PostgreSQL."""

from __future__ import annotations

import os
from typing import Any

import pytest
from twisted.internet import reactor
from twisted.internet.defer import Deferred

from worldmail.config.sections import StoreSettings
from worldmail.database.file import DatabaseFile
from worldmail.database.immediate import ImmediateDatabase
from worldmail.database.sqlite import SqliteDatabase
from worldmail.store.derived import Derived, derived_here, open_derived
from worldmail.store.files import ContentFiles
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
        self.opened.append(open_derived(*parts, shared=self.shared))
        return self.opened[-1]

    def tearDown(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self.stop())

    async def stop(self) -> None:
        for derived in self.opened:
            await derived.stop()
        await self.database.stop()


class TestInAFile(OnDisk, contract.DerivedContract):
    def make_database(self) -> Any:
        return SqliteDatabase(DatabaseFile(path=f"{self.directory}/store.sqlite"), reactor)


@pytest.mark.usefixtures("postgres")
class TestOnPostgres(OnDisk, contract.DerivedContract):
    shared = True

    def make_database(self) -> Any:
        return self.postgres.database(reactor)
