"""PostgreSQL: connections that break at every moment, servers that are killed, units that meet."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable
from typing import Any, Literal

import psycopg
import pytest
from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredList, ensureDeferred
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from worldmail.database.postgres.lane import CONSTRAINTS_BORNE
from worldmail.errors import StorageFull, TemporaryFailure
from worldmail.interfaces.database import Cursor, Notice
from worldmail.testing.cut_wire import CutWire
from worldmail.testing.postgres import PostgresProcess


def put(name: str) -> Callable[[Cursor], str]:
    """A unit of several statements, with a notice."""

    def unit(cursor: Cursor) -> str:
        cursor.run("INSERT INTO counter (name, value) VALUES (?, 1)", (name,))
        cursor.run("INSERT INTO fact (name, value) VALUES (?, ?)", (name, "x"))
        cursor.notice("mailbox", 1)
        return name

    return unit


def names(cursor: Cursor) -> set[str]:
    """What such units left, each whole."""
    found = {row[0] for row in cursor.all("SELECT name FROM counter")}
    assert found == {row[0] for row in cursor.all("SELECT name FROM fact")}
    return found


def fails(state: str) -> str:
    """A statement that fails with this SQLSTATE."""
    return f"DO $$ BEGIN RAISE EXCEPTION 'injected' USING ERRCODE = '{state}'; END $$"


async def until(look: Callable[[], Any]) -> None:
    """Wait until `look` finds something."""
    while not look():
        await deferLater(reactor, 0.02, lambda: None)


async def _await(awaitable: Any) -> Any:
    return await awaitable


class PostgresCase(TestCase):
    postgres: PostgresProcess

    def open(self, url: str | None = None, **options: Any) -> Any:
        database = self.postgres.database(reactor, url, **options)
        database.start()
        self.addCleanup(database.stop)
        return database

    async def outcomes(self, database: Any, *wanted: str) -> dict[str, Any]:
        waiting = [ensureDeferred(_await(database.write(put(name)))) for name in wanted]
        settled = await DeferredList(waiting, consumeErrors=True)
        return {name: result for name, (_, result) in zip(wanted, settled, strict=True)}


@pytest.mark.usefixtures("postgres")
class TestACutWire(PostgresCase):
    async def cut(self, at: int, moment: Literal["before", "after"]) -> tuple[bool, bool, bool]:
        """Cut at the n-th thing said. Whether it came to that, whether the unit was acknowledged, and is there."""
        wire = CutWire(self.postgres.port)
        plain = "&sslmode=disable&gssencmode=disable"
        database = self.postgres.database(reactor, self.postgres.url(port=wire.port) + plain, connections=2)
        database.start()
        told: list[Notice] = []
        database.changes.subscribe("mailbox", told.append)
        wire.arm(at, moment)
        result = (await self.outcomes(database, "a"))["a"]
        hit = wire.hit
        wire.disarm()
        acknowledged = result == "a"
        if not acknowledged:
            result.trap(TemporaryFailure)
        there = "a" in await database.read(names)
        if there:
            await until(lambda: told)
        assert bool(told) == there
        assert await database.write(put("later")) == "later", "it works on"
        await database.stop()
        wire.close()
        return hit, acknowledged, there

    async def every_moment(self, moment: Literal["before", "after"]) -> list[tuple[bool, bool]]:
        """The outcomes that were no plain success."""
        found, at, hit = [], 1, True
        while hit:
            hit, acknowledged, there = await self.cut(at, moment)
            if not (acknowledged and there):
                found.append((acknowledged, there))
            at += 1
        assert at > 8, "the unit has so many statements"
        return found

    async def test_whatever_does_not_arrive_a_unit_is_there_once_or_fails_at_its_COMMIT(self) -> None:
        assert await self.every_moment("before") == [(False, False)]

    async def test_whichever_answer_is_lost_only_that_to_COMMIT_leaves_a_unit_unacknowledged(self) -> None:
        assert await self.every_moment("after") == [(False, True)]


@pytest.mark.usefixtures("postgres")
class TestKills(PostgresCase):
    async def under_load(self, blow: Callable[[], None]) -> None:
        """Writes on two nodes while it strikes; what was acknowledged is there once, what is there was asked for."""
        url = self.postgres.url()
        first, second = self.open(url, patience=120.0), self.open(url, patience=120.0)
        acknowledged: set[str] = set()
        asked: set[str] = set()

        async def load(node: Any, lane: str) -> None:
            for number in range(60):
                name = f"{lane}{number}"
                asked.add(name)
                with contextlib.suppress(TemporaryFailure):
                    acknowledged.add(await node.write(put(name)))

        lanes = [Deferred.fromCoroutine(load(node, f"{lane} ")) for lane, node in enumerate([first, second] * 3)]
        await until(lambda: len(acknowledged) > 60)
        await deferToThread(blow)
        await DeferredList(lanes, fireOnOneErrback=True)
        for node in (first, second):
            there = await node.read(names)
            assert acknowledged <= there <= asked
        assert len(acknowledged) > len(asked) - 20, "few were under way when it struck"

    async def test_a_killed_backend_takes_nothing_with_it_that_was_acknowledged(self) -> None:
        def blow() -> None:
            # The postmaster ends all other sessions then, and recovers.
            os.kill(self.postgres.backends()[-1], signal.SIGKILL)

        await self.under_load(blow)

    async def test_a_killed_server_that_is_started_again_is_found_again(self) -> None:
        def blow() -> None:
            self.postgres.kill()
            self.postgres.start()

        await self.under_load(blow)

    async def test_while_the_server_is_away_units_fail_for_the_time_being_and_recovery_needs_nobody(self) -> None:
        database = self.open(patience=0.3)
        assert await database.write(put("before")) == "before"
        self.postgres.stop()
        try:
            for verb in (database.write, database.write_long):
                with pytest.raises(TemporaryFailure):
                    await verb(put("during"))
            for verb in (database.read, database.scan):
                with pytest.raises(TemporaryFailure):
                    await verb(names)
            with pytest.raises(TemporaryFailure):
                await database.locks.lock(7)
        finally:
            await deferToThread(self.postgres.start)
        assert await database.write(put("after")) == "after"
        assert await database.read(names) == {"before", "after"}

    async def test_a_stop_does_not_wait_for_a_server_that_is_away(self) -> None:
        database = self.postgres.database(reactor, patience=3600.0)
        database.start()
        await database.write(put("before"))
        self.postgres.stop()
        try:
            late = ensureDeferred(_await(database.write(put("late"))))
            await database.stop()
            with pytest.raises(TemporaryFailure):
                await late
        finally:
            await deferToThread(self.postgres.start)


@pytest.mark.usefixtures("postgres")
class TestUnitsThatMeet(PostgresCase):
    async def test_a_conflict_is_borne_so_and_so_often(self) -> None:
        database = self.open()
        for state in ("40001", "40P01"):
            runs = 0

            def unit(cursor: Cursor, state: str = state) -> int:
                nonlocal runs
                runs += 1
                if runs < 8:
                    cursor.run(fails(state))
                return runs

            assert await database.write(unit) == 8

    def fail_at_commit(self, url: str, state: str, times: int) -> None:
        """Let so many commits of counters fail with this SQLSTATE."""
        raise_it = f"RAISE EXCEPTION 'injected' USING ERRCODE = '{state}'"
        body = f"BEGIN IF nextval('tries') <= {times} THEN {raise_it}; END IF; RETURN NULL; END"
        for statement in (
            "CREATE SEQUENCE tries",
            f"CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ {body} $$",
            "CREATE CONSTRAINT TRIGGER fail AFTER INSERT ON counter DEFERRABLE INITIALLY DEFERRED"
            " FOR EACH ROW EXECUTE FUNCTION fail()",
        ):
            self.postgres.rows(url, statement)

    async def test_a_conflict_that_COMMIT_finds_is_borne_as_any_other(self) -> None:
        url = self.postgres.url()
        database = self.open(url)
        told: list[Notice] = []
        database.changes.subscribe("mailbox", told.append)
        self.fail_at_commit(url, "40001", 3)
        assert await database.write(put("a")) == "a"
        assert self.postgres.rows(url, "SELECT last_value FROM tries") == [(4,)]
        assert await database.read(names) == {"a"}
        assert len(told) == 1

    async def test_a_disk_that_is_full_at_COMMIT_is_told_as_such_and_nothing_is_kept(self) -> None:
        url = self.postgres.url()
        database = self.open(url)
        self.fail_at_commit(url, "53100", 1)
        with pytest.raises(StorageFull):
            await database.write(put("a"))
        assert await database.write(put("b")) == "b"
        assert await database.read(names) == {"b"}

    async def test_trouble_of_the_server_within_a_unit_is_temporary(self) -> None:
        database = self.open()
        with pytest.raises(StorageFull):
            await database.write(lambda cursor: cursor.run(fails("53100")))
        for state in ("53200", "54001", "57014", "58030", "XX000"):
            with pytest.raises(TemporaryFailure):
                await database.write(lambda cursor, state=state: cursor.run(fails(state)))

    async def test_a_conflict_without_end_is_a_temporary_failure(self) -> None:
        with pytest.raises(TemporaryFailure):
            await self.open().write(lambda cursor: cursor.run(fails("40001")))

    async def test_a_unit_that_swallows_an_error_of_the_server_is_not_committed(self) -> None:
        database = self.open()

        def unit(cursor: Cursor) -> None:
            put("a")(cursor)
            with contextlib.suppress(psycopg.Error):
                cursor.run("INSERT INTO counter (name, value) VALUES ('a', 2)")

        with pytest.raises(psycopg.IntegrityError):
            await database.write(unit)
        assert await database.read(names) == set()

    async def test_a_constraint_that_is_broken_each_time_is_told_after_a_few(self) -> None:
        database = self.open()
        await database.write(put("a"))
        runs: list[None] = []

        def unit(cursor: Cursor) -> str:
            runs.append(None)
            return put("a")(cursor)

        with pytest.raises(psycopg.IntegrityError):
            await database.write(unit)
        assert len(runs) == CONSTRAINTS_BORNE

    async def test_a_constraint_that_is_broken_after_conflicts_is_looked_at_again_too(self) -> None:
        database = self.open()
        await database.write(put("a"))
        runs: list[None] = []

        def unit(cursor: Cursor) -> str:
            runs.append(None)
            if len(runs) < 4:
                cursor.run(fails("40001"))
            return put("a" if len(runs) == 4 else "b")(cursor)

        assert await database.write(unit) == "b"
        assert len(runs) == 5

    async def test_two_units_that_each_decide_by_what_the_other_writes_come_out_as_one_after_the_other(self) -> None:
        url = self.postgres.url()
        nodes = [self.open(url), self.open(url)]
        await nodes[0].write(lambda cursor: cursor.run_many(_ADD, [("a", 1), ("b", 1)]))
        both = threading.Barrier(2)
        first_runs = [True, True]

        def leave(name: str, number: int) -> Callable[[Cursor], bool]:
            def unit(cursor: Cursor) -> bool:
                """Leave, if somebody else stays."""
                (here,) = cursor.one("SELECT sum(value) FROM counter") or (0,)
                if first_runs[number]:
                    first_runs[number] = False
                    both.wait(30)
                if here < 2:
                    return False
                cursor.run("UPDATE counter SET value = 0 WHERE name = ?", (name,))
                return True

            return unit

        left = [
            ensureDeferred(_await(node.write(leave(name, number))))
            for number, (node, name) in enumerate(zip(nodes, "ab", strict=True))
        ]
        assert sorted([await each for each in left]) == [False, True]

    async def test_a_lock_that_stays_is_a_temporary_failure(self) -> None:
        url = self.postgres.url()
        database = self.postgres.database(reactor, url, lock_timeout=0.05)
        database.start()
        self.addCleanup(database.stop)
        await database.write(put("a"))
        with psycopg.connect(url) as other:
            other.execute("UPDATE counter SET value = 5 WHERE name = 'a'")
            with pytest.raises(TemporaryFailure):
                await database.write(lambda cursor: cursor.run("UPDATE counter SET value = 6 WHERE name = 'a'"))
            other.rollback()
        assert await database.read(names) == {"a"}


@pytest.mark.usefixtures("postgres")
class TestThePool(PostgresCase):
    async def test_long_work_leaves_threads_for_what_is_short(self) -> None:
        database = self.open(connections=2)
        go_on = threading.Event()
        self.addCleanup(go_on.set)
        scans = [ensureDeferred(_await(database.scan(lambda cursor: go_on.wait(60)))) for _ in range(4)]
        for number in range(20):
            await database.write(put(f"{number}"))
        assert len(await database.read(names)) == 20
        assert not any(scan.called for scan in scans)
        go_on.set()
        assert [await scan for scan in scans] == [True] * 4

    async def test_more_than_may_wait_fail_at_once_and_the_others_are_done(self) -> None:
        database = self.open(connections=2, waiting_limit=3)
        go_on = threading.Event()
        self.addCleanup(go_on.set)
        waiting = [ensureDeferred(_await(database.read(lambda cursor: go_on.wait(60)))) for _ in range(20)]
        failed = [each for each in waiting if each.called]
        assert len(failed) >= 20 - 3 - 2
        for each in failed:
            with pytest.raises(TemporaryFailure):
                await each
        go_on.set()
        assert all([await each for each in waiting if each not in failed])

    async def test_what_was_asked_for_before_the_stop_is_committed(self) -> None:
        url = self.postgres.url()
        database = self.postgres.database(reactor, url, connections=2)
        database.start()
        waiting = [ensureDeferred(_await(database.write(put(f"{number}")))) for number in range(30)]
        await database.stop()
        assert len([await each for each in waiting]) == 30
        with pytest.raises(TemporaryFailure):
            await database.write(put("late"))
        assert self.postgres.rows(url, "SELECT count(*) FROM counter") == [(30,)]


_ADD = "INSERT INTO counter (name, value) VALUES (?, ?)"
