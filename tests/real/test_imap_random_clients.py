"""Five clients and deliveries at random on one INBOX, over TLS: each is told the truth, and all end with the same."""

from __future__ import annotations

import os
import random
import shutil
import smtplib
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations, starmap
from pathlib import Path

import pytest

from tests.real.conftest import ANN, BOB, PASSWORDS, Site
from tests.real.imap_believer import Believed, Believer
from worldmail.testing.postgres import PostgresProcess
from worldmail.testing.process import ServerProcess, free_port_base
from worldmail.testing.seeds import seed_of

FEW = 10
"""Texts: a run that read no more of them has shown little."""

SECONDS = 60 if os.environ.get("WORLDMAIL_LONG") else 4
ENABLES = ("", "IMAP4rev2", "CONDSTORE", "QRESYNC", "IMAP4rev2 QRESYNC")
PORTS = (25, 110, 143, 366, 465, 587, 993, 995)


PATIENCE = 90.0
"""Seconds in which what is to come must have come, also on a machine that does much else."""


def deliver_while(lasts: Callable[[], bool], server: ServerProcess, numbers: random.Random) -> None:
    """Mail that comes by SMTP."""
    with smtplib.SMTP("localhost", server.port(25), timeout=60) as smtp:
        while lasts():
            smtp.sendmail(BOB, [ANN], f"Subject: x\r\n\r\n{numbers.getrandbits(60)}\r\n")
            time.sleep(0.05)


def act_while(lasts: Callable[[], bool], client: Believer, faults: list[BaseException]) -> None:
    """Commands one after another, until one of the clients complains."""
    try:
        client.open()
        while lasts() and not faults:
            client.act()
    except BaseException as fault:  # the test raises it
        faults.append(fault)


def assert_all_are_told_the_truth(servers: Sequence[ServerProcess], tls: ssl.SSLContext) -> None:
    """For some seconds, the clients taking turns at the servers; and what they believe then is how it is."""
    seed = seed_of("CLIENTS_SEED")
    print(f"CLIENTS_SEED={seed}")
    texts: dict[int, bytes] = {}

    def client(number: int, enables: str) -> Believer:
        return Believer(
            port=servers[number % len(servers)].port(993),
            tls=tls,
            login=(ANN, PASSWORDS[ANN]),
            texts=texts,
            enables=enables,
            random=random.Random(f"{seed} {number}"),
        )

    clients = list(starmap(client, enumerate(ENABLES)))
    faults: list[BaseException] = []
    began = time.monotonic()

    def lasts() -> bool:
        taken = time.monotonic() - began
        return taken < SECONDS or (taken < PATIENCE and len({*list(texts.values())}) <= FEW)

    threads = [threading.Thread(target=act_while, args=(lasts, one, faults)) for one in clients]
    threads.append(threading.Thread(target=deliver_while, args=(lasts, servers[0], random.Random(seed))))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if faults:
        raise faults[0]
    wait_until_told(clients)
    views = [one.look(quiet=True) for one in clients]
    print(f"{sum(one.commands for one in clients)} commands, {len(views[0])} messages, {len(texts)} texts read")
    assert all(view == views[0] for view in views)
    late = client(len(clients), "")
    late.open()
    assert late.look(quiet=True) == views[0]
    assert len(set(texts.values())) > FEW


def wait_until_told(clients: Sequence[Believer]) -> None:
    """Until nobody believes what another one does not: of what other processes did, one is told in a moment."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        beliefs = [one.believed() for one in clients]
        if all(starmap(agree, combinations(beliefs, 2))):
            return
        time.sleep(0.1)


def agree(some: Sequence[Believed], others: Sequence[Believed]) -> bool:
    """What was never told agrees with anything."""
    return len(some) == len(others) and all(
        None in (told, other) or told == other
        for one, another in zip(some, others, strict=True)
        for told, other in zip(one, another, strict=True)
    )


def test_five_clients_at_random_are_told_the_truth_and_end_with_the_same(mail: Site) -> None:
    assert_all_are_told_the_truth([mail.server], mail.tls)


@pytest.fixture
def nodes(tmp_path: Path, postgres_server: PostgresProcess) -> Iterator[list[ServerProcess]]:
    """Two servers on one PostgreSQL database."""
    first = ServerProcess(directory=tmp_path / "first", init_options=("--database", postgres_server.url()), forked=True)
    second = ServerProcess(directory=tmp_path / "second", forked=True)
    first.initialise()
    for account, password in PASSWORDS.items():
        first.add_user(account, password)
    shutil.copytree(first.directory, second.directory)
    while abs(second.port_base - first.port_base) < 1000:
        second.port_base = free_port_base()
    text = first.config.read_text()
    for port in PORTS:
        text = text.replace(f":{first.port(port)}", f":{second.port(port)}")
    second.config.write_text(text)
    try:
        for node in (first, second):
            node.start()
        yield [first, second]
    finally:
        for node in (first, second):
            node.kill()


def test_clients_of_two_nodes_on_one_PostgreSQL_database_are_told_the_truth_as_well(nodes: list[ServerProcess]) -> None:
    tls = ssl.create_default_context(cafile=str(nodes[0].directory / "tls" / "certificate.pem"))
    assert_all_are_told_the_truth(nodes, tls)
