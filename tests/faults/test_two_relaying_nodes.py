"""Two processes on one queue: what one of them was sending when it died, the other sends soon, and nobody else does."""

from __future__ import annotations

import os
import smtplib
from collections.abc import Iterator
from pathlib import Path

import pytest
from oracle.exchange import eventually
from oracle.relay_site import SENDER, Nodes, RelaySite
from scripted_peers import ScriptedPeer

from worldmail.testing.names import NameServer
from worldmail.testing.postgres import PostgresProcess
from worldmail.testing.process import ServerProcess

SOON = 20.0
"""Seconds: twice what lies between two looks for runners that died."""


@pytest.fixture(params=[Nodes.TWO_ON_ONE_FILE, Nodes.TWO_ON_POSTGRES], ids=["sqlite", "postgres"])
def nodes(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RelaySite]:
    """Both processes run, and nobody else."""
    kind: Nodes = request.param
    if kind is Nodes.TWO_ON_POSTGRES and not os.environ.get("WORLDMAIL_LONG"):
        pytest.skip("in the long form; tests/queue has two runners on PostgreSQL")
    postgres: PostgresProcess | None = None
    if kind is Nodes.TWO_ON_POSTGRES:
        postgres = request.getfixturevalue("postgres_server")
    with NameServer({}) as names:
        site = RelaySite(place=tmp_path, names=names, kind=kind, database=postgres)
        for server in (*site.nodes, site.last):
            server.forked = True
        site.prepare()
        try:
            for node in site.nodes:
                node.start()
            yield site
        finally:
            site.remove()
            print(*[node.tail(1500) for node in site.nodes], sep="\n")


def send(node: ServerProcess, *subjects: str) -> None:
    """To b.test."""
    with smtplib.SMTP("127.0.0.1", node.port(25), timeout=60) as client:
        for subject in subjects:
            client.sendmail(SENDER, ["box0@b.test"], f"Subject: {subject}\r\n\r\ntext\r\n")


def test_what_a_process_was_sending_when_it_died_or_stopped_the_other_sends_within_seconds(nodes: RelaySite) -> None:
    second = nodes.second
    assert second is not None
    subjects = [f"number {number}" for number in range(20)]
    with ScriptedPeer(address="127.0.0.1", port=nodes.last.port(25), answers={"MAIL": ["SILENCE"]}) as peer:
        send(nodes.first, *subjects)
        assert eventually(lambda: peer.connections > 0)
        leased = "SELECT count(*) FROM recipient WHERE runner_id IS NOT NULL"
        assert eventually(lambda: nodes.ask(leased) == [(20,)])
        assert peer.connections <= 2, "where nothing was taken yet, each process has one connection"
        nodes.first.kill()
        peer.heal()
        assert eventually(lambda: len(peer.taken) == 20, SOON), peer.taken
        assert sorted(peer.taken) == sorted(subjects)
    assert eventually(lambda: nodes.left() == [])
    nodes.first.start()
    with ScriptedPeer(address="127.0.0.1", port=nodes.last.port(25), answers={"RCPT": ["451 later"]}) as peer:
        send(nodes.first, "one", "two")
        assert eventually(lambda: peer.connections > 0)
        peer.heal()
        nodes.first.stop(30.0)
        assert eventually(lambda: sorted(peer.taken) == ["one", "two"], SOON), peer.taken
    assert eventually(lambda: nodes.left() == [])
    second.stop()
    assert nodes.ask("SELECT 1 FROM runner") == []
