"""A relay domain in a running server: its recipients from a file that somebody else writes."""

from __future__ import annotations

import os
import smtplib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.app.conftest import records, until
from tests.app.test_reloading import hang_up
from tests.cli.conftest import Commands
from worldmail.testing.process import ServerProcess

SMTP = 25


@pytest.fixture
def inner(place: Path) -> Iterator[ServerProcess]:
    """The server that has the mailboxes of branch.test: its postmaster's."""
    made = ServerProcess(directory=place / "inner", domain="branch.test", forked=True)
    made.initialise()
    made.start()
    yield made
    made.stop()


@pytest.fixture
def file(place: Path) -> Path:
    return place / "recipients"


@pytest.fixture
def running(server: ServerProcess, file: Path) -> Iterator[ServerProcess]:
    """A server that relays for branch.test, whose recipients stand in a file."""
    command = Commands(server.config)
    for name in ("branch.test", "open.test"):
        command.ok("domain", "add", name, "--kind", "relay")
    write(file, "bob\n")
    head, _, rest = server.config.read_text().partition("#recipient_files = {}")
    server.config.write_text(f'{head}recipient_files = {{ "branch.test" = "{file}" }}\nrecheck = 0{rest}')
    server.start()
    yield server
    server.stop()


def write(file: Path, text: str) -> None:
    """Put a file in its place, as one that was written a minute ago."""
    draft = file.with_suffix(".new")
    draft.write_text(text)
    os.utime(draft, (0, time.time() - 60))
    draft.replace(file)


def replies(server: ServerProcess, *names: str) -> list[int]:
    """What RCPT says to a stranger."""
    with smtplib.SMTP("127.0.0.1", server.port(SMTP), timeout=60) as client:
        client.ehlo("a.test")
        client.mail("a@a.test")
        return [client.rcpt(name)[0] for name in names]


BOB, EVE, OPEN, FAR = "bob@branch.test", "eve@branch.test", "any@open.test", "x@far.example"


def test_a_file_is_followed_and_a_broken_one_changes_nothing(running: ServerProcess, file: Path) -> None:
    assert replies(running, BOB, EVE, "postmaster@branch.test", OPEN, FAR) == [250, 550, 250, 250, 550]
    write(file, "eve\n")
    assert replies(running, BOB, EVE) == [550, 250]
    for text in ("", "bob\nb c\n"):
        write(file, text)
        assert replies(running, BOB, EVE) == [550, 250]
    file.unlink()
    assert replies(running, BOB, EVE) == [550, 250]
    told = until(lambda: [one for one in records(running) if one["event"].startswith("relay.recipients")][4:])
    assert told[0]["event"] == "relay.recipients-unusable" and told[0]["reason"] == "No such file or directory"


def test_lists_of_the_database_are_followed_too(running: ServerProcess) -> None:
    Commands(running.config).ok("recipient", "add", "carol@branch.test", "carol@open.test")
    until(lambda: replies(running, OPEN) == [550])
    assert replies(running, BOB, EVE, "carol@branch.test", "carol@open.test") == [250, 550, 250, 250]


def test_SIGHUP_takes_up_another_file_and_without_a_list_nobody_is_refused_for_good(
    running: ServerProcess, file: Path
) -> None:
    assert replies(running, BOB) == [250]
    text = running.config.read_text()
    running.config.write_text(text.replace(f'"{file}"', f'"{file}-other"'))
    assert hang_up(running, "server.reloaded")["changed"] == ["relay.recipient_files"]
    assert replies(running, BOB, EVE, "postmaster@branch.test") == [451, 451, 250]
    write(Path(f"{file}-other"), "eve@branch.test\n")
    assert replies(running, BOB, EVE) == [550, 250]
    running.config.write_text(text)
    hang_up(running, "server.reloaded", 2)
    assert replies(running, BOB, EVE) == [250, 550]


def test_a_gateway_hands_mail_on_to_the_server_behind_it(running: ServerProcess, inner: ServerProcess) -> None:
    there = ("via=host", "host=127.0.0.1", f"port={inner.port(SMTP)}")
    running.stop()  # a server knows at its start what another process changed, and else some moments later
    Commands(running.config).ok("route", "add", "branch", "domain=branch.test", *there)
    running.start()
    with smtplib.SMTP("127.0.0.1", running.port(SMTP), timeout=60) as client:
        client.sendmail("a@a.test", ["abuse@branch.test"], "Subject: Behind the gateway\r\n\r\nHello.\r\n")
    delivered = until(lambda: [one for one in records(inner) if one["event"] == "delivered"])
    assert delivered[0]["account"] == "postmaster@branch.test"
