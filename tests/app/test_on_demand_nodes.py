"""Mail on demand where several servers share one PostgreSQL: whichever of them a site or a command meets."""

from __future__ import annotations

import poplib
import shutil
import smtplib
import ssl
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve, frozen

from tests.app.conftest import records, until
from tests.cli.conftest import Commands
from worldmail.ondemand.join_code import read_code
from worldmail.testing.postgres import PostgresProcess
from worldmail.testing.process import ServerProcess

SMTP, ODMR, POP3 = 25, 366, 110
PORTS = (25, 465, 587, 110, 995, 143, 993, 366)
ANN, PASSWORD = "ann@shop.test", "correct horse"
UNVERIFIED = ssl._create_unverified_context()


@frozen
class Nodes:
    """Two servers of one site, neither of which runs at first."""

    a: ServerProcess
    b: ServerProcess

    def __iter__(self) -> Iterator[ServerProcess]:
        return iter((self.a, self.b))

    def stop(self) -> None:
        for node in self:
            node.stop(60.0)


def make_nodes(place: Path, postgres: PostgresProcess, domain: str) -> Nodes:
    options = ("--database", postgres.url())
    a = ServerProcess(directory=place / f"{domain}-a", domain=domain, init_options=options, forked=True)
    a.initialise()
    b = ServerProcess(directory=place / f"{domain}-b", domain=domain, forked=True)
    shutil.copytree(a.directory, b.directory)
    config = a.config.read_text()
    for port in PORTS:
        config = config.replace(f":{a.port(port)}", f":{b.port(port)}")
    b.config.write_text(config)
    return Nodes(a, b)


def started(place: Path, postgres: PostgresProcess, domain: str) -> Iterator[Nodes]:
    made = make_nodes(place, postgres, domain)
    for node in made:
        node.start()
    yield made
    made.stop()


@pytest.fixture
def relay(place: Path, postgres: PostgresProcess) -> Iterator[Nodes]:
    yield from started(place, postgres, "relay.test")


@pytest.fixture
def site(place: Path, postgres: PostgresProcess) -> Iterator[Nodes]:
    yield from started(place, postgres, "home.test")


def send(node: ServerProcess, to: str = ANN, count: int = 1, subject: str = "x") -> None:
    with smtplib.SMTP("127.0.0.1", node.port(SMTP), timeout=60) as client:
        client.ehlo("far.test")
        for number in range(count):
            client.sendmail("eve@far.test", [to], f"Subject: {subject} {number}\r\n\r\ntext\r\n")


def took(nodes: Nodes, to: str = ANN) -> int:
    """How often a message came into a mailbox, at either of them."""
    events = [record for node in nodes for record in records(node)]
    return sum(record["event"] == "delivered" and record["to"] == to for record in events)


def has_taken(nodes: Nodes, count: int, to: str = ANN) -> bool:
    """Did so many come into a mailbox, and no more? The log follows what it tells of by some moments."""
    until(lambda: took(nodes, to) >= count)
    return took(nodes, to) == count


def stored(node: ServerProcess) -> int:
    """Messages in Ann's mailbox."""
    client = poplib.POP3("127.0.0.1", node.port(POP3), timeout=60)
    client.stls(UNVERIFIED)
    client.user(ANN)
    client.pass_(PASSWORD)
    count = client.stat()[0]
    client.quit()
    return count


def queue(node: ServerProcess) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = Commands(node.config).ok("queue", "list", "--json").json
    return found


def join(site: ServerProcess, invited_at: ServerProcess, redeemed_at: ServerProcess) -> None:
    code = Commands(invited_at.config).ok("relay", "invite", "shop.test", "--host", "127.0.0.1", "--json").json["code"]
    command = Commands(site.config)
    text = redirected(code, invited_at, redeemed_at)
    command.ok("join", text, "--name", "relay", "--no-route")
    command.ok("user", "add", ANN, "--password-stdin", stdin=PASSWORD + "\n")
    until(lambda: "ann" in Commands(invited_at.config).ok("recipient", "list", "shop.test").out)


def redirected(code: str, from_: ServerProcess, to: ServerProcess) -> str:
    """The same code, at another node: in life both have one name."""
    read = read_code(code)
    return evolve(read, port=read.port - from_.port_base + to.port_base).text


def _grew(site: Nodes, before: int) -> bool:
    return took(site) > before


def runs(nodes: Nodes, agent: str) -> list[str]:
    """Which node ran it, each time."""
    return [
        node.directory.name[-1]
        for node in nodes
        for record in records(node)
        if record["event"] == "agent" and record.get("agent") == agent
    ]


