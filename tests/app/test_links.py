"""Links that a running server brings up for its mail, and takes down again."""

from __future__ import annotations

import smtplib
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from attrs import define, field

from tests.app.conftest import records, until, wait_for
from tests.cli.conftest import Commands
from worldmail.testing.postgres import PASSWORD, PostgresProcess
from worldmail.testing.process import ServerProcess

SMTP = 25


@define
class Line:
    """A way to another server, open while the file `up` is there; what came while it was not is counted."""

    up: Path
    to: int
    early: int = 0
    _listener: socket.socket = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def close(self) -> None:
        self._listener.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                if not self.up.exists():
                    self.early += 1
                    near.close()
                    continue
                far = socket.create_connection(("127.0.0.1", self.to))
                for one, other in ((near, far), (far, near)):
                    threading.Thread(target=_copy, args=(one, other), daemon=True).start()


def _copy(one: socket.socket, other: socket.socket) -> None:
    with suppress(OSError):
        while data := one.recv(65536):
            other.sendall(data)
    with suppress(OSError):
        other.shutdown(socket.SHUT_WR)


@pytest.fixture
def site(place: Path) -> Iterator[ServerProcess]:
    """The server of shop.test: its postmaster's mailbox."""
    made = ServerProcess(directory=place / "site", domain="shop.test", forked=True)
    made.initialise()
    made.start()
    yield made
    made.stop()


@pytest.fixture
def line(site: ServerProcess, place: Path) -> Iterator[Line]:
    made = Line(place / "up", site.port(SMTP))
    yield made
    made.close()


@pytest.fixture
def behind(server: ServerProcess, line: Line, place: Path) -> Iterator[ServerProcess]:
    """A server all of whose mail leaves over the line, and that its users' programs may relay over."""
    leaving_by(server, line, place)
    yield server
    server.stop()


def leaving_by(server: ServerProcess, line: Line, place: Path) -> None:
    """All mail of the server leaves over the line."""
    script(place / "dial", f'echo "$WORLDMAIL_LINK connected"; touch {line.up}')
    script(place / "hang-up", f"rm -f {line.up}")
    host = ("via=host", "host=127.0.0.1", f"port={line.port}", "security=never")
    Commands(server.config).ok("route", "add", "isp", "domain=*", *host)
    server.configure({"policy": {"relay_networks": ["127.0.0.1"]}, "queue": {"first_retry": "1s"}})


