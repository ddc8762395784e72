"""Many units share one transaction; none harms another, and nothing is acknowledged that is not there."""

from __future__ import annotations

import os
import threading
import time
from typing import Any, ClassVar

import apsw
import pytest
from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredList, ensureDeferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from worldmail.database import writer
from worldmail.database.file import DatabaseFile
from worldmail.database.sqlite import SqliteDatabase
from worldmail.errors import StorageFull, TemporaryFailure
from worldmail.interfaces.database import Cursor, Notice

NAMES = ["a", "b", "c", "d", "e"]


def put(name: str, size: int = 0) -> Any:
    """A unit of several statements that all keep or all lose."""

    def unit(cursor: Cursor) -> str:
        cursor.run("INSERT INTO counter (name, value) VALUES (?, 0)", (name,))
        cursor.run("INSERT INTO fact (name, value) VALUES (?, ?)", (name, "x" * size))
        cursor.run("UPDATE counter SET value = value + 1 WHERE name = ?", (name,))
        cursor.notice("mailbox", ord(name[0]))
        return name

    return unit


def stored(cursor: Cursor) -> list[str]:
    """Names that are wholly there; fails if one is there by half."""
    counters = cursor.all("SELECT name, value FROM counter ORDER BY name")
    facts = [row[0] for row in cursor.all("SELECT name FROM fact ORDER BY name")]
    assert [row[0] for row in counters] == facts
    assert all(row[1] == 1 for row in counters)
    return facts


class DatabaseCase(TestCase):
    vfs: str | None = None
    options: ClassVar[dict[str, Any]] = {}

    def setUp(self) -> None:
        self.path = os.path.abspath(f"{self.mktemp()}/store.sqlite")
        self.open()

    def open(self) -> None:
        self.database = SqliteDatabase(DatabaseFile(path=self.path, vfs=self.vfs), reactor, **self.options)
        self.database.start()
        self.told: list[Notice] = []
        self.database.changes.subscribe("mailbox", self.told.append)

    def tearDown(self) -> Any:
        return self.database.stop()

    async def settle(self, *waiting: Any) -> list[Any]:
        """The results and errors of these writes, all asked for at once."""
        outcomes = await DeferredList([ensureDeferred(_await(one)) for one in waiting], consumeErrors=True)
        return [result if good else result.value for good, result in outcomes]

    async def pause(self, seconds: float) -> None:
        await deferLater(reactor, seconds)


async def _await(awaitable: Any) -> Any:
    return await awaitable


