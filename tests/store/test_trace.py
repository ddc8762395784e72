"""What a key finds: the latest messages, each with the reports on it."""

from __future__ import annotations

import json

from twisted.trial.unittest import TestCase

from worldmail.database.immediate import ImmediateDatabase
from worldmail.store import trace
from worldmail.store.trace import Traces, file_batch

NOW = 1_700_000_000


class TestFinding(TestCase):
    def setUp(self) -> None:
        self.database = ImmediateDatabase()
        self.database.start()
        self.traces = Traces(self.database)

    async def file(self) -> None:
        await self.database.write(lambda cursor: file_batch(cursor, 100))

    async def record(self, number: int, key: str = "a@x.test") -> None:
        await self.database.write(
            lambda cursor: self.traces.record(cursor, f"ID{number:06d}", NOW, "accepted", [key, f"<{number}@y>"], "{}")
        )

    async def report(self, number: int, about: int, to: str = "a@x.test") -> None:
        id_, subject = f"ID{number:06d}", f"ID{about:06d}"
        detail = json.dumps({"about": subject})
        await self.database.write(
            lambda cursor: self.traces.record(cursor, id_, NOW, "accepted", [to, f"<{number}@y>", subject], detail)
        )

    async def test_reports_count_with_the_message_that_they_are_on_if_that_is_found_too(self) -> None:
        for number in (1, 2, 3):
            await self.record(number)
        for number in range(4, 10):
            await self.report(number, 1)
            if number == 6:
                await self.file()
        reports = [f"ID{number:06d}" for number in range(4, 10)]
        for most, messages in ((1, [1]), (2, [1, 3]), (3, [1, 2, 3])):
            found = await self.traces.find("a@x.test", most)
            assert [record.acceptance for record in found] == [f"ID{number:06d}" for number in messages] + reports

    async def test_a_report_on_what_is_not_found_is_a_message_like_others(self) -> None:
        await self.record(1, key="b@x.test")
        for number in (2, 3):
            await self.report(number, number - 1)
        await self.report(4, 999)
        found = await self.traces.find("a@x.test", 1)
        assert [record.acceptance for record in found] == ["ID000004"]
        found = await self.traces.find("a@x.test", 2)
        assert [record.acceptance for record in found] == ["ID000002", "ID000003", "ID000004"]
        assert [record.acceptance for record in await self.traces.find("ID000002", 1)] == ["ID000002", "ID000003"]

    async def test_more_than_is_looked_at_in_one_statement_is_found(self) -> None:
        self.addCleanup(setattr, trace, "PAGE", trace.PAGE)
        trace.PAGE = 2
        for number in range(7):
            await self.record(number)
        await self.file()
        await self.record(7)
        found = await self.traces.find("a@x.test", 6)
        assert [record.acceptance for record in found] == [f"ID{number:06d}" for number in range(2, 8)]
        assert len(await self.traces.find("a@x.test")) == 8