def test_an_invitation_of_one_node_is_good_at_the_other_and_mail_comes_from_both_at_once(
    relay: Nodes, site: Nodes
) -> None:
    join(site.a, relay.a, relay.b)
    for node in (relay.a, relay.b) * 3:
        before = took(site)
        send(node)
        until(partial(_grew, site, before))
    until(lambda: queue(relay.a) == [])
    assert not [record for node in relay for record in records(node) if record["event"] == "turn"], "one turn stays"
    story = Commands(site.b.config).ok("trace", ANN).out
    assert story.count("fetched from 127.0.0.1 by the agent relay") == 6


def test_a_site_whose_node_is_killed_in_a_turn_goes_on_at_its_other_node(relay: Nodes, site: Nodes) -> None:
    join(site.a, relay.a, relay.b)
    send(relay.a)
    until(lambda: took(site) == 1)
    before = took(site)
    [one] = [node for node in site if any(record["event"] == "delivered" for record in records(node))]
    other = site.b if one is site.a else site.a
    send(relay.b, count=5, subject="more")
    one.kill()
    send(relay.a, count=5, subject="after")
    until(lambda: queue(relay.a) == [])
    assert stored(other) == before + 10
    until(lambda: any(record["event"] == "delivered" for record in records(other)))
    one.start()


def test_a_relay_whose_node_is_killed_hands_over_the_rest_at_its_other_node(relay: Nodes, site: Nodes) -> None:
    """The site knows one port; what it comes back to is whichever node is there."""
    join(site.a, relay.a, relay.b)
    send(relay.a)
    until(lambda: took(site) == 1)
    relay.b.kill()
    send(relay.a, count=5)
    Commands(site.a.config).ok("agent", "set", "relay", f"port={relay.a.port(ODMR)}")
    until(lambda: queue(relay.a) == [])
    assert has_taken(site, 6)
    relay.b.start()


def test_an_agent_runs_at_one_node_alone_and_a_command_at_any_reaches_it(relay: Nodes, site: Nodes) -> None:
    command = Commands(relay.a.config)
    command.ok("hold", "add", "shop", "domains=home.test", "accounts=shop@relay.test")
    command.ok("domain", "add", "home.test", "--kind", "relay")
    command.ok("user", "add", "shop@relay.test", "--password-stdin", stdin=PASSWORD + "\n")
    server = ("host=127.0.0.1", f"port={relay.b.port(ODMR)}", "security=never", "user=shop@relay.test")
    Commands(site.b.config).ok("agent", "add", "shop", "kind=odmr", *server, "--password-stdin", stdin=PASSWORD + "\n")
    for node in (site.a, site.b, site.a, site.b):
        until(lambda: [one["state"] for one in queue(relay.a)] == [])
        send(relay.a, "postmaster@home.test")
        Commands(node.config).ok("agent", "run", "shop")
    assert has_taken(site, 4, "postmaster@home.test")
    until(lambda: len(runs(site, "shop")) >= 4)
    ran = runs(site, "shop")
    assert len(ran) == 4 and len(set(ran)) == 1
    (driver,) = [node for node in site if node.directory.name[-1] == ran[0]]
    driver.kill()
    other = site.b if driver is site.a else site.a
    send(relay.a, "postmaster@home.test")
    until(lambda: Commands(other.config)("agent", "run", "shop").status == 0)
    assert has_taken(site, 5, "postmaster@home.test")
    driver.start()


def test_mail_is_collected_on_a_database_server_once_whichever_node_does_it(relay: Nodes, site: Nodes) -> None:
    Commands(relay.a.config).ok("user", "add", "all@relay.test", "--password-stdin", stdin=PASSWORD + "\n")
    send(relay.a, "all@relay.test", count=5)
    box = ("kind=pop3", "host=127.0.0.1", f"port={relay.b.port(POP3)}", "security=never", "user=all@relay.test")
    words = (*box, "recipient=postmaster@home.test", "leave=forever", "--password-stdin")
    Commands(site.a.config).ok("agent", "add", "box", *words, stdin=PASSWORD + "\n")
    Commands(site.b.config).ok("agent", "run", "box")
    assert has_taken(site, 5, "postmaster@home.test")
    until(lambda: runs(site, "box"))
    [driver] = [node for node in site if any(record["event"] == "agent" for record in records(node))]
    driver.kill()
    other = site.b if driver is site.a else site.a
    send(relay.b, "all@relay.test", count=2)
    until(lambda: Commands(other.config)("agent", "run", "box").status == 0)
    assert has_taken(site, 7, "postmaster@home.test")
    driver.start()