def script(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def link(server: ServerProcess, *words: str) -> Any:
    return Commands(server.config)("link", *words)


def dialled(server: ServerProcess, place: Path, *more: str) -> None:
    """Add the link."""
    Commands(server.config).ok("link", "add", "isp", "routes=isp", f"up={place}/dial", f"down={place}/hang-up", *more)


def send(server: ServerProcess, *recipients: str) -> None:
    with smtplib.SMTP("127.0.0.1", server.port(SMTP), timeout=60) as client:
        client.sendmail("postmaster@example.test", list(recipients), "Subject: waits\r\n\r\ntext\r\n")


def delivered(site: ServerProcess) -> int:
    return Commands(site.config)("trace", "postmaster@shop.test").out.count("in the mailbox")


def state(server: ServerProcess) -> str:
    return str(link(server, "show", "isp", "--json").json["state"])


def test_mail_brings_its_link_up_and_quiet_takes_it_down(
    behind: ServerProcess, site: ServerProcess, line: Line, place: Path
) -> None:
    dialled(behind, place, "idle=1s", f"probe=/usr/bin/test -e {line.up}")
    behind.start()
    until(lambda: state(behind) == "down")
    assert not line.up.exists()
    send(behind, "postmaster@shop.test")
    assert wait_for(behind, "link.up")["link"] == "isp"
    until(lambda: delivered(site) == 1)
    wait_for(behind, "link.down")
    until(lambda: not line.up.exists())
    assert line.early == 0, "nothing was tried while it was down"
    assert [one["event"] for one in records(behind) if one["event"].startswith("link.")] == ["link.up", "link.down"]


def test_a_link_that_is_held_down_keeps_its_mail_until_it_is_run(
    behind: ServerProcess, site: ServerProcess, line: Line, place: Path
) -> None:
    dialled(behind, place, "kind=always")
    behind.start()
    until(line.up.exists)
    assert "isp: it is down" in link(behind, "down", "isp").out
    assert not line.up.exists() and state(behind) == "down, held"
    send(behind, "postmaster@shop.test")
    done = link(behind, "set", "isp", "kind=on-demand", "idle=1h")
    assert done.status == 0
    behind.stop()
    behind.start()
    done = link(behind, "run", "isp")
    assert (done.status, done.out) == (0, "isp: all was done that there was to do\n")
    assert delivered(site) == 1 and line.early == 0
    until(lambda: state(behind) == "down")
    assert not line.up.exists()


def test_a_link_that_cannot_be_brought_up_says_why(behind: ServerProcess, line: Line, place: Path) -> None:
    script(place / "dial", 'echo "no carrier" >&2; exit 3')
    dialled(behind, place)
    behind.start()
    done = link(behind, "up", "isp")
    assert done.status == 1
    assert "isp: it could not be brought up (up: it ended with status 3; no carrier)" in done.err
    assert link(behind, "list", "--json").json[0]["said"] == "up: it ended with status 3; no carrier"


def test_without_a_server_nobody_brings_a_link_up(behind: ServerProcess, place: Path) -> None:
    dialled(behind, place)
    done = link(behind, "up", "isp")
    assert done.status == 1 and "no server is running that looks after it" in done.err
    assert "there is no link none" in link(behind, "run", "none").err


def test_a_stopping_server_takes_its_links_down_and_mail_waits_for_the_next(
    behind: ServerProcess, site: ServerProcess, line: Line, place: Path
) -> None:
    dialled(behind, place, "idle=1h")
    behind.start()
    assert link(behind, "up", "isp").status == 0
    assert line.up.exists()
    behind.stop()
    assert not line.up.exists()
    behind.start()
    assert state(behind) != "up" and not line.up.exists()
    send(behind, "postmaster@shop.test")
    until(lambda: delivered(site) == 1)
    assert line.early == 0


def test_a_link_that_a_killed_server_left_up_is_taken_down_by_the_next(
    behind: ServerProcess, line: Line, place: Path
) -> None:
    dialled(behind, place, "idle=1h")
    behind.start()
    assert link(behind, "up", "isp").status == 0
    behind.kill()
    assert line.up.exists()
    behind.start()
    until(lambda: not line.up.exists())
    until(lambda: state(behind) == "down")


def test_the_mail_of_a_link_that_is_removed_goes_at_any_time(
    behind: ServerProcess, site: ServerProcess, line: Line, place: Path
) -> None:
    dialled(behind, place, "kind=windows", "when=never")
    behind.start()
    until(lambda: state(behind) == "down")
    send(behind, "postmaster@shop.test")
    line.up.touch()
    assert delivered(site) == 0
    Commands(behind.config).ok("link", "remove", "isp")
    until(lambda: delivered(site) == 1)


def test_a_link_on_a_postgresql_database_is_brought_up_for_its_mail_alike(
    place: Path, postgres: PostgresProcess, site: ServerProcess, line: Line
) -> None:
    secret = place / "password"
    secret.write_text(PASSWORD + "\n")
    secret.chmod(0o600)
    url = postgres.url().replace(f":{PASSWORD.replace(' ', '%20')}@", "@")
    options = ("--database", url, "--database-password-file", str(secret))
    server = ServerProcess(directory=place / "data", forked=True, init_options=options)
    server.initialise()
    leaving_by(server, line, place)
    dialled(server, place, "kind=metered", "most=1MiB", "idle=1s")
    server.start()
    try:
        send(server, "postmaster@shop.test")
        until(lambda: delivered(site) == 1)
        wait_for(server, "link.down")
        send(server, "postmaster@shop.test")
        assert link(server, "run", "isp").status == 0
        until(lambda: delivered(site) == 2)
        assert line.early == 0
        assert int(link(server, "show", "isp", "--json").json["spent"]) > 0
        assert not [one for one in records(server) if one["event"] in ("link.fault", "queue.failed")]
    finally:
        server.stop()


def test_agents_of_a_link_go_over_it_when_it_is_up(
    behind: ServerProcess, site: ServerProcess, line: Line, place: Path
) -> None:
    dialled(behind, place, "kind=windows", "when=never", "idle=1h")
    there = ("host=127.0.0.1", f"port={line.port}", "security=never", "names=example.test")
    Commands(behind.config).ok("agent", "add", "ask", "kind=etrn", *there, "link=isp", "when=never")
    behind.start()
    send(behind, "postmaster@shop.test")
    assert link(behind, "run", "isp").status == 0
    assert delivered(site) == 1 and line.early == 0
    run = wait_for(behind, "agent")
    assert len([one for one in records(behind) if one["event"] == "agent"]) == 1
    assert (run["agent"], run["why"]) == ("ask", "link")
    until(lambda: not line.up.exists())
