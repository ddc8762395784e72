"""The feed of committed changes, within a process and between processes."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time
from typing import Any

import apsw
from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from worldmail.database.changes import KEPT_CHANGES, PRUNED_AT_ONCE, prune_changes
from worldmail.database.file import DatabaseFile
from worldmail.database.sqlite import SqliteDatabase
from worldmail.interfaces.database import Notice

COMMAND = """
    import sys
    from twisted.internet.defer import Deferred
    from twisted.internet.task import react
    from worldmail.database.file import DatabaseFile
    from worldmail.database.sqlite import SqliteDatabase

    async def main(reactor):
        database = SqliteDatabase(DatabaseFile(path=sys.argv[1]), reactor)
        database.start()
        for name in sys.argv[2:]:
            def unit(cursor):
                cursor.run("INSERT INTO counter (name, value) VALUES (?, 1)", (name,))
                cursor.notice("account", int(name))
            await database.write(unit)
            print("done", flush=True)
        await database.stop()

    react(lambda reactor: Deferred.fromCoroutine(main(reactor)))
"""


def command(path: str, *keys: int) -> subprocess.CompletedProcess[str]:
    """Another process, as a command line is, that changes these accounts."""
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(COMMAND), path, *map(str, keys)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)},
    )


class TestChanges(TestCase):
    def setUp(self) -> None:
        self.path = os.path.abspath(f"{self.mktemp()}/store.sqlite")
        self.database = SqliteDatabase(DatabaseFile(path=self.path), reactor)
        self.database.start()
        self.told: list[Notice] = []
        self.database.changes.subscribe("account", self.told.append)

    def tearDown(self) -> Any:
        return self.database.stop()

    async def until(self, condition: Any) -> float:
        """Seconds until it holds."""
        started = time.monotonic()
        while not condition():
            assert time.monotonic() < started + 60
            await deferLater(reactor, 0.005)
        return time.monotonic() - started

    async def change(self, key: int) -> None:
        await self.database.write(lambda cursor: cursor.notice("account", key))

    async def test_a_command_works_on_the_file_of_a_running_server_and_the_server_hears_of_it(self) -> None:
        await deferToThread(command, self.path, 5, 6)
        await self.until(lambda: len(self.told) == 2)
        assert [(notice.topic, notice.key) for notice in self.told] == [("account", 5), ("account", 6)]
        assert len(await self.database.read(lambda cursor: cursor.all("SELECT * FROM counter"))) == 2

    async def test_a_commit_of_another_process_is_told_within_two_polls(self) -> None:
        other = apsw.Connection(self.path)
        turns = 0
        other.execute("INSERT INTO change (topic, key) VALUES ('account', 9)")
        while not self.told:
            self.database._poll()
            turns += 1
            assert turns < 3
        other.close()

    async def test_own_commits_are_told_after_those_of_others_before_them(self) -> None:
        other = apsw.Connection(self.path)
        await self.change(1)
        other.execute("INSERT INTO change (topic, key) VALUES ('account', 2)")
        await self.change(3)
        other.execute("INSERT INTO change (topic, key) VALUES ('account', 4)")
        await self.until(lambda: len(self.told) == 4)
        assert [notice.key for notice in self.told] == [1, 2, 3, 4]
        assert [notice.number for notice in self.told] == [1, 2, 3, 4]
        other.close()

    async def test_a_feed_that_was_pruned_tells_every_subscriber_that_anything_may_have_changed(self) -> None:
        of_one_key: list[Notice] = []
        self.database.changes.subscribe("account", of_one_key.append, key=77)
        other = apsw.Connection(self.path)
        with other:
            for key in range(1, 6):
                other.execute("INSERT INTO change (topic, key) VALUES ('account', ?)", (key,))
            other.execute("DELETE FROM change WHERE number < 3")
        await self.until(lambda: self.told)
        assert [notice.key for notice in self.told] == [0]
        assert [notice.key for notice in of_one_key] == [0]
        await self.change(8)
        assert [notice.key for notice in self.told] == [0, 8]
        other.close()

    async def test_a_backlog_beyond_the_limit_is_told_as_one(self) -> None:
        other = apsw.Connection(self.path)
        with other:
            other.executemany(
                "INSERT INTO change (topic, key) VALUES ('account', ?)", [(key,) for key in range(1, 2000)]
            )
        await self.until(lambda: self.told)
        assert [notice.key for notice in self.told] == [0]
        other.close()

    async def test_a_database_put_back_from_a_backup_is_a_lost_feed(self) -> None:
        for key in (1, 2, 3):
            await self.change(key)
        other = apsw.Connection(self.path)
        other.execute("DELETE FROM change WHERE number > 1")
        other.close()
        await self.until(lambda: len(self.told) == 4)
        assert self.told[-1].key == 0
        await self.change(4)
        assert self.told[-1].key == 4

    async def test_what_was_committed_before_the_start_is_not_told(self) -> None:
        await self.change(1)
        await self.database.stop()
        self.told.clear()
        self.database = SqliteDatabase(DatabaseFile(path=self.path), reactor)
        self.database.start()
        self.database.changes.subscribe("account", self.told.append)
        await self.change(2)
        assert [notice.key for notice in self.told] == [2]

    async def test_pruning_keeps_the_newest_changes_and_never_goes_back_in_numbers(self) -> None:
        total = KEPT_CHANGES + 3 * PRUNED_AT_ONCE

        def fill(cursor: Any) -> None:
            cursor.run_many("INSERT INTO change (topic, key) VALUES ('x', ?)", ((key,) for key in range(total)))

        await self.database.write_long(fill)
        removed = []
        while count := await self.database.write(prune_changes):
            removed.append(count)
        assert sum(removed) == 3 * PRUNED_AT_ONCE - 1
        assert max(removed) <= PRUNED_AT_ONCE
        self.database.changes.poll()
        self.told.clear()
        await self.change(1)
        assert self.told[-1].number == total + 1
