"""What an idle connection costs: growth of the server's resident memory with 5,000 of them open."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from benchmarks.figures import Figure
from benchmarks.sides import memory
from worldmail.testing.process import ROOT, ServerProcess

CONNECTIONS = 5000
_CLIENTS = 2
_KIB = 1024
_SETTLE = 2.0
_KINDS = (
    ("SMTP", 25, "EHLO client.test", False, 8.0),
    ("POP3", 110, "CAPA", False, 8.0),
    ("SMTP in TLS", 465, "EHLO client.test", True, 40.0),
    ("POP3 in TLS", 995, "CAPA", True, 40.0),
)


def measure(server: ServerProcess, tell: Callable[[str], None]) -> Iterator[Figure]:
    """The server is stopped before, and after; each kind gets a fresh one."""
    for name, port, command, tls, goal in _KINDS:
        server.start()
        try:
            with held(server.port(port), 20, command, tls):
                pass
            time.sleep(_SETTLE)
            before = memory(server.pid, "VmRSS")
            with held(server.port(port), CONNECTIONS, command, tls):
                time.sleep(_SETTLE)
                after = memory(server.pid, "VmRSS")
        finally:
            server.stop()
        each = (after - before) / CONNECTIONS / _KIB
        tell(f"idle {name}: {before / _KIB / _KIB:.0f} MiB to {after / _KIB / _KIB:.0f} MiB")
        yield Figure(what=f"an idle connection, {name} ({CONNECTIONS} open)", unit="KiB", ours=[each], goal=goal)


@contextmanager
def held(port: int, count: int, command: str, tls: bool) -> Iterator[None]:
    """So many connections are open inside of the block, from two client processes."""
    arguments = (str(port), str(count // _CLIENTS), command, *(("tls",) if tls else ()))
    clients = [
        subprocess.Popen(
            (sys.executable, "-m", "benchmarks.hold", *arguments),
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for _ in range(_CLIENTS)
    ]
    try:
        for client in clients:
            assert client.stdout is not None
            if client.stdout.readline() != b"open\n":
                raise ConnectionError(f"not all of {count} connections could be opened")
        yield
    finally:
        for client in clients:
            client.communicate()