class TestIsolation(DatabaseCase):
    async def test_a_unit_that_fails_after_any_of_its_statements_leaves_its_neighbours_whole(self) -> None:
        for position in range(4):

            def fails(cursor: Cursor, position: int = position) -> None:
                cursor.notice("mailbox", 999)
                for step in range(position):
                    cursor.run("INSERT INTO fact (name, value) VALUES (?, '')", (f"lost{step}",))
                raise LookupError(position)

            names = [f"{name}{position}" for name in "abc"]
            results = await self.settle(
                self.database.write(put(names[0])),
                self.database.write(fails),
                *map(self.database.write, map(put, names[1:])),
            )
            assert [results[0], *results[2:]] == names
            assert isinstance(results[1], LookupError)
        assert len(await self.database.read(stored)) == 12
        assert 999 not in [notice.key for notice in self.told]

    async def test_neighbours_of_a_unit_that_fails_run_again_and_not_so_in_the_groups_that_follow(self) -> None:
        self.patch(writer, "WARY", 2)
        runs: list[str] = []

        def counted(name: str) -> Any:
            def unit(cursor: Cursor) -> str:
                runs.append(name)
                return str(put(name)(cursor))

            return self.database.write(unit)

        def fails(cursor: Cursor) -> None:
            put("lost")(cursor)
            raise LookupError

        expected = []
        for first, times in (("a", 2), ("c", 1), ("e", 1), ("g", 2)):
            second = chr(ord(first) + 1)
            runs.clear()
            results = await self.settle(counted(first), self.database.write(fails), counted(second))
            assert [results[0], results[2]] == [first, second]
            assert isinstance(results[1], LookupError)
            assert runs == [first] * times + [second]
            expected += [first, second]
        assert await self.database.read(stored) == expected
        assert [chr(notice.key) for notice in self.told] == expected

    async def test_a_broken_constraint_is_the_units_own_error(self) -> None:
        results = await self.settle(*(self.database.write(put(name)) for name in ("a", "b", "a", "c")))
        assert isinstance(results[2], apsw.ConstraintError)
        assert await self.database.read(stored) == ["a", "b", "c"]

    async def test_a_broken_constraint_that_the_unit_survives_is_its_own_affair(self) -> None:
        def survives(cursor: Cursor) -> str:
            try:
                cursor.run("INSERT INTO counter (name, value) VALUES (NULL, NULL)")
            except apsw.ConstraintError:
                return put("a")(cursor)
            return "no error"

        assert await self.database.write(survives) == "a"
        assert await self.database.read(stored) == ["a"]

    async def test_foreign_keys_hold(self) -> None:
        def orphan(cursor: Cursor) -> None:
            cursor.run("INSERT INTO expunged (mailbox_id, uid, modseq) VALUES (5, 1, 1)")

        with pytest.raises(apsw.ConstraintError):
            await self.database.write(orphan)

    async def test_a_reading_unit_cannot_write(self) -> None:
        for verb in (self.database.read, self.database.scan):
            with pytest.raises((apsw.ReadOnlyError, TemporaryFailure)):
                await verb(put("a"))
        assert await self.database.read(stored) == []

    async def test_units_in_one_turn_share_a_commit(self) -> None:
        before = await self.database.read(commits)
        await self.settle(*(self.database.write(put(name)) for name in NAMES))
        wal = apsw.Connection(self.path)
        assert wal.execute("SELECT count(*) FROM change").fetchall() == [(5,)]
        wal.close()
        assert [notice.number for notice in self.told] == [before + step for step in range(1, 6)]


def commits(cursor: Cursor) -> int:
    row = cursor.one("SELECT coalesce(max(number), 0) FROM change")
    assert row is not None
    return row[0]


class TestBounds(DatabaseCase):
    options: ClassVar[dict[str, Any]] = {"waiting_limit": 10, "group_limit": 4}

    async def test_beyond_the_limit_of_waiting_units_a_write_fails_at_once(self) -> None:
        waiting = [self.database.write(put(f"n{number}")) for number in range(10)]
        with pytest.raises(TemporaryFailure):
            await self.database.write(put("too many"))
        results = await self.settle(*waiting)
        assert results == [f"n{number}" for number in range(10)]
        assert await self.database.write(put("room again")) == "room again"

    async def test_after_stop_everything_taken_is_committed_and_nothing_more_is_taken(self) -> None:
        waiting = [self.database.write(put(f"n{number}")) for number in range(10)]
        stopped = self.database.stop()
        with pytest.raises(TemporaryFailure):
            await self.database.write(put("late"))
        assert len(await self.settle(*waiting)) == 10
        await stopped
        for closed in (self.database.write(put("late")), self.database.read(stored), self.database.scan(stored)):
            with pytest.raises(TemporaryFailure):
                await closed
        self.open()
        assert len(await self.database.read(stored)) == 10


