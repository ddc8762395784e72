"""A link of a site that consists of two servers on one PostgreSQL: one of them looks after it, both send over it."""

from __future__ import annotations

import os
import signal
import smtplib
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.app.conftest import records, until
from tests.app.test_links import Line, dialled, leaving_by, line, link, script, send
from tests.app.test_on_demand_nodes import Nodes, make_nodes
from worldmail.testing.postgres import PostgresProcess
from worldmail.testing.process import ServerProcess

__all__ = ["line"]

RELAYING = {"policy": {"relay_networks": ["127.0.0.1"]}, "queue": {"first_retry": "1s"}}
THERE = "postmaster@shop.test"


@pytest.fixture
def site(place: Path) -> Iterator[ServerProcess]:
    """The server of shop.test, at the far end of the line."""
    made = ServerProcess(directory=place / "site", domain="shop.test", forked=True)
    made.initialise()
    made.start()
    yield made
    made.stop()


@pytest.fixture
def nodes(place: Path, postgres: PostgresProcess, line: Line) -> Iterator[Nodes]:
    """Two servers of one site all of whose mail leaves over the line; neither runs."""
    made = make_nodes(place, postgres, "example.test")
    leaving_by(made.a, line, place)
    made.b.configure(RELAYING)
    for name, word in (("dial", f"touch {line.up}"), ("hang-up", f"rm -f {line.up}")):
        script(place / name, f"echo {name} $PPID >> {place}/calls; {word}")
    yield made
    for node in made:
        node.kill()


def calls(place: Path, nodes: Nodes) -> list[str]:
    """What was called, by which node: "dial a"."""
    pids = {str(node.process.pid): node.directory.name[-1] for node in nodes if node.process is not None}
    file = place / "calls"
    text = file.read_text() if file.exists() else ""
    return [f"{word} {pids.get(pid, '?')}" for word, pid in (line.split() for line in text.splitlines())]


def driving(place: Path, nodes: Nodes) -> tuple[ServerProcess, ServerProcess]:
    """Who called last, and the other one."""
    return (nodes.a, nodes.b) if calls(place, nodes)[-1][-1] == "a" else (nodes.b, nodes.a)


def stated(node: ServerProcess) -> str:
    return str(link(node, "show", "isp", "--json").json["state"])


def arrived(site: ServerProcess) -> int:
    return sum(record["event"] == "delivered" and record["to"] == THERE for record in records(site))


def test_one_node_brings_the_link_up_and_mail_of_both_goes_over_it(
    nodes: Nodes, site: ServerProcess, line: Line, place: Path
) -> None:
    dialled(nodes.a, place, "kind=windows", "when=never", "idle=1h")
    for node in nodes:
        node.start()
    for node in (nodes.a, nodes.b):
        for _ in range(3):
            send(node, THERE)
    assert arrived(site) == 0 and not line.up.exists()
    assert link(nodes.a, "up", "isp").status == 0
    until(lambda: arrived(site) == 6)
    for node in (nodes.a, nodes.b):
        send(node, THERE)
    until(lambda: arrived(site) == 8)
    assert len(calls(place, nodes)) == 1
    assert link(nodes.b, "down", "isp").status == 0
    assert not line.up.exists()
    said = calls(place, nodes)
    assert len(said) == 2 and said[0][-1] == said[1][-1] != "?", said
    for node in (nodes.b, nodes.a):
        send(node, THERE)
    assert link(nodes.b, "run", "isp").status == 0
    assert arrived(site) == 10
    assert line.early == 0


def test_where_the_node_is_killed_that_has_the_link_up_another_takes_it_down_and_up(
    nodes: Nodes, site: ServerProcess, line: Line, place: Path
) -> None:
    dialled(nodes.a, place, "kind=windows", "when=never", "idle=1h")
    for node in nodes:
        node.start()
    assert link(nodes.b, "up", "isp").status == 0
    driver, other = driving(place, nodes)
    send(driver, THERE)
    until(lambda: arrived(site) == 1)
    driver.kill()
    until(lambda: not line.up.exists())
    until(lambda: stated(other) == "down")
    send(other, THERE)
    assert link(other, "run", "isp").status == 0
    assert arrived(site) == 2 and line.early == 0
    driver.start()
    send(driver, THERE)
    assert link(driver, "run", "isp").status == 0
    assert arrived(site) == 3 and line.early == 0


def test_a_command_hears_soon_that_the_node_was_killed_that_brought_the_link_up(
    nodes: Nodes, line: Line, place: Path
) -> None:
    dialled(nodes.a, place, "kind=windows", "when=never", "idle=1h")
    for node in nodes:
        node.start()
    script(place / "dial", f"echo dial $PPID >> {place}/calls; exec sleep 100")
    with ThreadPoolExecutor() as pool:
        asked = pool.submit(link, nodes.a, "run", "isp")
        until(lambda: calls(place, nodes))
        driver, other = driving(place, nodes)
        driver.kill()
        answer = asked.result()
    assert answer.status == 1 and "the server that was at it stopped, or hangs" in answer.err
    until(lambda: stated(other) == "down")


@pytest.mark.skipif(not os.environ.get("WORLDMAIL_LONG"), reason="waits until it is clear that a node hangs")
def test_where_the_node_hangs_that_has_the_link_up_another_takes_over_and_mail_of_both_comes_once(
    nodes: Nodes, site: ServerProcess, line: Line, place: Path
) -> None:
    dialled(nodes.a, place, "idle=1h")
    for node in nodes:
        node.start()
    send(nodes.a, THERE)
    until(lambda: arrived(site) == 1)
    driver, other = driving(place, nodes)
    os.kill(driver.pid, signal.SIGSTOP)
    send(other, THERE)
    until(lambda: arrived(site) == 2)
    until(lambda: len(calls(place, nodes)) == 2)
    assert driving(place, nodes)[0] is other
    send(other, THERE)
    until(lambda: arrived(site) == 3)
    os.kill(driver.pid, signal.SIGCONT)
    send(driver, THERE)
    until(lambda: arrived(site) == 4)
    assert link(driver, "run", "isp").status == 0
    called = [word.split()[0] for word in calls(place, nodes)]
    assert called == ["dial", "hang-up", "dial", "hang-up"], "who was taken for dead calls nothing any more"
    assert line.early == 0


@pytest.mark.skipif(not os.environ.get("WORLDMAIL_LONG"), reason="waits while the database is away")
def test_a_link_stays_up_while_the_database_is_away(
    nodes: Nodes, site: ServerProcess, line: Line, place: Path, postgres: PostgresProcess
) -> None:
    dialled(nodes.a, place, "kind=windows", "when=never", "idle=1h")
    nodes.a.start()
    assert link(nodes.a, "up", "isp").status == 0
    postgres.kill()
    try:
        time.sleep(10)
        assert line.up.exists()
    finally:
        postgres.start()
    until(lambda: sent(nodes.a))
    until(lambda: arrived(site))
    assert link(nodes.a, "run", "isp").status == 0
    assert calls(place, nodes) == ["dial a", "hang-up a"] and line.early == 0


def sent(node: ServerProcess) -> bool:
    try:
        send(node, THERE)
    except (smtplib.SMTPException, OSError):
        return False
    return True
