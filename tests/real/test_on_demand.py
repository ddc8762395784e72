"""Mail on demand with other people's programs: fetchmail asks by ETRN, Postfix is asked, and takes what is turned."""

from __future__ import annotations

import asyncio
import os
import shutil
import smtplib
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import apsw
import pytest

from worldmail.testing.odmr_customer import OdmrCustomer
from worldmail.testing.postfix import PostfixProcess, missing_postfix
from worldmail.testing.process import ServerProcess, free_port_base

SMTP, ODMR = 25, 366
ACCOUNT, PASSWORD = "shop@relay.test", "correct horse"
WITHIN = 120.0

needs_postfix = pytest.mark.skipif(missing_postfix() is not None, reason=missing_postfix() or "")
needs_fetchmail = pytest.mark.skipif(shutil.which("fetchmail") is None, reason="needs fetchmail")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[ServerProcess]:
    """The server of shop.test; it does not run yet."""
    made = ServerProcess(directory=tmp_path / "site", domain="shop.test", forked=True)
    made.initialise()
    yield made
    made.kill()


@pytest.fixture
def relay(tmp_path: Path, site: ServerProcess) -> Iterator[ServerProcess]:
    """A server that holds mail for shop.test; the hold lets it go to the site's server if it is asked from here."""
    made = ServerProcess(directory=tmp_path / "relay", domain="relay.test", forked=True)
    while abs(made.port_base - site.port_base) < 1000:
        made.port_base = free_port_base()
    made.initialise()
    made.command("domain", "add", "shop.test", "--kind", "relay")
    made.add_user(ACCOUNT, PASSWORD)
    made.start()
    yield made
    made.kill()


def send(port: int, *, count: int = 1, to: str = "postmaster@shop.test") -> None:
    with smtplib.SMTP("127.0.0.1", port, timeout=60) as client:
        for number in range(count):
            client.sendmail("a@a.test", [to], f"Subject: number {number}\r\n\r\n.dots\r\n..\r\n.\r\ntext\r\n")


