"""What a server must know before it serves: mail of the first moment takes the way that its routes say."""

from __future__ import annotations

import poplib
import smtplib
import socket
import sys
from pathlib import Path

import pytest

from tests.app.conftest import POP3, records, until, wait_for
from tests.cli.conftest import Commands
from worldmail.testing.process import ServerProcess

SMTP = 25
PASSWORD = "correct horse"

# twistd, in a process where routes cannot be read before a file is there: they keep the reader waiting, or fail.
_LATE = """
import os, sys
from twisted.internet import reactor, task
from worldmail.errors import TemporaryFailure
from worldmail.queue.current_routes import CurrentRoutes

start = CurrentRoutes.start

async def start_late(self):
    while not os.path.exists({gate!r}):
        if {fails}:
            raise TemporaryFailure(reason="of the test")
        await task.deferLater(reactor, 0.05, lambda: None)
    await start(self)

CurrentRoutes.start = start_late
sys.argv[0] = "twistd"
from twisted.scripts.twistd import run
run()
"""


@pytest.fixture
def gate(place: Path) -> Path:
    """The file that must be there."""
    return place / "gate"


@pytest.fixture
def late(server: ServerProcess, gate: Path) -> ServerProcess:
    """A server whose routes cannot be read before the gate is open, with a hold for shop.test."""
    command = Commands(server.config)
    command.ok("user", "add", "ann@example.test", "--password-stdin", stdin=PASSWORD + "\n")
    command.ok("user", "add", "shop@example.test", "--password-stdin", stdin=PASSWORD + "\n")
    command.ok("hold", "add", "shop", "domains=shop.test", "accounts=shop@example.test")
    command.ok("domain", "add", "shop.test", "--kind", "relay")
    server.forked = False
    return server


def launch(server: ServerProcess, gate: Path, *, fails: bool) -> None:
    server.program = (sys.executable, "-c", _LATE.format(gate=str(gate), fails=fails))
    server.launch()
    wait_for(server, "server.started")


def send(client: smtplib.SMTP) -> tuple[int, bytes]:
    client.ehlo("a.test")
    client.mail("a@a.test")
    reply = client.rcpt("postmaster@shop.test")
    if reply[0] == 250:
        reply = client.data(b"Subject: first\r\n\r\ntext\r\n")
    client.quit()
    return reply


def held(server: ServerProcess) -> list[str]:
    return [row["destination"] for row in Commands(server.config).ok("queue", "list", "--json").json]


def test_who_connects_before_the_routes_are_read_waits(late: ServerProcess, gate: Path) -> None:
    launch(late, gate, fails=False)
    with socket.create_connection(("127.0.0.1", late.port(SMTP)), timeout=30) as early:
        early.settimeout(1.0)
        with pytest.raises(TimeoutError):
            early.recv(1)
        gate.touch()
        early.settimeout(30.0)
        assert early.recv(4) == b"220 "
    with smtplib.SMTP("127.0.0.1", late.port(SMTP), timeout=30) as client:
        assert send(client)[0] == 250
    assert held(late) == ["hold shop shop.test"]


def test_where_routes_cannot_be_read_mailboxes_are_served_and_mail_is_put_off(late: ServerProcess, gate: Path) -> None:
    launch(late, gate, fails=True)
    with smtplib.SMTP("127.0.0.1", late.port(SMTP), timeout=30) as client:
        assert send(client)[0] == 451
    reader = poplib.POP3("127.0.0.1", late.port(POP3), timeout=30)
    reader.stls()
    reader.user("ann@example.test")
    reader.pass_(PASSWORD)
    reader.quit()
    wait_for(late, "queue.no-routes")
    gate.touch()

    def is_taken() -> bool:
        with smtplib.SMTP("127.0.0.1", late.port(SMTP), timeout=30) as client:
            return send(client)[0] == 250

    until(is_taken)
    assert held(late) == ["hold shop shop.test"]


def test_a_server_that_waits_for_its_routes_can_be_stopped(late: ServerProcess, gate: Path) -> None:
    late.configure({"server": {"shutdown_timeout": 1}})
    launch(late, gate, fails=False)
    late.stop(30.0)
    stopped = [record["event"] for record in records(late) if record["event"] != "log"]
    assert stopped[-1] == "server.stopped" and "server.fault" not in stopped
