"""A relay and its site, two servers that are paired: mail in the moment it comes, once, and where it came from."""

from __future__ import annotations

import smtplib
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.app.conftest import records, until
from tests.cli.conftest import Commands
from worldmail.testing.cut_wire import CutWire
from worldmail.testing.process import ServerProcess

SMTP, ODMR = 25, 366
ANN = "ann@shop.test"


@pytest.fixture
def relay(server: ServerProcess) -> Iterator[ServerProcess]:
    server.start()
    yield server
    server.stop()


@pytest.fixture
def site(place: Path, relay: ServerProcess) -> Iterator[ServerProcess]:
    """Joined, and not started."""
    invited = Commands(relay.config).ok("relay", "invite", "shop.test", "--host", "127.0.0.1", "--json").json
    made = ServerProcess(directory=place / "site", domain="home.test", forked=True)
    made.initialise()
    command = Commands(made.config)
    command.ok("join", invited["code"], "--name", "relay", "--no-route")
    command.ok("user", "add", ANN, "--password-stdin", stdin="correct horse battery\n")
    yield made
    made.stop()


def send(relay: ServerProcess, *recipients: str, subject: str = "x") -> None:
    with smtplib.SMTP("127.0.0.1", relay.port(SMTP), timeout=60) as client:
        client.ehlo("far.test")
        client.sendmail("eve@far.test", list(recipients), f"Subject: {subject}\r\n\r\ntext\r\n")


def came(site: ServerProcess, event: str = "delivered") -> int:
    return sum(record["event"] == event for record in records(site))


def moment(record: dict[str, Any]) -> float:
    return datetime.fromisoformat(record["at"]).timestamp()


def delays(relay: ServerProcess, site: ServerProcess) -> list[int]:
    """Milliseconds from each acceptance at the relay to the delivery at the site, by their logs."""
    taken = [moment(record) for record in records(relay) if record["event"] == "accepted"]
    there = [moment(record) for record in records(site) if record["event"] == "delivered"]
    return [round(1000 * (after - before)) for before, after in zip(taken, there, strict=True)]


def test_mail_is_in_the_mailbox_of_the_site_a_moment_after_the_relay_took_it(
    relay: ServerProcess, site: ServerProcess
) -> None:
    send(relay, ANN, subject="waits")
    site.start()
    until(lambda: came(site) == 1)
    for number in range(2, 8):
        send(relay, ANN, subject=f"number {number}")
        until(lambda number=number: came(site) == number)
    until(lambda: came(relay, "accepted") == came(site))
    print(f"from the end of the data at the relay to the mailbox: {delays(relay, site)} ms")
    assert not [record for record in records(relay) if record["event"] == "turn"], "all of it is one turn"
    story = Commands(site.config).ok("trace", ANN).out
    assert "127.0.0.1 accepted it from far.test [127.0.0.1] by ESMTP, as " in story
    assert "fetched from 127.0.0.1 by the agent relay" in story


def test_a_relay_that_stops_says_goodbye_and_the_site_comes_back_to_it(
    relay: ServerProcess, site: ServerProcess
) -> None:
    send(relay, ANN)
    site.start()
    until(lambda: came(site) == 1)
    relay.stop()
    turns = [record for record in records(relay) if record["event"] == "turn"]
    assert [(turn["messages"], turn["stayed"], turn.get("reason")) for turn in turns] == [(1, True, None)]
    relay.start()
    send(relay, ANN)
    until(lambda: came(site) == 2, within=60)


def test_wherever_the_wire_is_cut_before_the_site_is_heard_nothing_is_there_twice(
    relay: ServerProcess, site: ServerProcess
) -> None:
    """What the site says last, that it took the messages, does not arrive: the relay hands them over again."""
    wire = CutWire(relay.port(ODMR))
    command = Commands(site.config)
    command.ok("agent", "set", "relay", f"port={wire.port}", "stay=off", "when=never")
    site.start()
    sent, cuts, at = 0, 0, 6
    while True:
        send(relay, ANN, "postmaster@shop.test", subject=f"number {at}")
        sent, at = sent + 2, at + 1
        wire.arm(at, "before")
        command("agent", "run", "relay")
        wire.disarm()
        if not wire.hit:
            break
        cuts += 1
        until(lambda: all(row["state"] == "held" for row in queue(relay)))
        command("agent", "run", "relay")
        until(lambda: queue(relay) == [])
    wire.close()
    assert cuts >= 2
    until(lambda: came(site) == sent)
    assert came(site, "repeated") >= 2


def queue(relay: ServerProcess) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = Commands(relay.config).ok("queue", "list", "--json").json
    return found
