"""The database is locked by another process, or gone: 451 on the wire, and recovery by itself."""

from __future__ import annotations

import os
from pathlib import Path

import apsw
import pytest
from oracle.exchange import eventually, send, subjects
from oracle.fixtures import MakeServer
from oracle.store_check import contradictions, find_database

from worldmail.testing.process import ServerProcess


@pytest.fixture
def server(make_server: MakeServer) -> ServerProcess:
    made = make_server()
    made.configure({"database": {"busy_timeout": "1s"}})
    made.start()
    return made


def locked(server: ServerProcess) -> apsw.Connection:
    """Another process's transaction: ROLLBACK ends it."""
    connection = apsw.Connection(str(find_database(server.directory)))
    connection.set_busy_timeout(5000)
    connection.execute("BEGIN IMMEDIATE")
    return connection


def test_a_lock_that_stays_is_a_temporary_failure(server: ServerProcess) -> None:
    other = locked(server)
    assert send(server, "locked") == 451
    other.execute("ROLLBACK")
    other.close()
    assert send(server, "free") == 250
    assert subjects(server) == ["free"]


def test_mail_is_read_while_another_process_writes(server: ServerProcess) -> None:
    assert send(server, "there") == 250
    assert subjects(server) == ["there"]
    other = locked(server)
    assert subjects(server) == ["there"]
    other.execute("ROLLBACK")
    other.close()


def test_a_database_that_is_moved_away_fails_for_the_time_being(server: ServerProcess, tmp_path: Path) -> None:
    assert send(server, "before") == 250
    database = find_database(server.directory)
    names = [path.name for path in database.parent.glob(database.name + "*")]
    for name in names:
        os.rename(database.parent / name, tmp_path / name)
    assert send(server, "during") in (421, 451)
    for name in names:
        os.rename(tmp_path / name, database.parent / name)
    assert eventually(lambda: send(server, "after") == 250)
    assert subjects(server) == ["before", "after"]
    server.stop()
    assert list(contradictions(server.directory)) == []
