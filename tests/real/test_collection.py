"""Mail is fetched from Debian's Dovecot by POP3 and IMAP, by a server that is killed now and then."""

from __future__ import annotations

import contextlib
import imaplib
import os
import random
import re
import shutil
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.real.conftest import ANN, BOB, PASSWORDS
from tests.real.dovecot import PASSWORD, USER, Dovecot, missing
from worldmail.testing.process import CLI, ServerProcess, environment_of_tests
from worldmail.testing.slow_link import SlowLink

KINDS = ("pop3", "imap")
MANY = 200
RATE = 1_500_000
KILLS = int(os.environ.get("WORLDMAIL_COLLECTION_KILLS", "4"))


@pytest.fixture
def elsewhere() -> Iterator[Dovecot]:
    """A provider's server, with nothing on it."""
    why = missing()
    if why is not None:
        if os.environ.get("CI"):
            pytest.fail(why)
        pytest.skip(why)
    directory = Path(tempfile.mkdtemp(prefix="wm"))
    try:
        dovecot = Dovecot(directory=directory)
        with dovecot.running():
            yield dovecot
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    """A site with ann and bob."""
    made = ServerProcess(directory=tmp_path / "data", forked=True)
    made.initialise()
    for address, password in PASSWORDS.items():
        made.add_user(address, password)
    made.start()
    yield made
    made.kill()


def put(dovecot: Dovecot, *texts: str) -> None:
    connection = dovecot.connect()
    for text in texts:
        status, said = connection.append("INBOX", "", "", text.replace("\n", "\r\n").encode())
        assert status == "OK", said
    connection.logout()


def left(dovecot: Dovecot) -> int:
    connection = dovecot.connect()
    (count,) = connection.select("INBOX", readonly=True)[1]
    connection.logout()
    assert count is not None
    return int(count)


def unread(dovecot: Dovecot) -> int:
    connection = dovecot.connect()
    connection.select("INBOX", readonly=True)
    (found,) = connection.search(None, "UNSEEN")[1]
    connection.logout()
    return len(found.split())


def add_agent(server: ServerProcess, port: int, kind: str, *words: str) -> None:
    where = (f"kind={kind}", "host=127.0.0.1", f"port={port}", "security=never", f"user={USER}")
    server.command("agent", "add", "box", *where, *words, "--password-stdin", stdin=f"{PASSWORD}\n")


def subjects(server: ServerProcess, account: str) -> list[str]:
    connection = imaplib.IMAP4("127.0.0.1", server.port(143), timeout=30)
    connection.starttls(_trusting(server))
    connection.login(account, PASSWORDS[account])
    connection.select("INBOX", readonly=True)
    data = connection.fetch("1:*", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1]
    connection.logout()
    return [part[1].decode().partition(":")[2].strip() for part in data if isinstance(part, tuple)]


def _trusting(server: ServerProcess) -> object:
    import ssl

    context = ssl.create_default_context(cafile=str(server.directory / "tls" / "certificate.pem"))
    context.check_hostname = False
    return context


LINE = "x" * 70 + "\n"
BCC = """Received: from x by mx.provider.test; Mon, 1 Jan 2024 00:00:00 +0000
X-Nothing: here
From: eve@far.test
To: all@far.test
Subject: bcc

you are in Bcc
"""
LIST = """Received: from lists.test by mx.provider.test; Mon, 1 Jan 2024 00:00:00 +0000
From: eve@far.test
To: news@lists.test
List-Id: The news <news.lists.test>
Subject: list

news
"""
PLAIN = "From: eve@far.test\nTo: Ann <ann@example.test>\nSubject: plain\n\nhello\n"
TYPO = "From: eve@far.test\nTo: an@example.test\nSubject: typo\n\nhello\n"


@pytest.mark.parametrize("kind", KINDS)
def test_mail_of_a_domain_is_sorted_as_the_dry_run_said(kind: str, server: ServerProcess, elsewhere: Dovecot) -> None:
    put(elsewhere, f"Return-Path: <eve@far.test>\nX-Original-To: bob@example.test\n{BCC}", LIST, PLAIN, TYPO)
    add_agent(server, elsewhere.ports[kind], kind, "domains=example.test", f"rules=news.lists.test={ANN} {BOB}")
    said = server.command("agent", "test", "box")
    for line in (
        f'"bcc": for {BOB}, by X-Original-To (certain)',
        f'"list": for {ANN}, {BOB}, by rules (rule)',
        f'"plain": for {ANN}, by To (guess)',
        '"typo": unclaimed, by To (guess); not here: an@example.test',
    ):
        assert line in said, said
    assert left(elsewhere) == unread(elsewhere) == 4
    assert "4 fetched" in server.command("agent", "run", "box")
    assert left(elsewhere) == 0
    assert sorted(subjects(server, ANN)) == ["list", "plain"]
    assert sorted(subjects(server, BOB)) == ["bcc", "list"]
    _claim(server)