class TestLongUnits(DatabaseCase):
    SLOW = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000000) SELECT count(*) FROM n"

    async def test_a_single_slow_statement_ends_in_a_thread(self) -> None:
        threads: list[int] = []

        def slow(cursor: Cursor) -> Any:
            threads.append(threading.get_ident())
            cursor.run("INSERT INTO counter (name, value) VALUES ('slow', 1)")
            return cursor.one(self.SLOW)

        for verb in (self.database.write, self.database.read):
            threads.clear()
            unit = (
                slow
                if verb == self.database.write
                else (lambda cursor: (threads.append(threading.get_ident()), cursor.one(self.SLOW))[1])
            )
            assert await verb(unit) == (3000000,)
            assert threads[0] == threading.get_ident() != threads[1]
            assert len(threads) == 2
        assert await self.database.read(lambda cursor: cursor.all("SELECT name FROM counter")) == [("slow",)]

    async def test_a_unit_of_many_statements_ends_in_a_thread_and_keeps_its_place_in_the_order(self) -> None:
        threads = []

        def many(cursor: Cursor) -> int:
            threads.append(threading.get_ident())
            started = time.monotonic()
            while time.monotonic() < started + 2 * writer.PATIENCE:
                cursor.one("SELECT 1")
            return len(cursor.all("SELECT name FROM counter"))

        results = await self.settle(
            *map(self.database.write, (put("a"), many, put("b"), lambda cursor: stored(cursor)))
        )
        assert results == ["a", 1, "b", ["a", "b"]]
        assert threads[0] == threading.get_ident() != threads[-1]

    async def test_a_unit_that_catches_every_exception_is_broken_off_all_the_same(self) -> None:
        threads = []

        def stubborn(cursor: Cursor) -> str:
            threads.append(threading.get_ident())
            while threading.get_ident() == threads[0]:
                try:
                    cursor.one("SELECT 1")
                except Exception:
                    return "swallowed"
            return "in a thread"

        assert await self.database.write(stubborn) == "in a thread"

    async def test_a_long_unit_never_runs_on_the_reactors_thread(self) -> None:
        assert await self.database.write_long(lambda cursor: threading.get_ident()) != threading.get_ident()


class TestLocked(DatabaseCase):
    options: ClassVar[dict[str, Any]] = {"busy_timeout": 60.0}

    async def test_while_another_process_writes_a_unit_waits_for_it(self) -> None:
        other = apsw.Connection(self.path)
        other.execute("BEGIN IMMEDIATE")
        waiting = self.database.write(put("a"))
        await self.pause(0.1)
        assert await self.database.read(stored) == []
        other.execute("COMMIT")
        assert await waiting == "a"
        other.close()


class TestLockedForLong(DatabaseCase):
    options: ClassVar[dict[str, Any]] = {"busy_timeout": 0.3}

    async def test_a_lock_that_is_not_given_up_is_a_temporary_failure_and_the_next_unit_works(self) -> None:
        other = apsw.Connection(self.path)
        other.execute("BEGIN IMMEDIATE")
        results = await self.settle(*(self.database.write(put(name)) for name in NAMES))
        assert {type(result) for result in results} == {TemporaryFailure}
        assert "Busy" in (results[0].reason or "")
        assert "Busy" not in str(results[0])
        other.execute("ROLLBACK")
        assert await self.database.write(put("later")) == "later"
        assert await self.database.read(stored) == ["later"]
        other.close()


class TestFull(DatabaseCase):
    def limit(self, more: int) -> None:
        """Let the database grow by so many pages: SQLite then answers FULL as on a full disk."""
        connection = self.database._committer.connection
        assert connection is not None
        (pages,) = connection.execute("PRAGMA page_count").fetchall()[0]
        connection.execute(f"PRAGMA max_page_count={pages + more}").fetchall()

    async def test_a_unit_that_does_not_fit_fails_alone(self) -> None:
        await self.database.write(put("0"))
        self.limit(8)
        results = await self.settle(*map(self.database.write, (put("a"), put("b", 1_000_000), put("c"))))
        assert [results[0], results[2]] == ["a", "c"]
        assert type(results[1]) is StorageFull
        assert await self.database.read(stored) == ["0", "a", "c"]
        assert sorted({notice.key for notice in self.told}) == [ord("0"), ord("a"), ord("c")]

    async def test_what_fits_again_is_taken_again(self) -> None:
        self.limit(2)
        with pytest.raises(StorageFull):
            await self.database.write(put("a", 1_000_000))
        self.limit(1000)
        assert await self.database.write(put("a", 1_000_000)) == "a"

    async def test_a_unit_that_swallows_the_error_is_not_acknowledged(self) -> None:
        self.limit(2)

        def swallows(cursor: Cursor) -> str:
            try:
                return put("a", 1_000_000)(cursor)
            except apsw.FullError:
                return "fine"

        results = await self.settle(
            self.database.write(put("b")), self.database.write(swallows), self.database.write(put("c"))
        )
        assert results[0] == "b" and results[2] == "c"
        kept = await self.database.read(stored)
        assert kept == ["b", "c"]


