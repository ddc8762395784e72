"""Replies by class, in all and by destination, kept in the store."""

from __future__ import annotations

from twisted.trial.unittest import TestCase

from worldmail.database.immediate import ImmediateDatabase
from worldmail.interfaces.database import Cursor
from worldmail.queue.tally import AT_ONCE, KEPT, Tally, add_counts, read_counts, read_destinations


def read(cursor: Cursor) -> tuple[dict[str, int], dict[str, dict[str, int]]]:
    return read_counts(cursor), read_destinations(cursor)


class TestTally(TestCase):
    def setUp(self) -> None:
        self.database = ImmediateDatabase()
        self.database.start()
        self.addCleanup(self.database.stop)

    async def write(self, *counted: tuple[str, str, int]) -> None:
        """Count and keep: class, destination, how often."""
        tally = Tally()
        for reply_class, destination, times in counted:
            for _ in range(times):
                tally.count(reply_class, destination)
        taken = tally.take()
        assert not tally.take()
        await self.database.write_long(lambda cursor: add_counts(cursor, taken))

    async def test_counts_add_up_in_all_and_by_destination(self) -> None:
        await self.write(("2", "mx a.test", 3), ("x", "mx a.test", 1))
        await self.write(("2", "mx a.test", 1), ("5", "host isp", 2))
        totals, destinations = await self.database.read(read)
        assert totals == {"2": 4, "5": 2, "x": 1}
        assert destinations == {"mx a.test": {"2": 4, "x": 1}, "host isp": {"5": 2}}

    async def test_one_write_adds_to_the_busiest_destinations_alone_and_all_misses_nothing(self) -> None:
        many = [("4", f"mx {number}.test", 1) for number in range(AT_ONCE)]
        await self.write(*many, ("2", "mx busy.test", 2))
        totals, destinations = await self.database.read(read)
        assert totals == {"2": 2, "4": AT_ONCE}
        assert len(destinations) == AT_ONCE and destinations["mx busy.test"] == {"2": 2}

    async def test_of_too_many_destinations_the_least_busy_are_forgotten(self) -> None:
        for first in range(0, KEPT, AT_ONCE):
            await self.write(*[("2", f"mx {first + number}.test", 2) for number in range(AT_ONCE)])
        await self.write(("4", "mx 0.test", 1), ("2", "mx once.test", 1), ("2", "mx much.test", 9))
        totals, destinations = await self.database.read(read)
        assert len(destinations) == KEPT and totals["2"] == 2 * KEPT + 10
        assert "mx once.test" not in destinations and destinations["mx much.test"] == {"2": 9}
        assert destinations["mx 0.test"] == {"2": 2, "4": 1}
