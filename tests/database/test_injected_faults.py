"""An I/O error or a full disk at every single operation on the disk, statement or COMMIT."""

from __future__ import annotations

import os
from typing import Any

import apsw
from twisted.internet import reactor
from twisted.internet.defer import DeferredList, ensureDeferred
from twisted.trial.unittest import TestCase

from worldmail.database.file import DatabaseFile
from worldmail.database.sqlite import SqliteDatabase
from worldmail.errors import StorageFull, TemporaryFailure
from worldmail.interfaces.database import Cursor

NEVER = 1 << 60


class FaultyVfs(apsw.VFS):
    """The system's VFS, but one chosen operation fails; all after it work."""

    def __init__(self, name: str) -> None:
        super().__init__(name, "")
        self.name = name
        self.count = 0
        self.fail_at = NEVER
        self.error: type[apsw.Error] = apsw.IOError

    def operation(self) -> None:
        self.count += 1
        if self.count == self.fail_at:
            raise self.error("injected")

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:
        return FaultyFile(self, name, flags)


class FaultyFile(apsw.VFSFile):
    def __init__(self, vfs: FaultyVfs, name: Any, flags: list[int]) -> None:
        self.vfs = vfs
        super().__init__("", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:
        self.vfs.operation()
        super().xWrite(data, offset)

    def xTruncate(self, size: int) -> None:
        self.vfs.operation()
        super().xTruncate(size)

    def xSync(self, flags: int) -> None:
        self.vfs.operation()
        super().xSync(flags)


def put(name: str) -> Any:
    def unit(cursor: Cursor) -> str:
        cursor.run("INSERT INTO counter (name, value) VALUES (?, 1)", (name,))
        cursor.run("INSERT INTO fact (name, value) VALUES (?, ?)", (name, "x" * 3000))
        cursor.notice("mailbox", 1)
        return name

    return unit


def stored(cursor: Cursor) -> set[str]:
    names = {row[0] for row in cursor.all("SELECT name FROM counter")}
    assert names == {row[0] for row in cursor.all("SELECT name FROM fact")}
    assert cursor.all("PRAGMA integrity_check") == [("ok",)]
    assert cursor.all("PRAGMA foreign_key_check") == []
    return names


class TestFaults(TestCase):
    def setUp(self) -> None:
        self.vfs = FaultyVfs(f"faulty-{id(self)}")

    def tearDown(self) -> None:
        self.vfs.unregister()

    async def outcomes(self, *names: str) -> dict[str, Any]:
        waiting = [ensureDeferred(_await(self.database.write(put(name)))) for name in names]
        settled = await DeferredList(waiting, consumeErrors=True)
        return {name: (good, result) for name, (good, result) in zip(names, settled, strict=True)}

    async def one_fault(self, at: int, error: type[apsw.Error]) -> bool:
        """Run with a fault at operation `at` from the start of the units; False if they need fewer."""
        directory = os.path.abspath(self.mktemp())
        self.database = SqliteDatabase(
            DatabaseFile(path=f"{directory}/store.sqlite", vfs=self.vfs.name), reactor, busy_timeout=0.2
        )
        self.database.start()
        told: list[int] = []
        self.database.changes.subscribe("mailbox", lambda notice: told.append(notice.number))
        self.vfs.error = error
        self.vfs.count, self.vfs.fail_at = 0, at
        outcomes = await self.outcomes("a", "b", "c")
        hit = self.vfs.count >= at
        self.vfs.fail_at = NEVER
        acknowledged = {name for name, (good, _) in outcomes.items() if good}
        for good, result in outcomes.values():
            if not good:
                expected = StorageFull if error is apsw.FullError else TemporaryFailure
                assert type(result.value) is expected, result
        assert await self.database.read(stored) == acknowledged, at
        assert bool(told) == bool(acknowledged)
        later = await self.outcomes("later")
        assert later["later"] == (True, "later"), "the database works on"
        await self.database.stop()
        bare = apsw.Connection(f"{directory}/store.sqlite")
        names = {row[0] for row in bare.execute("SELECT name FROM counter")}
        bare.close()
        assert names == acknowledged | {"later"}
        return hit

    async def every_fault(self, error: type[apsw.Error]) -> None:
        at = 1
        while await self.one_fault(at, error):
            at += 1
        assert at > 5, "the units write, and sync"

    async def test_after_an_io_error_at_any_operation_the_acknowledged_is_there_and_nothing_else(self) -> None:
        await self.every_fault(apsw.IOError)

    async def test_after_a_full_disk_at_any_operation_the_acknowledged_is_there_and_nothing_else(self) -> None:
        await self.every_fault(apsw.FullError)


async def _await(awaitable: Any) -> Any:
    return await awaitable
