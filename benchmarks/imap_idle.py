"""10,000 connections in IDLE: what each costs, and how soon one is told of a message."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from benchmarks.figures import Figure
from benchmarks.imap_client import ImapClient
from benchmarks.imap_mail import messages
from benchmarks.sides import mailbox_address, memory
from worldmail.testing.process import ROOT, ServerProcess

CONNECTIONS = 10_000
ACCOUNTS = 200
DELIVERIES = 20
_CLIENTS = 2
_SETTLE = 3.0
_KIB = 1024

Clients = list["subprocess.Popen[bytes]"]


def measure(server: ServerProcess, tell: Callable[[str], None]) -> Iterator[Figure]:
    """The server is stopped before, and after; plain and TLS get a fresh one each."""
    for tls in (False, True):
        server.start()
        try:
            with idling(server, ACCOUNTS, tls):  # every account has signed in once: logins are not what is measured
                pass
            time.sleep(_SETTLE)
            before = memory(server.pid, "VmRSS")
            with idling(server, CONNECTIONS, tls) as clients:
                time.sleep(_SETTLE)
                after = memory(server.pid, "VmRSS")
                seen = list(_seen(server, clients))
        finally:
            server.stop()
        tell(f"IDLE, {'TLS' if tls else 'plain'}: {before >> 20} MiB to {after >> 20} MiB")
        if tls:
            yield Figure(
                what=f"memory of all, {CONNECTIONS} in IDLE in TLS", unit="MiB", ours=[after / 2**20], goal=600
            )
        else:
            each = (after - before) / CONNECTIONS / _KIB
            yield Figure(what=f"a connection in IDLE ({CONNECTIONS} open)", unit="KiB", ours=[each], goal=10)
        what = f"a message is told in IDLE ({CONNECTIONS} open{', TLS' if tls else ''})"
        yield Figure(what=what, unit="ms", ours=seen, goal=50)


@contextmanager
def idling(server: ServerProcess, count: int, tls: bool) -> Iterator[Clients]:
    """So many connections are in IDLE inside of the block, held by two processes."""
    arguments = (
        str(server.port(993 if tls else 143)),
        str(count // _CLIENTS),
        str(ACCOUNTS),
        *(("tls",) if tls else ()),
    )
    clients: Clients = [
        subprocess.Popen(
            (sys.executable, "-m", "benchmarks.hold_imap", *arguments),
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for _ in range(_CLIENTS)
    ]
    try:
        for client in clients:
            if _line(client) != b"open\n":
                raise ConnectionError(f"not all of {count} connections could be opened")
        yield clients
    finally:
        for client in clients:
            client.communicate()


def _seen(server: ServerProcess, clients: Clients) -> Iterator[float]:
    """Milliseconds from the APPEND of a message to the first connection that is told of it, for several messages."""
    client = ImapClient(server.port(143), mailbox_address(ACCOUNTS))
    for message in messages("idle", DELIVERIES, 1024):
        began = time.monotonic_ns()
        client.append("INBOX", [message])
        first = min(int(_line(holder)) for holder in clients)
        yield (first - began) / 1e6
        for holder in clients:  # the others that look at the same mailbox
            for _ in range(CONNECTIONS // _CLIENTS // ACCOUNTS - 1):
                _line(holder)
    client.close()


def _line(client: subprocess.Popen[bytes]) -> bytes:
    assert client.stdout is not None
    return client.stdout.readline()
