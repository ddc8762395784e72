"""What the store does in the background: collecting, sweeping, filing and forgetting traces, the reserve."""

from __future__ import annotations

import os
from typing import Any

import pytest
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from worldmail.database.immediate import ImmediateDatabase
from worldmail.errors import StorageFull
from worldmail.interfaces.database import Cursor
from worldmail.interfaces.store import StagedContent
from worldmail.store.collector import BATCH, Collector
from worldmail.store.content import keep_content
from worldmail.store.files import ContentFiles
from worldmail.store.ids import AcceptanceIds
from worldmail.store.provision import new_uidvalidity
from worldmail.store.space import Reserve, Space
from worldmail.store.trace import LATE, Traces, file_batch, filed_up_to, unfiled
from worldmail.store.upkeep import QUIET, TAIL, TraceFiling
from worldmail.transport.periodic import Periodic

GRACE = 100
NOW = 1_800_000_000
ORPHAN = "INSERT INTO orphan (content_id, since) VALUES (?, ?)"


class StoreCase(TestCase):
    def setUp(self) -> None:
        self.directory = os.path.abspath(self.mktemp())
        os.makedirs(self.directory)
        self.database = ImmediateDatabase()
        self.database.start()
        self.space = self.space_with()
        self.reserve = Reserve(path=f"{self.directory}/reserve", size=0, space=self.space)

    def tearDown(self) -> None:
        self.database.stop()

    def space_with(self, **given: Any) -> Space:
        default: dict[str, Any] = {"minimum_free": 0, "inline_limit": 1000, "spare": lambda: 0, "seconds": lambda: 0.0}
        return Space(directory=self.directory, **{**default, **given})

    async def count(self, table: str) -> int:
        row = await self.database.read(lambda cursor: cursor.one(f"SELECT count(*) FROM {table}"))
        assert row is not None
        return row[0]


class TestCollector(StoreCase):
    def setUp(self) -> None:
        super().setUp()
        self.contents = ContentFiles(f"{self.directory}/content", reactor)
        self.collector = Collector(database=self.database, contents=self.contents, reserve=self.reserve, grace=GRACE)

    async def place(self, age: int = 0) -> str:
        writer = self.contents.create()
        await writer.write(b"large")
        place = await writer.finish()
        os.utime(self.contents.path(place), (NOW - age, NOW - age))
        return place

    async def add(self, number: int, place: str | None) -> int:
        staged = StagedContent(digest=b"%d" % number, size=5, inline=None if place else b"small", place=place)
        kept = await self.database.write(lambda cursor: keep_content(cursor, staged))
        return kept[0]

    async def release(self, content_id: int, at: int) -> None:
        await self.database.write(lambda cursor: cursor.run(ORPHAN, (content_id, at)))

    async def test_an_orphan_is_removed_with_its_place_after_the_grace_and_not_before(self) -> None:
        place = await self.place()
        await self.release(await self.add(1, place), NOW)
        assert await self.collector.collect(NOW + GRACE) == 0
        assert os.path.exists(self.contents.path(place))
        assert await self.collector.collect(NOW + GRACE + 1) == 1
        assert not os.path.exists(self.contents.path(place))
        assert await self.count("content") == 0

    async def test_all_orphans_go_in_batches(self) -> None:
        for number in range(BATCH + 5):
            await self.release(await self.add(number, None), NOW)
        assert await self.collector.collect(NOW + 2 * GRACE) == BATCH + 5

    async def test_content_that_a_message_refers_to_is_no_orphan_whatever_was_noted(self) -> None:
        content_id = await self.add(1, None)

        def message(cursor: Cursor) -> None:
            cursor.run("INSERT INTO domain (id, name, kind) VALUES (1, 'x.test', 'local')")
            cursor.run(
                "INSERT INTO account (id, domain_id, address, name, enabled, generation, created, password, settings)"
                " VALUES (1, 1, 'a@x.test', '', 1, 1, 0, '', '{}')"
            )
            cursor.run(
                "INSERT INTO mailbox (id, account_id, name, uidvalidity, uidnext, highestmodseq, messages, octets,"
                " created) VALUES (1, 1, 'INBOX', 1, 2, 2, 1, 5, 0)"
            )
            cursor.run("INSERT INTO message VALUES (1, 1, ?, 2, 5, 0, 0, NULL, x'')", (content_id,))
            cursor.run(ORPHAN, (content_id, NOW))

        await self.database.write(message)
        assert await self.collector.collect(NOW + 2 * GRACE) == 0
        assert (await self.count("content"), await self.count("orphan")) == (1, 0)

    async def test_a_place_without_content_is_swept_after_the_grace(self) -> None:
        old, young, kept = await self.place(2 * GRACE), await self.place(), await self.place(2 * GRACE)
        await self.add(1, kept)
        unfinished = self.contents.create()
        await unfinished.write(b"x")
        (part,) = (name for name in await self.contents.places(NOW * 2) if name.endswith(".part"))
        os.utime(self.contents.path(part), (NOW - 2 * GRACE, NOW - 2 * GRACE))
        assert await self.collector.sweep(NOW) == 2
        assert sorted(await self.contents.places(NOW * 2)) == sorted([young, kept])
        assert not os.path.exists(self.contents.path(old))
        await unfinished.abort()


