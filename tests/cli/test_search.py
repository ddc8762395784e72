"""`worldmail search`, and the server that fills the index."""

from __future__ import annotations

import smtplib
import time

from tests.cli.conftest import Commands
from worldmail.testing.process import ServerProcess

PATIENCE = 60.0


def send(site: ServerProcess, number: int) -> None:
    with smtplib.SMTP("127.0.0.1", site.port(25), timeout=60) as client:
        for _ in range(number):
            client.sendmail("a@elsewhere.test", ["postmaster@example.test"], b"Subject: x\r\n\r\ntext\r\n")


def wait_until_filled(worldmail: Commands) -> None:
    deadline = time.monotonic() + PATIENCE
    while worldmail.ok("search", "status", "--json").json != {"waiting": 0}:
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_a_command_fills_the_index_while_no_server_runs(site: ServerProcess, worldmail: Commands) -> None:
    assert worldmail.ok("search", "status", "--json").json == {"waiting": 0}
    site.start()
    send(site, 3)
    site.stop()
    assert worldmail.ok("search", "rebuild").out == "thrown away\n"
    assert worldmail.ok("search", "status", "--json").json == {"waiting": 3}
    assert worldmail.ok("search", "rebuild", "--fill").out == "thrown away; 3 messages indexed\n"
    assert worldmail.ok("search", "status", "--json").json == {"waiting": 0}


def test_a_server_fills_the_index_also_when_it_is_removed_meanwhile(site: ServerProcess, worldmail: Commands) -> None:
    site.start()
    send(site, 3)
    wait_until_filled(worldmail)
    (site.directory / "derived.sqlite").unlink()
    send(site, 1)
    wait_until_filled(worldmail)
    assert worldmail.ok("search", "rebuild", "--fill", "--json").json == {"indexed": 0}, "the server does it"
    wait_until_filled(worldmail)
    site.stop()
    assert worldmail.ok("search", "status", "--json").json == {"waiting": 0}