def _claim(server: ServerProcess) -> None:
    listed = server.command("unclaimed", "list").splitlines()
    assert len(listed) == 2
    id_ = listed[1].split()[0]
    assert "Subject: typo" in server.command("unclaimed", "show", id_)
    assert server.command("unclaimed", "export", id_).endswith("hello\n")
    server.command("unclaimed", "assign", id_, ANN)
    assert sorted(subjects(server, ANN)) == ["list", "plain", "typo"]
    assert len(server.command("unclaimed", "list").splitlines()) == 1
    story = server.command("trace", id_)
    assert "by the agent box, unclaimed, by To (guess); not here: an@example.test" in story
    assert f"it was unclaimed, an administrator gives it to {ANN}" in story


@pytest.mark.parametrize("kind", KINDS)
def test_what_stays_there_is_fetched_once(kind: str, server: ServerProcess, elsewhere: Dovecot) -> None:
    put(elsewhere, PLAIN, BCC)
    add_agent(server, elsewhere.ports[kind], kind, f"recipient={BOB}", "leave=forever")
    assert "2 fetched" in server.command("agent", "run", "box")
    put(elsewhere, LIST)
    assert "1 fetched" in server.command("agent", "run", "box")
    assert "0 fetched" in server.command("agent", "run", "box")
    assert sorted(subjects(server, BOB)) == ["bcc", "list", "plain"]
    assert left(elsewhere) == 3
    assert unread(elsewhere) == (3 if kind == "imap" else 0)  # by POP3 nobody can look without having read


@pytest.mark.parametrize("kind", KINDS)
def test_a_server_that_is_killed_or_cut_off_while_it_fetches_loses_and_doubles_nothing(
    kind: str, server: ServerProcess, elsewhere: Dovecot
) -> None:
    """`WORLDMAIL_COLLECTION_KILLS` says how often; the link lets a run take some seconds."""
    chance = random.Random(kind)
    put(elsewhere, *(f"From: eve@far.test\nTo: {ANN}\nSubject: n{n}\n\n{LINE * 300}\n" for n in range(MANY)))
    with SlowLink(target=elsewhere.ports[kind], delay=0.002, rate=RATE) as link:
        add_agent(server, link.port, kind, "domains=example.test")
        counts = []
        for turn in range(KILLS):
            before = _collected(server)
            if turn % 2:
                link.cut_after(chance.randrange(1, MANY * 21_000 // KILLS), "down", chance.choice(("rst", "fin")))
                _run_quietly(server)
                link.no_cut()
            else:
                _run_and_kill(server, before + chance.randrange(1, MANY // KILLS))
            counts.append(_collected(server) - before)
        for _ in range(3):
            _run_quietly(server)
    print(f"{kind}: fetched before each of {KILLS} kills and cuts: {counts}")
    assert Counter(subjects(server, ANN)) == Counter(f"n{n}" for n in range(MANY))
    assert left(elsewhere) == 0


def _run_and_kill(server: ServerProcess, fetched: int) -> None:
    """Kill the server when so many were fetched in all."""
    asking = subprocess.Popen(
        (*CLI, "--config", server.config, "agent", "run", "box"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment_of_tests({}),
    )
    _wait_for(server, fetched, asking)
    server.kill()
    asking.kill()
    asking.wait()
    server.start()


def _run_quietly(server: ServerProcess) -> None:
    with contextlib.suppress(subprocess.CalledProcessError):
        server.command("agent", "run", "box")


def _wait_for(server: ServerProcess, fetched: int, asking: subprocess.Popen[bytes]) -> None:
    """Until so many were fetched in all, or the run is over."""
    deadline = time.monotonic() + 20.0
    while _collected(server) < fetched and asking.poll() is None and time.monotonic() < deadline:
        time.sleep(0.001)


def _collected(server: ServerProcess) -> int:
    return len(re.findall(r"\"event\": ?\"accepted\"", server.log.read_text(errors="replace")))
