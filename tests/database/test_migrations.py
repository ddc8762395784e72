"""A database file is brought to this release's schema, or left alone."""

from __future__ import annotations

import os
import shutil
import sys
import types
from pathlib import Path
from typing import Any

import apsw
import pytest
from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from worldmail.database import file as database_file
from worldmail.database import sqlite
from worldmail.database.file import APPLICATION_ID, DatabaseFile, require_engine
from worldmail.database.migrate import known_migrations, load, migrate
from worldmail.database.sqlite import SqliteDatabase
from worldmail.errors import ConfigurationError, SchemaTooNew, TemporaryFailure

SCHEMAS = Path(__file__).parent / "schemas"
NEWEST = max(known_migrations())


def connect(path: Path) -> apsw.Connection:
    return apsw.Connection(str(path))


def schema(connection: apsw.Connection) -> list[Any]:
    return connection.execute("SELECT type, name, sql FROM sqlite_schema ORDER BY name").fetchall()


@pytest.fixture
def second(monkeypatch: pytest.MonkeyPatch) -> dict[int, str]:
    """A later release's migrations: ours and one more."""
    module = types.ModuleType("later_migration")
    module.STATEMENTS = ["CREATE TABLE later (id {id})", "INSERT INTO later VALUES (1)"]  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "later_migration", module)
    return {**known_migrations(), NEWEST + 1: "later_migration"}


@pytest.fixture
def current(tmp_path: Path) -> Path:
    """A database of this release, with a row in it."""
    path = tmp_path / "store.sqlite"
    DatabaseFile(path=str(path)).prepare()
    connection = connect(path)
    migrate(connection, str(path))
    connection.execute("INSERT INTO fact (name, value) VALUES ('kept', 'mail')")
    connection.close()
    return path


class TestUnderARunningServer(TestCase):
    """A later release migrates the file that this one has open."""

    async def setUp(self) -> None:
        self.path = os.path.abspath(f"{self.mktemp()}/store.sqlite")
        self.database = SqliteDatabase(DatabaseFile(path=self.path), reactor)
        self.database.start()
        self.addCleanup(self.database.stop)
        await self.database.write(lambda cursor: cursor.run("INSERT INTO fact (name, value) VALUES ('a', 'b')"))

    def migrate(self) -> None:
        connection = connect(Path(self.path))
        connection.execute(f"ALTER TABLE fact ADD COLUMN later TEXT; PRAGMA user_version={NEWEST + 1}").fetchall()
        connection.close()

    async def test_nothing_is_written_into_it_before_that_is_noticed(self) -> None:
        self.patch(self.database, "_look_at_schema", lambda: None)
        self.migrate()
        for write in (self.database.write, self.database.write_long):
            with pytest.raises(TemporaryFailure) as caught:
                await write(lambda cursor: cursor.run("INSERT INTO fact (name, value) VALUES ('c', 'd')"))
            assert f"schema {NEWEST + 1}" in str(caught.value.reason)
        assert connect(Path(self.path)).execute("SELECT name FROM fact").fetchall() == [("a",)]

    async def test_it_is_given_up_soon_and_that_is_logged_once(self) -> None:
        self.migrate()
        told: list[str] = []
        self.patch(sqlite._log, "critical", lambda text, **fields: told.append(text.format(**fields)))
        while not told:
            await deferLater(reactor, 0.02)
        await deferLater(reactor, 0.25)
        (line,) = told
        assert f"schema {NEWEST + 1}" in line and self.path in line
        for verb in (self.database.read, self.database.scan, self.database.write):
            with pytest.raises(TemporaryFailure):
                await verb(lambda cursor: cursor.one("SELECT 1"))


def test_an_empty_file_gets_the_newest_schema_and_no_backup(current: Path) -> None:
    connection = connect(current)
    assert connection.pragma("user_version") == NEWEST
    assert connection.pragma("application_id") == APPLICATION_ID
    assert [found.name for found in current.parent.iterdir()] == [current.name]


def test_a_current_file_is_left_as_it_is(current: Path) -> None:
    before = current.read_bytes()
    assert migrate(connect(current), str(current)) == NEWEST
    assert current.read_bytes() == before


def test_an_older_file_is_backed_up_for_our_eyes_only_and_brought_up(current: Path, second: dict[int, str]) -> None:
    assert migrate(connect(current), str(current), second) == NEWEST + 1
    assert connect(current).execute("SELECT * FROM later").fetchall() == [(1,)]
    (backup,) = current.parent.glob("*.backup")
    assert backup.stat().st_mode & 0o777 == 0o600
    copy = connect(backup)
    assert copy.pragma("user_version") == NEWEST
    assert copy.execute("SELECT value FROM fact WHERE name = 'kept'").fetchall() == [("mail",)]