def arrived(site: ServerProcess) -> int:
    """How many messages the site's mailboxes have."""
    connection = apsw.Connection(str(site.directory / "worldmail.sqlite"), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        connection.set_busy_timeout(5000)
        ((count,),) = connection.execute("SELECT count(*) FROM message").fetchall()
        return int(count)
    finally:
        connection.close()


def waiting(relay: ServerProcess) -> bool:
    return "shop.test" in relay.command("queue", "list", "--json")


def until(holds: Callable[[], bool], what: Callable[[], str] = lambda: "") -> None:
    deadline = time.monotonic() + WITHIN
    while not holds():
        assert time.monotonic() < deadline, what()
        time.sleep(0.1)


def fetchmail(place: Path, line: str) -> subprocess.CompletedProcess[bytes]:
    rc = place / "fetchmailrc"
    rc.write_text(line + "\n")
    rc.chmod(0o600)
    environment = {**os.environ, "HOME": str(place), "FETCHMAILHOME": str(place)}
    return subprocess.run(("fetchmail", "-v", "-f", str(rc)), env=environment, capture_output=True, timeout=60)


@needs_fetchmail
def test_fetchmail_asks_by_ETRN(relay: ServerProcess, site: ServerProcess, tmp_path: Path) -> None:
    way = ("release=host", "host=127.0.0.1", f"port={site.port(SMTP)}", "security=never", "networks=127.0.0.1")
    relay.command("hold", "add", "shop", "domains=shop.test", *way)
    until(lambda: "shop" in relay.command("hold", "list"))
    send(relay.port(SMTP), count=3)
    site.start()
    line = f"poll 127.0.0.1 proto ETRN service {relay.port(SMTP)} fetchdomains shop.test"
    line += f" smtphost 127.0.0.1/{site.port(SMTP)}"
    asked = fetchmail(tmp_path, line)
    assert b"ETRN shop.test" in asked.stdout
    until(lambda: arrived(site) == 3, lambda: asked.stdout.decode())
    assert b"253 2.0.0 Ok, 3 pending messages for node shop.test started" in asked.stdout
    until(lambda: not waiting(relay))
    again = fetchmail(tmp_path, line)
    assert b"251 2.0.0" in again.stdout, again.stdout.decode()


@needs_fetchmail
def test_fetchmail_fetches_by_ODMR(relay: ServerProcess, site: ServerProcess, tmp_path: Path) -> None:
    """Small messages and one in many chunks: it passes both sides' octets on line by line."""
    relay.command("hold", "add", "shop", "domains=shop.test", f"accounts={ACCOUNT}")
    secret = relay.command("user", "set", ACCOUNT, "legacy-auth=on").split()[-1]
    until(lambda: "shop" in relay.command("hold", "list"))
    send(relay.port(SMTP), count=3)
    with smtplib.SMTP("127.0.0.1", relay.port(SMTP), timeout=60) as client:
        client.sendmail("a@a.test", ["postmaster@shop.test"], "Subject: large\r\n\r\n" + ("x" * 68 + "\r\n") * 20_000)
    send(relay.port(SMTP), count=3)
    site.start()
    line = f'poll 127.0.0.1 proto ODMR service {relay.port(ODMR)} user "{ACCOUNT}" pass "{secret}"'
    line += f" fetchdomains shop.test smtphost 127.0.0.1/{site.port(SMTP)}"
    fetched = fetchmail(tmp_path, line)
    assert b"BDAT" in fetched.stdout and b"QUIT" in fetched.stdout, fetched.stdout[-1000:]
    until(lambda: arrived(site) == 7 and not waiting(relay), lambda: fetched.stdout[-1000:].decode())


@needs_postfix
def test_a_Postfix_is_asked_by_ETRN(site: ServerProcess) -> None:
    """It holds back what it could not deliver, and would try it again in an hour."""
    settings = {"relay_domains": "shop.test", "queue_run_delay": "1h", "minimal_backoff_time": "1h"}
    postfix = PostfixProcess(
        hostname="mx.relay.test",
        ways={"shop.test": ("127.0.0.1", site.port(SMTP))},
        settings={**settings, "maximal_backoff_time": "2h"},
    )
    server = ("kind=etrn", "host=127.0.0.1", f"port={postfix.port}", "security=never")
    site.command("agent", "add", "isp", *server, "names=shop.test")
    site.command("agent", "add", "wrong", *server, "names=shop.test,other.test,#queue")
    try:
        postfix.initialise()
        postfix.start()
        send(postfix.port, count=3)
        until(lambda: postfix.tail(100_000).count("status=deferred") == 3, postfix.tail)
        site.start()
        tried = site.command("agent", "test", "isp")
        assert "ETRN is offered" in tried
        assert arrived(site) == 0
        assert "shop.test: 250 Queuing started" in site.command("agent", "run", "isp")
        until(lambda: arrived(site) == 3, postfix.tail)
        with pytest.raises(subprocess.CalledProcessError) as failed:
            site.command("agent", "run", "wrong")
        assert "459" in failed.value.stderr and "shop.test: 250" in failed.value.stderr
    finally:
        postfix.remove()


@needs_postfix
@pytest.mark.parametrize("discarded", ["", "chunking", "chunking, pipelining"])
def test_a_turn_ends_at_a_Postfix(relay: ServerProcess, site: ServerProcess, discarded: str) -> None:
    """Which takes all at once, or each envelope behind the dot of the message before, or one after the other."""
    relay.command("hold", "add", "shop", "domains=shop.test", f"accounts={ACCOUNT}")
    site.start()
    settings = {"relay_domains": "shop.test", "smtpd_discard_ehlo_keywords": discarded}
    postfix = PostfixProcess(
        hostname="mx.shop.test", ways={"shop.test": ("127.0.0.1", site.port(SMTP))}, settings=settings
    )
    try:
        postfix.initialise()
        postfix.start()
        until(lambda: "shop" in relay.command("hold", "list"))
        send(relay.port(SMTP), count=20)
        customer = OdmrCustomer(account=ACCOUNT, password=PASSWORD, server=postfix.port)
        asyncio.run(customer.fetch(relay.port(ODMR)))
        until(lambda: not waiting(relay))
        until(lambda: arrived(site) == 20, postfix.tail)
        assert "improper command pipelining" not in postfix.tail(100_000)
    finally:
        postfix.remove()