class TestMoved(DatabaseCase):
    async def test_a_database_that_is_gone_fails_temporarily_and_recovers_when_it_is_back(self) -> None:
        await self.database.write(put("a"))
        os.rename(self.path, f"{self.path}.away")
        results = await self.settle(*(self.database.write(put(name)) for name in ("b", "c")))
        assert {type(result) for result in results} == {TemporaryFailure}
        await self.pause(0.25)
        with pytest.raises(TemporaryFailure):
            await self.database.read(stored)
        with pytest.raises(TemporaryFailure):
            await self.database.scan(stored)
        assert not os.path.exists(self.path), "no empty database takes its place"
        os.rename(f"{self.path}.away", self.path)
        assert await self.database.write(put("d")) == "d"
        assert await self.database.read(stored) == ["a", "d"]
        assert await self.database.scan(stored) == ["a", "d"]

    async def test_a_database_put_in_its_place_is_taken_up_whole(self) -> None:
        await self.database.write(put("a"))
        await self.database.scan(stored)
        copy = apsw.Connection(self.path)
        copy.execute("VACUUM INTO ?", (f"{self.path}.backup",))
        copy.close()
        await self.settle(*(self.database.write(put(name)) for name in ("b", "c")))
        os.replace(f"{self.path}.backup", self.path)
        await self.pause(0.25)
        assert await self.database.write(put("d")) == "d"
        assert await self.database.read(stored) == ["a", "d"]
        assert await self.database.scan(stored) == ["a", "d"]
        assert await self.database.read(lambda cursor: cursor.all("PRAGMA integrity_check")) == [("ok",)]


class TestPermissions(DatabaseCase):
    def test_the_data_is_for_its_owner_alone(self) -> None:
        directory = os.path.dirname(self.path)
        assert os.stat(directory).st_mode & 0o777 == 0o700
        for name in os.listdir(directory):
            assert os.stat(f"{directory}/{name}").st_mode & 0o777 == 0o600, name

    async def test_a_file_that_others_could_read_is_closed_to_them(self) -> None:
        await self.database.stop()
        os.chmod(self.path, 0o644)
        self.open()
        assert os.stat(self.path).st_mode & 0o777 == 0o600


class TestSnapshots(DatabaseCase):
    async def test_a_read_that_fails_half_way_leaves_no_old_snapshot_behind(self) -> None:
        def half_way(cursor: Cursor) -> None:
            cursor.one("SELECT name FROM counter")
            raise LookupError

        for verb in (self.database.read, self.database.scan):
            with pytest.raises(LookupError):
                await verb(half_way)
        await self.database.write(put("a"))
        assert await self.database.read(stored) == ["a"]
        assert await self.database.scan(stored) == ["a"]

    async def test_what_another_process_commits_is_seen_by_the_next_read(self) -> None:
        assert await self.database.read(stored) == []
        other = apsw.Connection(self.path)
        other.execute("INSERT INTO counter VALUES ('o', 1); INSERT INTO fact VALUES ('o', '')")
        assert await self.database.read(stored) == ["o"]
        other.close()

    async def test_a_cancelled_wait_does_not_cancel_the_unit(self) -> None:
        waiting = self.database.write(put("a"))
        assert isinstance(waiting, Deferred)
        waiting.addErrback(lambda failure: None)
        waiting.cancel()
        assert await self.database.write(put("b")) == "b"
        assert await self.database.read(stored) == ["a", "b"]
