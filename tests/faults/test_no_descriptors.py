"""No descriptors left: connections wait or are refused, those that are there go on, and all is well after."""

from __future__ import annotations

import os
import shutil
import smtplib
import socket
import time
from pathlib import Path

import pytest
from oracle.exchange import eventually, send, subjects
from oracle.fixtures import MakeServer
from oracle.trial import ACCOUNTS

from worldmail.testing.process import TWISTD, ServerProcess

LIMIT = 64

pytestmark = pytest.mark.skipif(shutil.which("prlimit") is None, reason="needs prlimit")


@pytest.fixture
def server(make_server: MakeServer) -> ServerProcess:
    made = make_server(("prlimit", f"--nofile={LIMIT}", *TWISTD))
    made.start()
    return made


def open_all(server: ServerProcess) -> list[socket.socket]:
    """Connections until the server has no descriptor left; some wait in the kernel's queue."""
    return [socket.create_connection(("127.0.0.1", server.port(25))) for _ in range(LIMIT + 20)]


def processor_seconds(server: ServerProcess) -> float:
    fields = Path(f"/proc/{server.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_a_session_that_is_there_goes_on_and_small_mail_is_taken(server: ServerProcess) -> None:
    with smtplib.SMTP("127.0.0.1", server.port(25), timeout=60) as client:
        client.ehlo()
        held = open_all(server)
        client.sendmail("a@load.test", [ACCOUNTS[0]], "Subject: taken\r\n\r\nx\r\n")
        for connection in held:
            connection.close()
    assert eventually(lambda: subjects(server) == ["taken"])


def test_large_mail_fails_for_the_time_being_or_is_kept_whole(server: ServerProcess) -> None:
    with smtplib.SMTP("127.0.0.1", server.port(25), timeout=60) as client:
        client.ehlo()
        held = open_all(server)
        try:
            client.sendmail("a@load.test", [ACCOUNTS[0]], "Subject: large\r\n\r\n" + ("x" * 76 + "\r\n") * 5000)
            expected = ["large"]
        except smtplib.SMTPResponseException as refused:
            assert refused.smtp_code in (421, 451, 452)
            expected = []
        for connection in held:
            connection.close()
    assert eventually(lambda: send(server, "after", 400_000) == 250)
    assert subjects(server) == [*expected, "after"]


def test_the_server_does_not_spin_while_it_cannot_accept(server: ServerProcess) -> None:
    held = open_all(server)
    used: list[float] = []

    def rests() -> bool:
        """One that spins never does; a slow one is at work for a while."""
        before = processor_seconds(server)
        time.sleep(2.0)
        used.append(processor_seconds(server) - before)
        return used[-1] < 1.0

    assert eventually(rests), f"{used} s of processor in 2 s of waiting"
    for connection in held:
        connection.close()
    assert eventually(lambda: send(server, "after") == 250)