def test_a_migration_that_fails_leaves_the_schema_as_it_was(current: Path, second: dict[int, str]) -> None:
    sys.modules["later_migration"].STATEMENTS.append("NONSENSE")  # type: ignore[attr-defined]
    before = schema(connect(current))
    with pytest.raises(apsw.SQLError):
        migrate(connect(current), str(current), second)
    assert schema(connect(current)) == before
    assert connect(current).pragma("user_version") == NEWEST


def test_a_newer_file_is_refused_and_not_touched(current: Path) -> None:
    connection = connect(current)
    connection.pragma("user_version", NEWEST + 1)
    connection.close()
    before = current.read_bytes()
    with pytest.raises(SchemaTooNew, match=str(NEWEST + 1)):
        SqliteDatabase(DatabaseFile(path=str(current)), reactor).start()
    assert current.read_bytes() == before
    assert [found.name for found in current.parent.iterdir()] == [current.name]


def test_another_programs_database_is_refused_and_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "other.sqlite"
    connection = connect(path)
    connection.execute("CREATE TABLE theirs (x)")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(ConfigurationError, match="not a database of WorldMail"):
        SqliteDatabase(DatabaseFile(path=str(path)), reactor).start()
    assert path.read_bytes() == before


def test_a_file_that_is_no_database_is_refused_and_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "letter.txt"
    path.write_bytes(b"Dear database, " * 1000)
    before = path.read_bytes()
    with pytest.raises(ConfigurationError):
        SqliteDatabase(DatabaseFile(path=str(path)), reactor).start()
    assert path.read_bytes() == before


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="file/below"):
        SqliteDatabase(DatabaseFile(path=str(tmp_path / "file/below/store.sqlite")), reactor).start()


@pytest.mark.parametrize("version", ["3.40.1", "3.51.2", "3.7.17"])
def test_an_engine_that_can_corrupt_its_log_is_refused(version: str) -> None:
    with pytest.raises(ConfigurationError, match="3.51.3"):
        require_engine(version)


def test_this_engine_is_good_enough() -> None:
    assert require_engine() is None
    assert require_engine("3.51.3") is None
    assert database_file.OLDEST_ENGINE == (3, 51, 3)


@pytest.mark.parametrize("number", sorted(known_migrations()))
def test_a_database_of_every_released_schema_opens_with_its_rows(number: int, tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    shutil.copy(SCHEMAS / f"schema-{number:04d}.sqlite", path)
    os.chmod(path, 0o600)
    connection = connect(path)
    assert connection.pragma("user_version") == number
    assert migrate(connection, str(path)) == NEWEST
    rows = connection.execute(
        "SELECT mailbox.name, message.uid, message.prefix, content.inline FROM message"
        " JOIN mailbox ON mailbox.id = message.mailbox_id JOIN content ON content.id = message.content_id"
        " JOIN account ON account.id = mailbox.account_id WHERE account.address = 'user@example.test' ORDER BY uid"
    ).fetchall()
    assert [(name, uid) for name, uid, _, _ in rows] == [("INBOX", 1), ("INBOX", 3)]
    assert all(prefix.startswith(b"Return-Path: <") and inline.endswith(b"\r\n") for _, _, prefix, inline in rows)
    assert connection.pragma("integrity_check") == "ok"
    assert connection.execute("PRAGMA foreign_key_check").fetchall() == []


def test_the_kept_database_has_the_schema_that_its_migrations_make(tmp_path: Path) -> None:
    for number in known_migrations():
        fresh = connect(tmp_path / f"{number}.sqlite")
        migrate(fresh, str(tmp_path / f"{number}.sqlite"), {n: m for n, m in known_migrations().items() if n <= number})
        kept = tmp_path / f"kept-{number}.sqlite"
        shutil.copy(SCHEMAS / f"schema-{number:04d}.sqlite", kept)
        assert schema(connect(kept)) == schema(fresh), f"schema {number} is released: add a migration instead"


def test_migrations_are_loaded_in_the_order_of_their_numbers() -> None:
    assert [step.number for step in load(known_migrations(), 0)] == sorted(known_migrations())
    assert load(known_migrations(), NEWEST) == []


def test_a_new_database_is_on_disk_with_its_name_and_its_directorys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    monkeypatch.setattr(database_file, "sync_directory", synced.append)
    file = DatabaseFile(path=str(tmp_path / "data" / "store.sqlite"))
    file.prepare()
    assert synced == [str(tmp_path / "data"), str(tmp_path)]
    migrate(file.open_writer(), file.path)
    synced.clear()
    file.prepare()
    assert synced == []
