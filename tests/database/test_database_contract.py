"""The contract of the database, on each of its providers."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet import reactor

from worldmail.database.file import DatabaseFile
from worldmail.database.immediate import ImmediateDatabase
from worldmail.database.sqlite import SqliteDatabase
from worldmail.testing.contracts import database as contract
from worldmail.testing.postgres import PostgresProcess


class TestSqlite(contract.OrderedDatabaseContract):
    def setUp(self) -> None:
        self.database = SqliteDatabase(DatabaseFile(path=f"{self.mktemp()}/store.sqlite"), reactor)
        self.database.start()
        self.changes = self.database.changes

    def tearDown(self) -> Any:
        return self.database.stop()


class TestImmediate(contract.OrderedDatabaseContract):
    def setUp(self) -> None:
        self.database = ImmediateDatabase()
        self.database.start()
        self.changes = self.database.changes

    def tearDown(self) -> None:
        self.database.stop()


@pytest.mark.usefixtures("postgres")
class TestPostgres(contract.DatabaseContract):
    postgres: PostgresProcess

    def setUp(self) -> None:
        self.database = self.postgres.database(reactor)
        self.database.start()
        self.changes = self.database.changes

    def tearDown(self) -> Any:
        return self.database.stop()
