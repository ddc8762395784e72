"""PostgreSQL: servers that answer no more although their machine does, and commits that are not what they seem."""

from __future__ import annotations

import os
import signal
import time
from functools import partial
from typing import Any
from unittest.mock import patch

import psycopg
import pytest
from twisted.internet import reactor
from twisted.internet.defer import Deferred, ensureDeferred, succeed
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from worldmail.database.postgres import database as database_module
from worldmail.database.postgres import server as server_module
from worldmail.database.postgres.lane import Lane
from worldmail.errors import ConfigurationError, TemporaryFailure
from worldmail.interfaces.database import Cursor
from worldmail.testing.postgres import PostgresProcess


def put(cursor: Cursor, name: str = "a") -> str:
    cursor.run("INSERT INTO counter (name, value) VALUES (?, 1)", (name,))
    return "done"


def count(cursor: Cursor) -> int:
    return len(cursor.all("SELECT name FROM counter"))


async def _await(awaitable: Any) -> Any:
    return await awaitable


@pytest.mark.usefixtures("postgres")
class TestAServerThatStandsStill(TestCase):
    postgres: PostgresProcess

    def signalled(self, number: int) -> None:
        assert self.postgres.process is not None
        for process in (self.postgres.process.pid, *self.postgres.backends()):
            os.kill(process, number)

    async def test_it_holds_neither_units_nor_locks_nor_the_stop(self) -> None:
        url = self.postgres.url()
        with patch.object(server_module, "LONGEST", 1.0), patch.object(database_module, "LONGEST", 1.0):
            database = self.postgres.database(reactor, f"{url}&connect_timeout=2", lock_timeout=0.2, patience=0.1)
            database.start()
            await database.write(put)
            lock = await database.locks.lock(7)
            self.signalled(signal.SIGSTOP)
            try:
                waiting: list[Deferred[Any]] = [ensureDeferred(_await(database.read(count))) for _ in range(20)]
                for each in waiting:
                    with pytest.raises(TemporaryFailure):
                        await each
                while lock.held():
                    await deferLater(reactor, 0.02, lambda: None)
                await database.stop()
            finally:
                self.signalled(signal.SIGCONT)
        again = self.postgres.database(reactor, url)
        again.start()
        assert await again.read(count) == 1
        await again.stop()


@pytest.mark.usefixtures("postgres")
class TestAStandbyThatIsGone(TestCase):
    postgres: PostgresProcess

    async def test_a_commit_whose_wait_for_it_was_given_up_is_not_acknowledged(self) -> None:
        url = self.postgres.url()
        database = self.postgres.database(reactor, f"{url}&client_encoding=utf8")
        database.start()
        self.postgres.rows(url, "ALTER SYSTEM SET synchronous_standby_names = 'gone'")
        self.postgres.rows(url, "SELECT pg_reload_conf()")
        try:
            wait = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
            tried, writing = 0, succeed(None)
            while not self.postgres.rows(url, wait):
                if writing.called:  # it went through: the server has not taken up yet what it was told
                    await writing
                    tried += 1
                    writing = ensureDeferred(_await(database.write(partial(put, name=f"a{tried}"))))
                await deferLater(reactor, 0.02, lambda: None)
            with pytest.raises(TemporaryFailure) as caught:
                await writing
            assert "standby" in str(caught.value.reason) or "replication" in str(caught.value.reason)
        finally:
            self.postgres.rows(url, "ALTER SYSTEM RESET synchronous_standby_names")
            self.postgres.rows(url, "SELECT pg_reload_conf()")
        assert await database.read(count) == tried
        await database.stop()


class _Away:
    """A server that cannot be reached, found out slowly."""

    def __init__(self) -> None:
        self.asked = 0

    def connect(self, purpose: str) -> Any:
        self.asked += 1
        time.sleep(1)
        raise psycopg.OperationalError("away")


def test_units_that_wait_behind_one_that_could_not_connect_do_not_each_try_it() -> None:
    server: Any = _Away()
    lane = Lane(server=server, schema=1, patience=0.0)
    for _ in range(3):
        with pytest.raises(TemporaryFailure):
            lane.read(count)
    assert server.asked == 1


@pytest.mark.parametrize("password", ["q7z/x", "q7z#x", "q7z?x", "x@q7z", "12/q7z", "x:y@q7z", "q7z x", "%zzq7z"])
def test_a_password_that_was_not_escaped_is_not_told(password: str) -> None:
    url = f"postgresql://worldmail:{password}@db.example.test/mail?connect_timeout=2"
    server = server_module.PostgresServer(url=url, password_file=None, lock_timeout=1)
    with pytest.raises(ConfigurationError) as caught:
        server.first_connection("unit")
    assert caught.value.__suppress_context__
    assert "q7z" not in str(caught.value)
