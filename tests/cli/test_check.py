"""`worldmail check` says what is wrong, and changes nothing."""

from __future__ import annotations

import shutil
from pathlib import Path

import apsw
import pytest

from tests.cli.conftest import Commands
from worldmail.app import privileges
from worldmail.app.checks import Finding
from worldmail.app.ground import read_configuration
from worldmail.auth.server_key import FILE_NAME
from worldmail.cli import check
from worldmail.database import look
from worldmail.database.migrate import known_migrations
from worldmail.testing.process import ServerProcess

NEWEST = max(known_migrations())


def everything(directory: Path) -> dict[str, tuple[bytes, int]]:
    """All files, with their content and the time of their last change."""
    files = (path for path in directory.rglob("*") if path.is_file())
    return {str(path): (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


def said(worldmail: Commands) -> list[str]:
    """What it found, without what depends on who runs the tests."""
    found = worldmail("check", "--json").json
    return [one["text"] for one in found if privileges.ROOT_WARNING not in one["text"]]


def store(site: ServerProcess) -> Path:
    return site.directory / "worldmail.sqlite"


def test_it_changes_nothing_in_a_site_that_is_not_running(site: ServerProcess, worldmail: Commands) -> None:
    before = everything(site.directory)
    assert said(worldmail) == []
    assert everything(site.directory) == before


def test_it_changes_nothing_after_a_crash_and_sees_what_is_in_the_log(
    site: ServerProcess, worldmail: Commands, tmp_path: Path
) -> None:
    connection = apsw.Connection(str(store(site)))
    connection.pragma("wal_autocheckpoint", 0)
    connection.execute("DELETE FROM scram_key; DELETE FROM account")
    crashed = tmp_path / "crashed"
    shutil.copytree(site.directory, crashed)
    connection.close()
    shutil.rmtree(site.directory)
    crashed.rename(site.directory)
    before = everything(site.directory)
    assert ["no postmaster" in text for text in said(worldmail)] == [True]
    after = everything(site.directory)
    shared_memory = f"{store(site)}-shm"  # rebuilt from the log by whoever looks first
    assert {**after, shared_memory: b""} == {**before, shared_memory: b""}


def test_it_sees_what_is_in_the_log_of_a_store_behind_a_symbolic_link(
    site: ServerProcess, worldmail: Commands, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "another disk.sqlite"
    store(site).rename(elsewhere)
    store(site).symlink_to(elsewhere)
    connection = apsw.Connection(str(store(site)))
    connection.pragma("wal_autocheckpoint", 0)
    connection.execute("DELETE FROM scram_key; DELETE FROM account")
    assert ["no postmaster" in text for text in said(worldmail)] == [True]
    connection.close()


def test_it_warns_of_aliases_that_lead_to_what_does_not_exist(site: ServerProcess, worldmail: Commands) -> None:
    names = [f"n{number}@example.test" for number in range(7)]
    worldmail.ok("alias", "add", "list@example.test", "postmaster@example.test", *names)
    worldmail.ok("alias", "add", "info@example.test", "list@example.test", "a@elsewhere.test")
    (warning,) = said(worldmail)
    assert warning.endswith(f"the alias list@example.test leads to what does not exist: {', '.join(names[:5])}, ...")
    worldmail.ok("alias", "add", "*@example.test", "postmaster@example.test")
    assert said(worldmail) == []


def test_it_tells_of_a_schema_to_be_migrated_and_leaves_that_to_the_next_start(
    site: ServerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(look, "known_migrations", lambda: {**known_migrations(), NEWEST + 1: "a later release's"})
    before = everything(site.directory)
    (found,) = check._check_store(read_configuration(site.config), Finding)
    numbers = f"has schema {NEWEST}, this program knows {NEWEST + 1}"
    assert found.text == f"{store(site)} {numbers}: the next start migrates it, after a backup"
    assert not found.serious
    assert everything(site.directory) == before


@pytest.mark.parametrize("octets", [b"", b"Dear database, " * 1000], ids=["an empty file", "no database"])
def test_it_leaves_what_is_no_database_alone(site: ServerProcess, worldmail: Commands, octets: bytes) -> None:
    store(site).write_bytes(octets)
    before = everything(site.directory)
    assert said(worldmail)
    assert everything(site.directory) == before


def test_a_foreign_server_key_is_found(site: ServerProcess, worldmail: Commands) -> None:
    (site.directory / FILE_NAME).write_text(f"worldmail-server-key-1 {'0' * 64}\n")
    assert ["the server key is not the one" in text for text in said(worldmail)] == [True]


def test_a_data_directory_that_is_a_file_is_told_by_line(site: ServerProcess, worldmail: Commands) -> None:
    text = site.config.read_text().replace('#data = "."', 'data = "worldmail.toml"')
    site.config.write_text(text)
    line = text[: text.index("\ndata =")].count("\n") + 2
    assert f"{site.config}:{line}: {site.config}: the data directory: this is none" in said(worldmail)
