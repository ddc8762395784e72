"""A read that comes late, once, ends nothing that is to go on; whoever awaits a write is told whatever happens."""

from __future__ import annotations

import os
import time
from typing import Any

import apsw
import pytest
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from worldmail.database import readers, sqlite
from worldmail.database.committer import Committer
from worldmail.database.file import DatabaseFile
from worldmail.database.sqlite import SqliteDatabase
from worldmail.errors import StorageFull, TemporaryFailure
from worldmail.interfaces.database import Cursor, Notice


class TestLateReads(TestCase):
    def setUp(self) -> None:
        self.path = os.path.abspath(f"{self.mktemp()}/store.sqlite")
        self.database = SqliteDatabase(DatabaseFile(path=self.path), reactor)
        self.database.start()
        self.told: list[Notice] = []
        self.database.changes.subscribe("account", self.told.append)

    def tearDown(self) -> Any:
        return self.database.stop()

    def another_process(self, key: int) -> None:
        other = apsw.Connection(self.path)
        other.execute("INSERT INTO change (topic, key) VALUES ('account', ?)", (key,))
        other.close()

    async def hears_of(self, key: int) -> None:
        for _ in range(6000):
            if key in [notice.key for notice in self.told]:
                return
            await deferLater(reactor, 0.01)
        raise AssertionError(f"{key} is not among {self.told}")

    async def write(self, key: int) -> None:
        written = self.database.write(lambda cursor: cursor.notice("account", key))
        assert isinstance(written, Deferred)
        await written.addTimeout(60, reactor)

    async def test_a_late_poll_is_not_the_last(self) -> None:
        self.patch(readers, "PATIENCE", -1)
        await deferLater(reactor, 3 * sqlite.POLL)
        self.patch(readers, "PATIENCE", 0.05)
        self.another_process(7)
        await self.hears_of(7)

    async def test_a_writer_is_told_although_the_changes_of_others_cannot_be_read_now(self) -> None:
        self.patch(sqlite, "POLL", 3600)
        self.another_process(7)
        self.patch(readers, "PATIENCE", -1)
        await self.write(8)
        assert [notice.key for notice in self.told] == [8]

    async def test_what_others_did_is_told_later_if_it_could_not_be_read_before_our_own(self) -> None:
        self.patch(readers, "PATIENCE", -1)
        self.another_process(7)
        await self.write(8)
        self.patch(readers, "PATIENCE", 0.05)
        await self.hears_of(7)

    async def test_it_begins_on_a_machine_that_is_too_slow_for_the_reactor_and_is_told_of_what_comes(self) -> None:
        await self.database.stop()
        self.another_process(7)
        self.patch(readers, "PATIENCE", -1)
        self.database.start()
        self.patch(readers, "PATIENCE", 0.05)
        self.another_process(8)
        await self.hears_of(8)
        assert 7 not in [notice.key for notice in self.told]

    async def test_late_is_no_room_within_the_file(self) -> None:
        self.patch(readers, "PATIENCE", -1)
        assert self.database.spare() == 0

    async def test_pruning_goes_on_after_a_full_disk(self) -> None:
        await self.database.stop()
        rounds: list[int] = []

        def prune(cursor: Cursor) -> int:
            rounds.append(1)
            if len(rounds) < 3:
                raise StorageFull if len(rounds) == 1 else LookupError
            return 0

        self.patch(sqlite, "prune_changes", prune)
        self.patch(sqlite, "PRUNE", 0.01)
        self.database = SqliteDatabase(DatabaseFile(path=self.path), reactor)
        self.database.start()
        while len(rounds) < 4:
            await deferLater(reactor, 0.01)
        assert len(self.flushLoggedErrors(LookupError)) == 1


class TestTheThread(TestCase):
    def setUp(self) -> None:
        self.database = SqliteDatabase(DatabaseFile(path=os.path.abspath(f"{self.mktemp()}/store.sqlite")), reactor)
        self.database.start()

    def tearDown(self) -> Any:
        return self.database.stop()

    def write(self, unit: Any) -> Deferred[Any]:
        written = self.database.write(unit)
        assert isinstance(written, Deferred)
        return written.addTimeout(60, reactor)

    async def test_a_unit_that_ends_its_own_savepoint_spoils_no_other(self) -> None:
        bad = self.write(lambda cursor: cursor.run("RELEASE unit"))
        good = self.write(lambda cursor: "good")
        with pytest.raises(apsw.SQLError):
            await bad
        assert await good == "good"

    async def test_a_fault_of_ours_in_the_thread_fails_the_group_and_the_next_one_works(self) -> None:
        def broken(committer: Any, group: Any) -> Any:
            raise RuntimeError("a fault")

        patched = self.patch(Committer, "commit", broken)
        with pytest.raises(TemporaryFailure):
            await self.write(lambda cursor: 1)
        patched.restore()
        assert await self.write(lambda cursor: 2) == 2


class TestStopping(TestCase):
    async def test_scans_that_wait_for_a_thread_do_not_hold_up_the_stop(self) -> None:
        database = SqliteDatabase(DatabaseFile(path=os.path.abspath(f"{self.mktemp()}/store.sqlite")), reactor)
        database.start()
        begun: list[int] = []
        ends: list[Any] = []

        threads = database._readers._threads

        def unit(cursor: Cursor) -> None:
            begun.append(1)
            for _ in range(6000):  # until nothing else begins
                if threads._stopping:
                    break
                time.sleep(0.01)

        for _ in range(20):
            scanning = database.scan(unit)
            assert isinstance(scanning, Deferred)
            scanning.addBoth(ends.append)
        while len(begun) < 2:
            await deferLater(reactor, 0.001)
        await database.stop()
        while len(ends) < 20:
            await deferLater(reactor, 0.001)
        assert len(begun) == 2, "those that ran already"
        assert len([end for end in ends if end is not None and end.check(TemporaryFailure)]) == 18