class TestTraceFiling(StoreCase):
    def setUp(self) -> None:
        super().setUp()
        self.traces = Traces(self.database)
        self.filing = TraceFiling(database=self.database, kept=100)

    async def record(self, number: int, at: int = NOW, key: str = "a@x.test") -> None:
        await self.database.write(
            lambda cursor: self.traces.record(cursor, f"ID{number:06d}", at, "accepted", [key, f"<{number}@y>"], "{}")
        )

    async def waiting(self) -> int:
        return (await self.database.read(unfiled))[1]

    async def test_what_is_not_filed_is_found_and_what_is_filed_is_found_once(self) -> None:
        for number in (1, 2):
            await self.record(number)
        unfiled_result = await self.traces.find("a@x.test")
        await self.database.write(lambda cursor: file_batch(cursor, 1))
        assert await self.traces.find("a@x.test") == unfiled_result
        await self.filing.file()
        assert await self.waiting() == 0
        assert await self.traces.find("a@x.test") == unfiled_result
        assert [record.acceptance for record in unfiled_result] == ["ID000001", "ID000002"]

    async def test_all_events_of_a_message_are_found_by_any_of_its_keys(self) -> None:
        await self.record(1)
        await self.filing.file()
        await self.database.write(lambda cursor: self.traces.record(cursor, "ID000001", NOW + 5, "removed", [], "{}"))
        await self.record(2, key="b@x.test")
        for key in ("A@X.test", "<1@y>", "1@y", "ID000001", "id000001"):
            assert [found.event for found in await self.traces.find(key)] == ["accepted", "removed"], key
        await self.filing.file()
        assert [found.event for found in await self.traces.find("<1@y>")] == ["accepted", "removed"]

    async def test_while_mail_comes_in_filing_waits(self) -> None:
        for number in range(QUIET + 1):
            await self.record(number)
        await self.filing.file()
        assert await self.waiting() == QUIET + 1
        await self.filing.file()
        assert await self.waiting() == 0

    async def test_a_tail_that_is_too_long_is_filed_all_the_same(self) -> None:
        def many(cursor: Cursor) -> None:
            for number in range(TAIL + 250):
                self.traces.record(cursor, f"ID{number:06d}", NOW, "accepted", [], "{}")

        await self.database.write(many)
        await self.filing.file()
        assert TAIL - 100 <= await self.waiting() <= TAIL

    async def test_a_number_that_turns_up_late_is_filed_and_one_that_never_does_is_waited_for_a_while(self) -> None:
        async def add(number: int, at: int) -> None:
            await self.record(number, at, key=f"{number}@x.test")
            await self.database.write(
                lambda cursor: cursor.run("UPDATE trace SET id = ? WHERE acceptance = ?", (number, f"ID{number:06d}"))
            )

        await add(1, NOW)
        await add(3, NOW)
        await self.filing.file()
        assert await self.database.read(filed_up_to) == 1
        await add(2, NOW)
        await add(5, NOW)
        await self.filing.file()
        assert await self.database.read(filed_up_to) == 3
        for number in (2, 5):
            assert [found.acceptance for found in await self.traces.find(f"{number}@x.test")] == [f"ID{number:06d}"]
        await add(6, NOW + LATE)
        await self.filing.file()
        assert await self.waiting() == 0

    async def test_old_records_are_forgotten_with_their_keys_but_never_the_newest(self) -> None:
        for number in range(5):
            await self.record(number, at=NOW + number)
        await self.filing.file()
        await self.filing.forget(NOW + 102)
        assert [found.acceptance for found in await self.traces.find("a@x.test")] == [
            "ID000002",
            "ID000003",
            "ID000004",
        ]
        await self.filing.forget(NOW + 10_000)
        assert await self.count("trace") == 1
        assert await self.count("trace_key") == 3
        await self.record(9)
        assert [found.acceptance for found in await self.traces.find("<9@y>")] == ["ID000009"]

    async def test_what_is_not_filed_is_not_forgotten(self) -> None:
        for number in range(3):
            await self.record(number)
        await self.database.write(lambda cursor: file_batch(cursor, 1))
        await self.filing.forget(NOW + 10_000)
        assert await self.count("trace") == 2
        assert await self.database.read(filed_up_to) == 1

    async def test_of_many_messages_the_latest_are_found_filed_or_not(self) -> None:
        for number in range(6):
            await self.record(number)
            if number == 3:
                await self.filing.file()
        for most in (1, 3, 5):
            found = await self.traces.find("a@x.test", most)
            assert [record.acceptance for record in found] == [f"ID{number:06d}" for number in range(6 - most, 6)]

    async def test_with_a_message_come_the_reports_on_it_and_the_reports_on_these(self) -> None:
        await self.record(1)
        for number, about in ((2, 1), (3, 2), (4, 9)):
            await self.record(number, key=f"ID{about:06d}")
            await self.database.write(
                lambda cursor, number=number: self.traces.record(cursor, f"ID{number:06d}", NOW, "delivered", [], "{}")
            )
            if number == 2:
                await self.filing.file()
        found = await self.traces.find("<1@y>")
        assert [(record.acceptance, record.event) for record in found] == [
            ("ID000001", "accepted"),
            ("ID000002", "accepted"),
            ("ID000002", "delivered"),
            ("ID000003", "accepted"),
            ("ID000003", "delivered"),
        ]
        assert [record.acceptance for record in await self.traces.find("ID000003")] == ["ID000003"] * 2

    async def test_a_line_feed_in_a_key_makes_no_second_key(self) -> None:
        await self.record(1, key="<x\ny@z>")
        assert await self.traces.find("y@z>") == []
        assert len(await self.traces.find("<x y@z>")) == 1


