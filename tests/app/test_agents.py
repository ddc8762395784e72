"""A site that has its mail fetched from a relay, or asks for it: two servers, by hand and by timetable."""

from __future__ import annotations

import smtplib
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.app.conftest import records, until, wait_for
from tests.cli.conftest import Commands
from worldmail.testing.process import ServerProcess

SMTP, ODMR = 25, 366
ACCOUNT, PASSWORD = "shop@example.test", "correct horse"


@pytest.fixture
def site(place: Path) -> Iterator[ServerProcess]:
    """The server of shop.test: its postmaster's mailbox."""
    made = ServerProcess(directory=place / "site", domain="shop.test", forked=True)
    made.initialise()
    made.start()
    yield made
    made.stop()


@pytest.fixture
def relay(server: ServerProcess, site: ServerProcess) -> Iterator[ServerProcess]:
    """A server that holds mail for shop.test, to be fetched, and for sea.test, to be sent to the same server."""
    command = Commands(server.config)
    to_site = ("release=host", "host=127.0.0.1", f"port={site.port(SMTP)}", "security=never", "networks=127.0.0.1")
    command.ok("hold", "add", "shop", "domains=shop.test", f"accounts={ACCOUNT}")
    command.ok("hold", "add", "sea", "domains=sea.test", *to_site)
    for name in ("shop.test", "sea.test"):
        command.ok("domain", "add", name, "--kind", "relay")
    command.ok("user", "add", ACCOUNT, "--password-stdin", stdin=PASSWORD + "\n")
    Commands(site.config).ok("domain", "add", "sea.test", "--alias-of", "shop.test")
    server.start()
    yield server
    server.stop()


def send(relay: ServerProcess, recipient: str, subject: str = "held") -> None:
    with smtplib.SMTP("127.0.0.1", relay.port(SMTP), timeout=60) as client:
        client.ehlo("a.test")
        client.sendmail(
            "a@a.test",
            [recipient],
            f"Subject: {subject}\r\n\r\ntext\r\n",
            mail_options=["RET=HDRS", "ENVID=one"],
            rcpt_options=["NOTIFY=SUCCESS,FAILURE", "ORCPT=rfc822;first@old.test"],
        )


def add(site: ServerProcess, relay: ServerProcess, name: str, *words: str, password: str = PASSWORD) -> None:
    server = ("host=127.0.0.1", f"port={relay.port(ODMR)}", "security=never", f"user={ACCOUNT}")
    added = Commands(site.config).ok(
        "agent", "add", name, "kind=odmr", *server, *words, "--password-stdin", stdin=password + "\n"
    )
    assert password not in added.out


def waiting(relay: ServerProcess) -> int:
    return len(Commands(relay.config).ok("queue", "list", "--json").json)


def arrived(site: ServerProcess, recipient: str = "postmaster@shop.test") -> int:
    return Commands(site.config)("trace", recipient).out.count("accepted from")


def test_mail_is_fetched_by_hand_with_its_envelope(relay: ServerProcess, site: ServerProcess) -> None:
    for number in range(3):
        send(relay, "postmaster@shop.test", f"number {number}")
    add(site, relay, "Relay")
    command = Commands(site.config)
    tried = command.ok("agent", "test", "relay").out
    assert f"signed in as {ACCOUNT}" in tried and "ATRN is offered" in tried
    assert waiting(relay) == 3
    assert command.ok("agent", "run", "relay").out == f"relay: 3 messages from [127.0.0.1]:{relay.port(ODMR)}\n"
    until(lambda: waiting(relay) == 0)
    trace = command.ok("trace", "postmaster@shop.test").out
    assert trace.count("fetched from 127.0.0.1 by the agent relay") == 3
    assert arrived(site) == 3
    # Success is the site's to report, since the wish for it came along (RFC 3461 §5.2.1).
    until(lambda: command("trace", "a@a.test").out.count("a@a.test is told by the report") == 3)
    assert "Nothing waits: 453" in command.ok("agent", "run", "relay").out
    [shown] = command.ok("agent", "list", "--json").json
    assert (shown["state"], shown["messages"], shown["why"], shown["failures"]) == ("well", 0, "asked", 0)
    wait_for(site, "agent", 2)
    runs = [record for record in records(site) if record["event"] == "agent"]
    assert [(run["ok"], run["messages"]) for run in runs] == [(True, 3), (True, 0)]


def test_mail_is_fetched_by_timetable(relay: ServerProcess, site: ServerProcess) -> None:
    send(relay, "postmaster@shop.test")
    add(site, relay, "relay", "when=every 10s", "domains=shop.test")
    until(lambda: arrived(site) == 1)
    command = Commands(site.config)
    until(lambda: command.ok("agent", "list", "--json").json[0]["why"] == "timetable")
    send(relay, "postmaster@shop.test")
    until(lambda: arrived(site) == 2)
    until(lambda: command.ok("agent", "list", "--json").json[0]["next"] is not None)
    command.ok("agent", "remove", "relay")
    assert command.ok("agent", "list", "--json").json == []


def test_what_goes_wrong_is_told(relay: ServerProcess, site: ServerProcess) -> None:
    command = Commands(site.config)
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        add(site, relay, "dead", f"port={nobody.getsockname()[1]}")
        assert "refused" in command.refused("agent", "run", "dead").lower()
    add(site, relay, "wrong", password="incorrect")
    assert "does not accept our login" in command.refused("agent", "run", "wrong")
    add(site, relay, "theirs", "domains=sea.test")
    assert "does not let us have this mail: 450" in command.refused("agent", "run", "theirs")
    add(site, relay, "listener", "listener=none")
    assert "no listener none" in command.refused("agent", "run", "listener")
    add(site, relay, "doubtful")
    command.ok("agent", "set", "doubtful", "security=verified")
    assert "TLS" in command.refused("agent", "run", "doubtful")
    tried = command("agent", "test", "doubtful")
    assert tried.status == 1 and "has the addresses" in tried.out and "TLS" in tried.err
    tried = command("agent", "test", "doubtful", "--json")
    assert tried.status == 1 and not tried.json["ok"] and "TLS" in tried.json["found"][-1]
    found = {row["name"]: row for row in command.ok("agent", "list", "--json").json}
    assert {row["state"] for row in found.values()} == {"failed"}
    assert all(row["failures"] == 1 and row["said"] for row in found.values())
    assert PASSWORD not in site.log.read_text()


def test_a_server_is_asked_to_send_what_waits(relay: ServerProcess, site: ServerProcess) -> None:
    send(relay, "postmaster@sea.test")
    command = Commands(site.config)
    words = ("host=127.0.0.1", f"port={relay.port(SMTP)}", "security=never", "names=sea.test,@sea.test,#sea")
    command.ok("agent", "add", "etrn", "kind=etrn", *words)
    said = command.ok("agent", "run", "etrn").out
    assert "sea.test: 253 2.0.0 Ok, 1 pending messages for node sea.test started" in said
    until(lambda: waiting(relay) == 0)
    command.ok("agent", "set", "etrn", "names=other.test")
    assert "other.test: The server does not do that for us: 459" in command.refused("agent", "run", "etrn")


def test_where_no_server_runs_a_command_says_so(relay: ServerProcess, site: ServerProcess) -> None:
    add(site, relay, "relay")
    site.stop()
    assert "no server is running" in Commands(site.config).refused("agent", "run", "relay")
