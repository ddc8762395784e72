"""Two processes that work one queue: nothing is sent by both, and what one had the other takes over."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from oracle.relay_site import Nodes, RelaySite
from oracle.relay_trial import RelayTrial

from worldmail.testing.names import NameServer
from worldmail.testing.postgres import PostgresProcess


@pytest.fixture(params=[Nodes.TWO_ON_ONE_FILE, Nodes.TWO_ON_POSTGRES], ids=["sqlite", "postgres"])
def nodes(request: pytest.FixtureRequest, tmp_path: Path, long: bool) -> Iterator[RelaySite]:
    """A site whose first server is two processes."""
    kind: Nodes = request.param
    if not long:
        pytest.skip("in the long form; tests/faults and tests/queue have two runners")
    postgres: PostgresProcess | None = None
    if kind is Nodes.TWO_ON_POSTGRES:
        postgres = request.getfixturevalue("postgres_server")
    with NameServer({}) as names:
        site = RelaySite(place=tmp_path, names=names, kind=kind, database=postgres)
        site.prepare()
        if site.postfix is not None:
            site.postfix.initialise()
        try:
            yield site
        finally:
            site.remove()
            print(*[node.tail(1500) for node in site.nodes], sep="\n")


def test_two_processes_on_one_queue_send_nothing_twice(nodes: RelaySite, seed: int) -> None:
    assert RelayTrial(site=nodes, seed=seed, victims=(), sessions=8).run(0) == []


def test_what_one_process_had_in_its_hands_the_other_sends(nodes: RelaySite, seed: int, long: bool) -> None:
    trial = RelayTrial(site=nodes, seed=seed, victims=("first", "second", "second", "last"))
    assert trial.run(100 if long else 4, audit_every=25) == []
    assert trial.ledger.counts()["acknowledged"] > 0


def test_a_database_that_is_restarted_doubles_and_loses_nothing(
    postgres_server: PostgresProcess, tmp_path: Path, seed: int, long: bool
) -> None:
    """The servers live on and know what they sent, so this excuses no double."""
    if not long:
        pytest.skip("in the long form; tests/queue has locks that are lost")
    with NameServer({}) as names:
        site = RelaySite(place=tmp_path, names=names, database=postgres_server)
        site.prepare()
        if site.postfix is not None:
            site.postfix.initialise()
        try:
            trial = RelayTrial(site=site, seed=seed, victims=("database",), longest=3.0)
            assert trial.run(30 if long else 3, audit_every=10) == []
        finally:
            site.remove()
            print(site.first.tail(1500))
