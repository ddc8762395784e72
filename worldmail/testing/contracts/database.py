"""The contract of `IDatabase` and `IChanges`."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase
from zope.interface.verify import verifyObject

from worldmail.interfaces.database import Cursor, IChanges, IDatabase, Notice, Shared


def put(name: str, value: int) -> Any:
    """A unit that adds a counter and gives its value."""

    def unit(cursor: Cursor) -> int:
        cursor.run("INSERT INTO counter (name, value) VALUES (?, ?)", (name, value))
        return value

    return unit


def counters(cursor: Cursor) -> dict[str, int]:
    """A unit that gives all counters."""
    return dict(cursor.all("SELECT name, value FROM counter ORDER BY name"))


def note(cursor: Cursor, key: int) -> None:
    """A unit that tells of a change in a mailbox."""
    cursor.notice("mailbox", key)


class DatabaseContract(TestCase):
    """Set `database` (started, with schema) and `changes` in `setUp`; stop the database in `tearDown`."""

    database: IDatabase
    changes: IChanges

    def test_it_provides_its_interfaces(self) -> None:
        assert verifyObject(IDatabase, self.database)
        assert verifyObject(IChanges, self.changes)

    async def test_a_write_gives_the_result_of_its_unit_and_is_there_for_the_next_read(self) -> None:
        assert await self.database.write(put("a", 5)) == 5
        assert await self.database.read(counters) == {"a": 5}
        assert await self.database.scan(counters) == {"a": 5}

    def test_its_spare_room_is_a_number(self) -> None:
        assert self.database.spare() >= 0

    async def test_a_long_write_is_a_write(self) -> None:
        assert await self.database.write_long(put("a", 5)) == 5
        assert await self.database.read(counters) == {"a": 5}

    async def test_rows_that_are_locked_are_read(self) -> None:
        await self.database.write(put("a", 5))
        sql = "SELECT value FROM counter WHERE name = ?"
        assert await self.database.write(Shared(lambda cursor: cursor.lock(sql, ("a",)))) == [(5,)]
        assert await self.database.write(Shared(lambda cursor: cursor.lock(sql, ("b",)))) == []

    async def test_writes_that_meet_come_out_as_if_one_had_followed_the_other(self) -> None:
        def read_then_write(cursor: Cursor) -> None:
            (value,) = cursor.one("SELECT value FROM counter WHERE name = 'a'") or (0,)
            cursor.run("UPDATE counter SET value = ? WHERE name = 'a'", (value + 1,))

        await self.database.write(put("a", 0))
        waiting = [self.database.write(read_then_write) for _ in range(20)]
        waiting += [self.database.write_long(read_then_write) for _ in range(5)]
        for awaitable in waiting:
            await awaitable
        assert await self.database.read(counters) == {"a": 25}

    async def test_shared_writes_that_meet_lose_nothing(self) -> None:
        def count(cursor: Cursor) -> int:
            row = cursor.one("UPDATE counter SET value = value + 1 WHERE name = 'a' RETURNING value")
            assert row is not None
            return int(row[0])

        await self.database.write(put("a", 0))
        waiting = [self.database.write(Shared(count)) for _ in range(30)]
        assert sorted([await awaitable for awaitable in waiting]) == list(range(1, 31))

    async def test_a_text_with_NUL_is_no_fault(self) -> None:
        await self.database.write(put("a\0b", 1))
        kept = await self.database.read(counters)
        assert kept in ({"a\0b": 1}, {"a\ufffdb": 1})
        sought = await self.database.read(lambda cursor: cursor.one("SELECT 1 FROM counter WHERE name = ?", ("\0",)))
        assert sought is None

    async def test_sums_counts_and_conditions_are_numbers(self) -> None:
        await self.database.write(put("a", 2**40))
        await self.database.write(put("b", 2**40))
        row = await self.database.read(
            lambda cursor: cursor.one("SELECT sum(value), count(*), max(value) IS NOT NULL FROM counter")
        )
        assert row == (2**41, 2, 1)
        assert [type(value) for value in row] == [int, int, int]

    async def test_names_are_sorted_by_their_code_points(self) -> None:
        for name in ("b", "B", "ä", "_"):
            await self.database.write(put(name, 1))
        assert list(await self.database.read(counters)) == ["B", "_", "b", "ä"]

    async def test_an_error_of_a_unit_reaches_its_caller_and_takes_back_that_unit_alone(self) -> None:
        def broken(cursor: Cursor) -> None:
            cursor.run("INSERT INTO counter (name, value) VALUES ('broken', 1)")
            raise LookupError("mine")

        good, bad, late = (
            self.database.write(put("a", 1)),
            self.database.write(broken),
            self.database.write(put("b", 2)),
        )
        assert await good == 1
        with pytest.raises(LookupError, match="mine"):
            await bad
        assert await late == 2
        assert await self.database.read(counters) == {"a": 1, "b": 2}

    async def test_the_cursor_gives_rows_and_counts(self) -> None:
        def unit(cursor: Cursor) -> list[Any]:
            cursor.run_many("INSERT INTO counter (name, value) VALUES (?, ?)", [("a", 1), ("b", 2), ("c", 3)])
            return [
                cursor.run("UPDATE counter SET value = value + 1 WHERE value > ?", (1,)),
                cursor.one("UPDATE counter SET value = 9 WHERE name = ? RETURNING value, name", ("c",)),
                cursor.one("SELECT value FROM counter WHERE name = 'none'"),
                cursor.all("SELECT name, value FROM counter ORDER BY name"),
            ]

        assert await self.database.write(unit) == [2, (9, "c"), None, [("a", 1), ("b", 3), ("c", 9)]]

    async def test_values_of_every_kind_come_back_as_they_were(self) -> None:
        kinds = (2**62, -5, "ä?ö", b"\0\xff", None)

        def unit(cursor: Cursor) -> Any:
            cursor.run(
                "INSERT INTO content (digest, size, flags, place, inline) VALUES (?, ?, ?, ?, ?)",
                (kinds[3], kinds[0], kinds[1], kinds[2], kinds[4]),
            )
            return cursor.one("SELECT size, flags, place, digest, inline FROM content")

        assert await self.database.write(unit) == kinds

    async def test_an_error_of_a_read_reaches_its_caller(self) -> None:
        def broken(cursor: Cursor) -> None:
            raise LookupError("mine")

        for verb in (self.database.read, self.database.scan):
            with pytest.raises(LookupError, match="mine"):
                await verb(broken)
        assert await self.database.read(counters) == {}

    async def test_notices_are_told_once_a_commit_and_before_the_results(self) -> None:
        told: list[Any] = []
        self.changes.subscribe("mailbox", lambda notice: told.append((notice.topic, notice.key)))

        def unit(cursor: Cursor) -> None:
            for _ in range(2):
                cursor.notice("mailbox", 7)
            cursor.notice("account", 1)

        await self.database.write(unit)
        assert told == [("mailbox", 7)]

    async def test_notices_of_a_failed_unit_are_never_told(self) -> None:
        told: list[Notice] = []
        self.changes.subscribe("mailbox", told.append)

        def broken(cursor: Cursor) -> None:
            cursor.notice("mailbox", 7)
            raise LookupError

        with pytest.raises(LookupError):
            await self.database.write(broken)
        await self.database.write(put("a", 1))
        assert told == []

    async def test_notice_numbers_grow(self) -> None:
        told: list[Notice] = []
        self.changes.subscribe("mailbox", told.append)
        for key in (5, 6, 5):
            await self.database.write(partial(note, key=key))
        assert [notice.key for notice in told] == [5, 6, 5]
        assert sorted({notice.number for notice in told}) == [notice.number for notice in told]

    async def test_a_subscription_may_be_for_one_key_and_may_be_cancelled(self) -> None:
        told: list[int] = []
        cancel = self.changes.subscribe("mailbox", lambda notice: told.append(notice.key), key=2)

        async def change(key: int) -> None:
            await self.database.write(lambda cursor: cursor.notice("mailbox", key))

        await change(1)
        await change(2)
        cancel()
        cancel()
        await change(2)
        assert told == [2]

    async def test_the_key_0_is_told_to_every_subscriber_of_the_topic(self) -> None:
        told: list[int] = []
        for key in (None, 1, 2):
            self.changes.subscribe("folders", lambda notice: told.append(notice.key), key=key)
        self.changes.subscribe("mailbox", lambda notice: told.append(notice.key))
        await self.database.write(lambda cursor: cursor.notice("folders", 0))
        assert told == [0, 0, 0]

    async def test_a_listener_that_fails_harms_neither_the_write_nor_other_listeners(self) -> None:
        told: list[int] = []

        def fails(notice: Notice) -> None:
            raise LookupError("listener")

        self.changes.subscribe("mailbox", fails)
        self.changes.subscribe("mailbox", lambda notice: told.append(notice.key))
        await self.database.write(lambda cursor: cursor.notice("mailbox", 3))
        assert told == [3]
        logged = self.flushLoggedErrors(LookupError)  # type: ignore[no-untyped-call]  # trial's is untyped
        assert len(logged) == 1

    async def test_a_unit_may_be_written_from_the_callback_of_another(self) -> None:
        async def chain(name: str, value: int) -> None:
            await self.database.write(put(name, value))
            if value:
                await chain(f"{name}{value}", value - 1)

        await Deferred.fromCoroutine(chain("n", 3))
        assert len(await self.database.read(counters)) == 4


class OrderedDatabaseContract(DatabaseContract):
    """That of the embedded engine, which promises more than `IDatabase` does."""

    async def test_writes_are_run_in_the_order_of_the_calls(self) -> None:
        def double_and_add(digit: int) -> Any:
            return lambda cursor: cursor.run("UPDATE counter SET value = value * 10 + ?", (digit,))

        waiting = [self.database.write(put("a", 0))]
        waiting += [self.database.write(double_and_add(digit)) for digit in (1, 2)]
        waiting += [self.database.write_long(double_and_add(3)), self.database.write(double_and_add(4))]
        for awaitable in waiting:
            await awaitable
        assert await self.database.read(counters) == {"a": 1234}
