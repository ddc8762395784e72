"""Commands on a site whose database is a PostgreSQL server's."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Commands
from worldmail.testing.postgres import PASSWORD, PostgresProcess

IN_URL = PASSWORD.replace(" ", "%20")


@pytest.fixture
def made(tmp_path: Path, postgres: PostgresProcess) -> Commands:
    """A site made with the password in a file."""
    secret = tmp_path / "password"
    secret.write_text(PASSWORD + "\n")
    secret.chmod(0o600)
    url = postgres.url().replace(f":{IN_URL}@", "@")
    options = ("--database", url, "--database-password-file", str(secret))
    Commands(None).ok("init", str(tmp_path / "data"), "--domain", "example.test", *options)
    return Commands(tmp_path / "data" / "worldmail.toml")


def test_a_site_is_made_and_looked_after_as_any_other(made: Commands) -> None:
    assert made.config is not None
    assert IN_URL not in made.config.read_text()
    assert not (made.config.parent / "worldmail.sqlite").exists()
    made.ok("user", "add", "bob@example.test", "--password-stdin", stdin="secret\n")
    assert "bob@example.test" in made.ok("user", "list").out
    made.ok("user", "set", "bob@example.test", "quota=10MiB")
    made.ok("alias", "add", "b@example.test", "bob@example.test")
    assert "b@example.test" in made.ok("alias", "list").out
    made.ok("user", "remove", "bob@example.test")
    assert "bob@example.test" not in made.ok("user", "list").out
    assert "[database]" not in made("check").out


def test_the_queue_is_looked_at_and_steered(made: Commands) -> None:
    made.ok("queue", "list")
    made.ok("queue", "destinations")
    for command in ("retry", "hold", "release"):
        made.ok("queue", command, "--all")


def test_check_names_the_line_of_a_database_that_cannot_be_used_and_no_password(made: Commands) -> None:
    assert made.config is not None
    text = made.config.read_text()
    made.config.write_text(text.replace("@127.0.0.1:", ":hidden@127.0.0.1:1"))
    line = next(number for number, line in enumerate(text.splitlines(), 1) if line.startswith("url = "))
    answer = made("check")
    assert answer.status == 1
    assert f"{made.config}:{line}: [database] the PostgreSQL server cannot be used" in answer.out
    assert "hidden" not in answer.out + answer.err


def test_check_warns_of_a_password_that_others_may_read(made: Commands, tmp_path: Path) -> None:
    (tmp_path / "password").chmod(0o644)
    assert "others may read the password of the database (mode 0644, expected 0600)" in made("check").out


def test_check_makes_nothing_in_a_database_that_is_empty(made: Commands, postgres: PostgresProcess) -> None:
    assert made.config is not None
    url = postgres.url()
    text = made.config.read_text()
    schema = text.partition("csearch_path%3D")[2].partition('"')[0]
    made.config.write_text(text.replace(f"%3D{schema}", f"%3D{url.partition('%3D')[2]}"))
    assert "the database is empty" in made("check").out
    assert postgres.rows(url, "SELECT 1 FROM pg_tables WHERE schemaname = current_schema()") == []


def test_a_site_with_a_wrong_password_is_not_made_and_the_password_not_shown(
    tmp_path: Path, postgres: PostgresProcess
) -> None:
    url = postgres.url().replace(IN_URL, "hidden")
    line = Commands(None).refused("init", str(tmp_path / "data"), "--domain", "example.test", "--database", url)
    assert "password authentication failed" in line
    assert "hidden" not in line
    assert not (tmp_path / "data" / "worldmail.toml").exists()


def test_a_password_file_without_a_database_is_refused(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text(PASSWORD)
    options = ("--domain", "example.test", "--database-password-file", str(secret))
    assert "--database" in Commands(None).refused("init", str(tmp_path / "data"), *options)
