"""The wall clock is stepped by an hour: work goes on, in open sessions and in new ones."""

from __future__ import annotations

import signal
import smtplib
import sys
from pathlib import Path

import pytest
from oracle.exchange import eventually, send, subjects
from oracle.fixtures import MakeServer
from oracle.trial import ACCOUNTS

from worldmail.testing.process import ServerProcess

LAUNCHER = Path(__file__).with_name("launchers") / "stepped_clock.py"


@pytest.fixture
def server(make_server: MakeServer) -> ServerProcess:
    made = make_server((sys.executable, str(LAUNCHER)))
    made.start()
    return made


@pytest.mark.parametrize("step", [signal.SIGUSR1, signal.SIGUSR2], ids=["forward", "back"])
def test_open_and_new_sessions_work_on_after_a_step(server: ServerProcess, step: signal.Signals) -> None:
    with smtplib.SMTP("127.0.0.1", server.port(25), timeout=60) as client:
        client.ehlo()
        assert send(server, "before") == 250
        assert server.process is not None
        server.process.send_signal(step)
        assert eventually(lambda: send(server, "after") == 250)
        client.sendmail("a@load.test", [ACCOUNTS[0]], "Subject: open\r\n\r\nx\r\n")
    assert subjects(server) == ["before", "after", "open"]
    assert server.stop() in (0, -signal.SIGTERM)


@pytest.mark.parametrize("step", [signal.SIGUSR1, signal.SIGUSR2], ids=["forward", "back"])
def test_a_silent_client_is_still_timed_out_after_a_step(server: ServerProcess, step: signal.Signals) -> None:
    server.stop()
    server.configure({"smtp": {"command_timeout": "2s"}})
    server.start()
    assert server.process is not None
    server.process.send_signal(step)
    with smtplib.SMTP("127.0.0.1", server.port(25), timeout=60) as client:
        assert client.sock is not None
        assert client.sock.recv(1000).startswith(b"421")
