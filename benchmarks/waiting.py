"""Sites that wait at a relay with turns that stay open: what each costs, and how soon mail is in a site's mailbox.

1,000 sites, each with an account, a hold, a domain and a pair of its own, wait in TLS. What is measured for one is
the growth of the relay's resident memory from before the first of them signs in: what is remembered of logins,
accounts and holds is in it. Then one more site, a WorldMail, waits too, and gets mail one by one: from the moment in
which the client begins to send the text to the EXISTS that a client in IDLE hears at the site.
"""

from __future__ import annotations

import json
import smtplib
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw
from attrs import define

from benchmarks.figures import Figure
from benchmarks.hold import until_line
from benchmarks.sides import DOMAIN, PASSWORD, mailbox_address, memory
from benchmarks.sites import ODMR, RECIPIENT, RelayAndSite, message
from benchmarks.worldmail_side import copy_account
from worldmail.testing.process import ROOT, ServerProcess

SITES = 1000
_DELIVERIES = 200
_OCTETS = 2048
_WARM = 20
_CLIENTS = 2
_SETTLE = 3.0
_KIB = 1024
_CHEAP = {"argon2_time": 1, "argon2_memory": 8192, "scram_iterations": 4096}
"""Signing in is not what is measured, and a thousand passwords take long."""


def measure(place: Path, count: int, tell: Callable[[str], None]) -> Iterator[Figure]:
    """So many sites; the latency with all of them waiting."""
    both = RelayAndSite(directory=place)
    both.prepare()
    _add_sites(both.relay, _WARM + count)
    with both.running():
        with waiting(both.relay, 1, _WARM):
            pass
        time.sleep(_SETTLE)
        before = memory(both.relay.pid, "VmRSS")
        with waiting(both.relay, 1 + _WARM, count):
            time.sleep(_SETTLE)
            after = memory(both.relay.pid, "VmRSS")
            tell(f"  {count} sites: {before / _KIB / _KIB:.1f} MiB to {after / _KIB / _KIB:.1f} MiB")
            each = (after - before) / count / _KIB
            yield Figure(what=f"a site that waits in TLS ({count} of them)", unit="KiB", ours=[each], goal=60)
            seen = latencies(both)
        what = f"from a relay's end of data to the site's mailbox ({count} sites wait)"
        yield Figure(what=what, unit="ms", ours=seen, goal=1000)
        yield Figure(what="the worst of these", unit="ms", ours=[max(seen)], goal=1000)


@contextmanager
def waiting(relay: ServerProcess, first: int, count: int) -> Iterator[None]:
    """So many sites wait inside of the block, from two client processes."""
    share = count // _CLIENTS
    clients = [
        subprocess.Popen(
            (sys.executable, "-m", "benchmarks.hold_turns", *map(str, (relay.port(ODMR), first + at * share, share))),
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for at in range(_CLIENTS)
    ]
    try:
        for client in clients:
            assert client.stdout is not None
            if client.stdout.readline() != b"open\n":
                raise ConnectionError(f"not all of {count} sites could wait")
        yield
    finally:
        for client in clients:
            client.communicate()


def latencies(both: RelayAndSite) -> list[float]:
    """Milliseconds for each of some messages, one after the other."""
    both.stay()
    text = message(_OCTETS)
    found = []
    with (
        Watched.opened(both.site) as mailbox,
        smtplib.SMTP("127.0.0.1", both.relay.port(25), "client.test") as client,
    ):
        client.ehlo()
        for _ in range(1 + _DELIVERIES):
            client.mail("sender@elsewhere.test")
            client.rcpt(RECIPIENT)
            began = time.monotonic()
            client.data(text)
            mailbox.until_told()
            found.append((time.monotonic() - began) * 1e3)
    return found[1:]  # the first one waited for the turn to begin


@define
class Watched:
    """A client in IDLE that looks at the mailbox of the site's postmaster."""

    _connection: socket.socket

    @classmethod
    @contextmanager
    def opened(cls, site: ServerProcess) -> Iterator[Watched]:
        """Inside of the block."""
        with socket.create_connection(("127.0.0.1", site.port(143)), 60) as connection:
            until_line(connection, "IMAP")
            for command in (f"LOGIN {RECIPIENT} {PASSWORD}", "SELECT INBOX", "IDLE"):
                connection.sendall(f"a {command}\r\n".encode())
                until_line(connection, "IMAP")
            yield cls(connection)

    def until_told(self) -> None:
        """The next message is there. Raises TimeoutError."""
        while b"EXISTS" not in self._connection.recv(4096):
            pass


def _add_sites(relay: ServerProcess, count: int) -> None:
    """Accounts, domains, holds and pairs, in the database at once."""
    relay.command("domain", "add", DOMAIN)
    relay.configure({"auth": {"plaintext_without_tls": ["127.0.0.0/8"], **_CHEAP}})
    relay.add_user(mailbox_address(1), PASSWORD)
    database = relay.directory / "worldmail.sqlite"
    copy_account(database, count)
    connection = apsw.Connection(str(database))
    with connection:
        for number in range(1, count + 1):
            domain, account = f"site{number}.test", mailbox_address(number)
            connection.execute("INSERT INTO domain (name, kind) VALUES (?, 'relay')", (domain,))
            hold = {"domains": domain, "accounts": account}
            pair = {"end": "relay", "account": account, "domains": domain, "joined": "1"}
            for kind, texts in (("hold", hold), ("pair", pair)):
                connection.execute(
                    "INSERT INTO entry (kind, name, texts) VALUES (?, ?, ?)", (kind, f"site{number}", json.dumps(texts))
                )
    connection.close()
