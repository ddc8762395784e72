"""Two servers on one PostgreSQL database: one site, whatever becomes of its parts."""

from __future__ import annotations

import poplib
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import frozen
from oracle.exchange import ACCOUNT, PASSWORD, delete_all, eventually, send, sign_in, subjects
from oracle.trial import prepare

from worldmail.testing.postgres import PostgresProcess
from worldmail.testing.process import ServerProcess, free_port_base


@frozen
class Site:
    """Its two nodes."""

    first: ServerProcess
    second: ServerProcess


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresProcess) -> Iterator[Site]:
    """A site with accounts, made once; each test leaves the mailbox empty."""
    place = tmp_path_factory.mktemp("nodes")
    url = postgres_server.url()
    first = ServerProcess(directory=place / "first", init_options=("--database", url), forked=True)
    second = ServerProcess(directory=place / "second", forked=True)
    try:
        prepare(first)
        first.configure({"database": {"busy_timeout": "1s"}})
        while abs(second.port_base - first.port_base) < 1000:
            second.port_base = free_port_base()
        shutil.copytree(first.directory, second.directory, ignore=shutil.ignore_patterns("content"))
        shared = first.directory / "content"
        shared.mkdir(mode=0o700, exist_ok=True)
        (second.directory / "content").symlink_to(shared)
        text = first.config.read_text()
        for port in (25, 465, 587, 110, 995, 143, 993, 366):
            text = text.replace(f":{first.port(port)}", f":{second.port(port)}")
        second.config.write_text(text)
        yield Site(first, second)
    finally:
        for node in (first, second):
            node.kill()


@pytest.fixture
def site(made: Site) -> Iterator[Site]:
    """Both nodes serve."""
    for node in (made.first, made.second):
        if not node.running():
            node.start()
    yield made
    assert eventually(lambda: delete_all(made.first) >= 0)
    print(made.first.tail(), made.second.tail())


def test_what_comes_in_at_one_node_goes_out_at_the_other(site: Site) -> None:
    assert send(site.first, "small") == 250
    assert send(site.second, "other") == 250
    # Whoever was told that a session is over finds the maildrop free, at whichever node.
    assert subjects(site.second) == ["small", "other"]
    assert subjects(site.first) == ["small", "other"]
    assert delete_all(site.second) == 2
    assert subjects(site.first) == []


def test_one_session_has_the_maildrop_over_both_nodes(site: Site) -> None:
    held = sign_in(site.first)
    with pytest.raises(poplib.error_proto, match="IN-USE"):
        sign_in(site.second)
    held.quit()
    for _ in range(10):
        assert sign_in(site.second).quit().startswith(b"+OK")
        assert sign_in(site.first).quit().startswith(b"+OK")


def test_a_maildrop_is_free_once_its_node_was_killed(site: Site) -> None:
    held = sign_in(site.first)
    site.first.kill()
    assert eventually(lambda: sign_in(site.second).quit().startswith(b"+OK"))
    held.close()
    site.first.start()


def test_a_change_made_by_a_command_is_known_to_both_nodes(site: Site) -> None:
    assert send(site.first, "x", account="alias@example.test") == 550
    assert send(site.second, "x", account="alias@example.test") == 550
    site.first.command("alias", "add", "alias@example.test", ACCOUNT)
    for node in (site.first, site.second):
        assert eventually(lambda node=node: send(node, "aliased", account="alias@example.test") == 250)
    site.second.command("alias", "remove", "alias@example.test")
    for node in (site.first, site.second):
        assert eventually(lambda node=node: send(node, "x", account="alias@example.test") == 550)


def test_a_message_is_found_by_a_command_on_any_node(site: Site) -> None:
    assert send(site.first, "traced") == 250
    assert "accepted" in site.second.command("trace", ACCOUNT)
    assert "wrong" not in site.second.command("check")


def test_while_the_database_is_away_nothing_is_acknowledged_and_it_goes_on_by_itself(
    site: Site, postgres_server: PostgresProcess
) -> None:
    assert send(site.first, "before") == 250
    held = sign_in(site.first)
    postgres_server.kill()
    try:
        for node in (site.first, site.second):
            assert send(node, "during") in (421, 451)
        with pytest.raises(poplib.error_proto, match="SYS/TEMP"):
            sign_in(site.second)
    finally:
        postgres_server.start()
    for node in (site.first, site.second):
        assert eventually(lambda node=node: send(node, "after") == 250)
    assert held.noop().startswith(b"+OK")
    held.quit()
    assert eventually(lambda: subjects(site.second) == ["before", "after", "after"])


def test_a_node_without_the_sites_key_does_not_start(site: Site, tmp_path: Path) -> None:
    stranger = ServerProcess(directory=tmp_path / "third", port_base=site.first.port_base)
    shutil.copytree(site.first.directory, stranger.directory)
    (stranger.directory / "server.key").unlink()
    site.first.stop()
    stranger.launch()
    assert eventually(lambda: "server key is not the one" in stranger.tail())
    assert eventually(lambda: not stranger.running())
    site.first.start()


def test_a_password_is_never_logged(site: Site) -> None:
    for node in (site.first, site.second):
        assert PASSWORD not in node.log.read_text()
        assert "of%20the%20tests" not in node.log.read_text()
