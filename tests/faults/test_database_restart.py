"""The database server restarts while other servers' replies are awaited: everything is sent, and nothing twice."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from oracle.exchange import eventually
from oracle.relay_site import Nodes, RelaySite
from scripted_peers import ScriptedPeer
from test_two_relaying_nodes import send

from worldmail.testing.names import NameServer
from worldmail.testing.postgres import PostgresProcess

AWAY = 2.0
"""Seconds."""

SUBJECTS = [f"number {number}" for number in range(12)]


@pytest.fixture(params=[Nodes.ONE, Nodes.TWO_ON_POSTGRES], ids=["one", "two"])
def site(request: pytest.FixtureRequest, tmp_path: Path, postgres_server: PostgresProcess) -> Iterator[RelaySite]:
    """All its processes run."""
    kind: Nodes = request.param
    if kind is Nodes.TWO_ON_POSTGRES and not os.environ.get("WORLDMAIL_LONG"):
        pytest.skip("in the long form")
    with NameServer({}) as names:
        made = RelaySite(place=tmp_path, names=names, kind=kind, database=postgres_server)
        for server in (*made.nodes, made.last):
            server.forked = True
        made.prepare()
        try:
            for node in made.nodes:
                node.start()
            yield made
        finally:
            made.remove()
            print(*[node.tail(1500) for node in made.nodes], sep="\n")


@pytest.mark.parametrize("away", [True, False], ids=["replies while it is away", "replies when it is back"])
def test_a_database_server_that_is_gone_for_seconds_makes_no_doubles(
    site: RelaySite, postgres_server: PostgresProcess, away: bool
) -> None:
    if away and not os.environ.get("WORLDMAIL_LONG"):
        pytest.skip("in the long form")
    runners = "SELECT id FROM runner ORDER BY id"
    assert eventually(lambda: len(site.ask(runners)) == len(site.nodes))
    before = site.ask(runners)
    with ScriptedPeer(address="127.0.0.1", port=site.last.port(25)) as peer:
        peer.replies.clear()
        for number, node in enumerate(site.nodes):
            send(node, *SUBJECTS[number :: len(site.nodes)])
        assert eventually(lambda: len(peer.taken) == len(site.nodes)), peer.taken
        postgres_server.stop()
        try:
            time.sleep(AWAY / 2)
            if away:
                peer.replies.set()
            time.sleep(AWAY / 2)
        finally:
            postgres_server.start()
        time.sleep(AWAY)
        peer.replies.set()
        assert eventually(lambda: site.left() == [], 60.0), peer.taken
        assert sorted(peer.taken) == sorted(SUBJECTS)
    assert site.ask(runners) == before, "nobody was taken for dead"
    assert site.ask("SELECT 1 FROM trace WHERE event IN ('reclaimed', 'deferred')") == []
