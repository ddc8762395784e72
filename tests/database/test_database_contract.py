"""The contract of the database, on each of its providers."""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor

from worldmail.database.file import DatabaseFile
from worldmail.database.immediate import ImmediateDatabase
from worldmail.database.sqlite import SqliteDatabase
from worldmail.testing.contracts import database as contract


class TestSqlite(contract.DatabaseContract):
    def setUp(self) -> None:
        self.database = SqliteDatabase(DatabaseFile(path=f"{self.mktemp()}/store.sqlite"), reactor)
        self.database.start()
        self.changes = self.database.changes

    def tearDown(self) -> Any:
        return self.database.stop()


class TestImmediate(contract.DatabaseContract):
    def setUp(self) -> None:
        self.database = ImmediateDatabase()
        self.database.start()
        self.changes = self.database.changes

    def tearDown(self) -> None:
        self.database.stop()