class TestSpace(StoreCase):
    def test_new_mail_leaves_the_minimum_free(self) -> None:
        free = self.space.free()
        assert self.space.check(1000) is None
        tight = self.space_with(minimum_free=free * 2)
        with pytest.raises(StorageFull):
            tight.check(0)

    def test_room_within_the_database_counts_for_messages_that_go_there(self) -> None:
        tight = self.space_with(minimum_free=self.space.free() * 2, spare=lambda: 1 << 60)
        assert tight.check(1000) is None
        with pytest.raises(StorageFull):
            tight.check(1001)

    def test_a_message_leaves_half_its_size_free(self) -> None:
        with pytest.raises(StorageFull):
            self.space.check(self.space.free() * 3 // 4)

    def test_the_figure_is_taken_once_a_second(self) -> None:
        taken = []
        now = [0.0]
        real = os.statvfs
        self.patch(os, "statvfs", lambda path: taken.append(path) or real(path))
        space = self.space_with(seconds=lambda: now[0])
        for moment in (0.0, 0.5, 0.9, 1.1):
            now[0] = moment
            space.check(0)
        assert len(taken) == 2

    def test_the_reserve_is_set_aside_given_up_and_set_aside_again(self) -> None:
        reserve = Reserve(path=f"{self.directory}/reserve", size=1 << 20, space=self.space)
        assert not reserve.release()
        assert reserve.restore()
        assert os.stat(reserve.path).st_blocks * 512 >= 1 << 20
        assert os.stat(reserve.path).st_mode & 0o777 == 0o600
        assert reserve.release()
        assert not reserve.release()
        assert os.stat(reserve.path).st_blocks == 0
        assert reserve.restore()

    def test_the_reserve_is_not_taken_from_what_new_mail_must_leave(self) -> None:
        tight = self.space_with(minimum_free=self.space.free())
        reserve = Reserve(path=f"{self.directory}/reserve", size=1 << 30, space=tight)
        assert not reserve.restore()
        assert not os.path.exists(reserve.path)


class TestPeriodic(TestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.runs = 0
        self.wait: Deferred[None] | None = None

    async def work(self) -> None:
        self.runs += 1
        if self.wait is not None:
            await self.wait

    def test_it_runs_every_interval_and_never_twice_at_once(self) -> None:
        service = Periodic(self.clock.callLater, 10, "the work", self.work)
        service.startService()
        assert self.runs == 0
        self.clock.advance(10)
        self.wait = Deferred()
        self.clock.advance(10)
        self.clock.advance(100)
        assert self.runs == 2
        self.wait.callback(None)
        self.clock.advance(10)
        assert self.runs == 3
        assert service.stopService() is None
        assert self.clock.getDelayedCalls() == []

    def test_the_first_run_may_come_sooner(self) -> None:
        service = Periodic(self.clock.callLater, 1000, "the work", self.work, first=5)
        service.startService()
        self.clock.pump([5, 999])
        assert self.runs == 1
        self.clock.advance(1)
        assert self.runs == 2
        service.stopService()

    def test_stopping_waits_for_the_run_under_way(self) -> None:
        self.wait = Deferred()
        service = Periodic(self.clock.callLater, 10, "the work", self.work)
        service.startService()
        self.clock.advance(10)
        stopping = service.stopService()
        assert stopping is not None
        assert self.assertNoResult(stopping) is None
        self.wait.callback(None)
        assert self.successResultOf(stopping) is None
        assert self.clock.getDelayedCalls() == []

    def test_what_was_stopped_at_work_can_be_started_and_stopped_again(self) -> None:
        service = Periodic(self.clock.callLater, 10, "the work", self.work)
        assert service.stopService() is None
        for runs in (1, 2):
            self.wait = Deferred()
            service.startService()
            self.clock.advance(10)
            stopping = service.stopService()
            assert stopping is not None
            self.wait.callback(None)
            assert self.successResultOf(stopping) is None
            assert self.runs == runs
        assert self.clock.getDelayedCalls() == []

    def test_an_error_is_logged_and_the_next_run_comes(self) -> None:
        async def fails() -> Any:
            self.runs += 1
            raise LookupError("today")

        service = Periodic(self.clock.callLater, 10, "the work", fails)
        service.startService()
        self.clock.pump([10, 10])
        assert self.runs == 2
        assert len(self.flushLoggedErrors(LookupError)) == 2
        service.stopService()


class TestNumbers(StoreCase):
    def test_ids_grow_also_when_the_clock_goes_back_or_the_counter_is_used_up(self) -> None:
        now = [1000.0]
        ids = AcceptanceIds(lambda: now[0])
        given = [ids.new() for _ in range(70_000)]
        now[0] = 1.0
        given += [ids.new() for _ in range(10)]
        now[0] = 2000.0
        given.append(ids.new())
        assert sorted(set(given)) == given
        assert all(len(number) == 16 and number.isalnum() and number == number.upper() for number in given)

    def test_processes_give_different_ids_in_the_same_millisecond(self) -> None:
        given = {AcceptanceIds(lambda: 5.0).new() for _ in range(20)}
        assert len(given) >= 19

    async def test_a_uidvalidity_is_the_time_or_one_more_than_the_last(self) -> None:
        given = [
            await self.database.write(lambda cursor, now=now: new_uidvalidity(cursor, now))
            for now in (100, 100, 50, 200, 200)
        ]
        assert given == [100, 101, 102, 200, 201]
