"""A relay and its site, each of two servers on one PostgreSQL, where servers hang, and the database is away."""

from __future__ import annotations

import os
import signal
import smtplib
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from attrs import define, field

from tests.app.conftest import records, until
from tests.app.test_on_demand_nodes import (
    ODMR,
    PASSWORD,
    POP3,
    SMTP,
    Nodes,
    has_taken,
    join,
    queue,
    relay,
    send,
    site,
    stored,
    took,
)
from tests.cli.conftest import Commands
from worldmail.testing.postgres import PostgresProcess
from worldmail.testing.process import ServerProcess

__all__ = ["relay", "site"]

HERE = "postmaster@home.test"
needs_time = pytest.mark.skipif(not os.environ.get("WORLDMAIL_LONG"), reason="waits for what takes its time")


@define
class Way:
    """A way to a port. What was let in before `fall_silent` stays open, and nothing passes any more."""

    to: int
    passed: int = 0
    _listener: socket.socket = field(factory=lambda: socket.create_server(("127.0.0.1", 0)))
    _silent: set[int] = field(factory=set)

    def __attrs_post_init__(self) -> None:
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def fall_silent(self) -> None:
        self._silent.update(range(1, self.passed + 1))

    def close(self) -> None:
        self._listener.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self.to))
                self.passed += 1
                for one, other in ((near, far), (far, near)):
                    threading.Thread(target=self._copy, args=(one, other, self.passed), daemon=True).start()

    def _copy(self, one: socket.socket, other: socket.socket, number: int) -> None:
        with suppress(OSError):
            while data := one.recv(65536):
                if number not in self._silent:
                    other.sendall(data)
        with suppress(OSError):
            if number not in self._silent:
                other.shutdown(socket.SHUT_WR)


@pytest.fixture
def way(relay: Nodes) -> Iterator[Way]:
    made = Way(relay.b.port(ODMR))
    yield made
    made.close()


def joined_over(way: Way, relay: Nodes, site: Nodes) -> None:
    """The site's connection, which stays, leads over the way."""
    join(site.a, relay.a, relay.b)
    Commands(site.a.config).ok("agent", "set", "relay", f"port={way.port}")
    until(lambda: way.passed)
    send(relay.b)
    until(lambda: took(site) == 1)


def takes(nodes: Nodes) -> tuple[ServerProcess, ServerProcess]:
    """Who took the mail so far, and the other one."""
    one = next(node for node in nodes if any(record["event"] == "delivered" for record in records(node)))
    return one, nodes.b if one is nodes.a else nodes.a


def code_for(node: ServerProcess, to: str) -> int:
    with smtplib.SMTP("127.0.0.1", node.port(SMTP), timeout=60) as client:
        client.ehlo("far.test")
        client.mail("eve@far.test")
        return client.rcpt(to)[0]


def test_one_server_of_the_site_tells_whom_it_has_and_each_of_the_relay_knows(relay: Nodes, site: Nodes) -> None:
    join(site.a, relay.a, relay.b)
    command = Commands(site.b.config)
    command.ok("user", "add", "bob@shop.test", "--password-stdin", stdin=PASSWORD + "\n")
    until(lambda: code_for(relay.a, "bob@shop.test") == 250)
    until(lambda: code_for(relay.b, "bob@shop.test") == 250, within=5.0)
    command.ok("user", "remove", "bob@shop.test")
    until(lambda: code_for(relay.b, "bob@shop.test") == 550)
    until(lambda: code_for(relay.a, "bob@shop.test") == 550, within=5.0)
    telling = [any(record["event"] == "pair.told" for record in records(node)) for node in site]
    assert sorted(telling) == [False, True]


@needs_time
def test_a_site_that_comes_back_at_the_other_server_has_there_what_comes_at_the_one_it_had_before(
    relay: Nodes, site: Nodes, way: Way
) -> None:
    joined_over(way, relay, site)
    before, after = takes(site)
    passed = way.passed
    way.fall_silent()
    way.to = relay.a.port(ODMR)
    before.kill()
    until(lambda: way.passed > passed)
    send(relay.a)
    until(lambda: took(site) == 2)
    for _ in range(3):
        send(relay.b)
    until(lambda: queue(relay.a) == [], within=60.0)
    assert stored(after) == 5
    before.start()


@needs_time
def test_a_site_whose_server_hangs_takes_its_mail_at_the_other_one_and_each_message_once(
    relay: Nodes, site: Nodes
) -> None:
    join(site.a, relay.a, relay.b)
    send(relay.b)
    until(lambda: took(site) == 1)
    hangs, other = takes(site)
    os.kill(hangs.pid, signal.SIGSTOP)
    for node in (relay.a, relay.b) * 3:
        send(node)
    until(lambda: any(record["event"] == "delivered" for record in records(other)), within=120.0)
    until(lambda: queue(relay.a) == [], within=60.0)
    assert stored(other) == 7
    os.kill(hangs.pid, signal.SIGCONT)
    send(relay.a)
    until(lambda: queue(relay.a) == [])
    assert stored(hangs) == 8


@needs_time
def test_a_database_that_is_away_in_the_midst_of_a_turn_loses_and_doubles_nothing(
    relay: Nodes, site: Nodes, postgres: PostgresProcess
) -> None:
    join(site.a, relay.a, relay.b)
    accepted: list[int] = []

    def flood() -> None:
        for number in range(60):
            with suppress(smtplib.SMTPException, OSError):
                send(relay.a if number % 2 else relay.b)
                accepted.append(number)

    with ThreadPoolExecutor() as pool:
        flooding = pool.submit(flood)
        until(lambda: len(accepted) > 10)
        postgres.kill()
        time.sleep(8)
        postgres.start()
        flooding.result()
    until(lambda: {row["state"] for row in queue(relay.a)} <= {"held"})
    Commands(site.a.config).ok("agent", "set", "relay", "stay=50s")  # what was put off comes with the next turn
    until(lambda: queue(relay.a) == [])
    assert stored(site.b) == len(accepted)


@needs_time
def test_a_mailbox_is_emptied_once_though_the_server_that_is_at_it_hangs(relay: Nodes, site: Nodes) -> None:
    Commands(relay.a.config).ok("user", "add", "all@relay.test", "--password-stdin", stdin=PASSWORD + "\n")
    send(relay.a, "all@relay.test", count=300)
    box = ("kind=pop3", "host=127.0.0.1", f"port={relay.b.port(POP3)}", "security=never", "user=all@relay.test")
    words = (*box, f"recipient={HERE}", "--password-stdin")
    Commands(site.a.config).ok("agent", "add", "box", *words, stdin=PASSWORD + "\n")
    with ThreadPoolExecutor() as pool:
        asked = pool.submit(Commands(site.b.config), "agent", "run", "box")
        until(lambda: took(site, HERE) > 10)
        hangs, other = takes(site)
        os.kill(hangs.pid, signal.SIGSTOP)
        assert asked.result().status == 1
    os.kill(hangs.pid, signal.SIGCONT)
    until(lambda: Commands(other.config)("agent", "run", "box").status == 0)
    assert has_taken(site, 300, HERE)
