"""The reactor is never held up for long: a watchdog timer of 20 ms under load and under hostile input."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from oracle.fixtures import MakeServer
from oracle.ledger import Ledger
from oracle.load import Load
from oracle.trial import ACCOUNTS, site_of

from worldmail.testing.process import ServerProcess

LAUNCHER = Path(__file__).with_name("launchers") / "watchdog.py"
PROMISED_MS = 100.0
RUNS = 3


def load(server: ServerProcess, seed: int) -> None:
    """20 SMTP sessions and 6 POP3 sessions for three seconds."""

    async def run() -> None:
        async with Load(site=site_of(server), ledger=Ledger(), seed=seed).running():
            await asyncio.sleep(3)

    asyncio.run(run())


def hostile(server: ServerProcess, seed: int) -> None:
    """Floods, long lines, deep and wide messages; each on a connection of its own."""
    hello = b"EHLO x\r\n"
    mail = hello + b"MAIL FROM:<a@load.test>\r\n" + b"".join(b"RCPT TO:<%s>\r\n" % a.encode() for a in ACCOUNTS)
    deep = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(20_000))
    for port, octets in (
        (25, hello + b"NOOP\r\n" * 50_000),
        (25, b"A" * 2_000_000),
        (25, hello + b"MAIL FROM:<" + b"a." * 500_000 + b">\r\n"),
        (25, hello + b"MAIL FROM:<a@load.test>\r\n" + b"RCPT TO:<nobody@example.test>\r\n" * 20_000),
        (25, hello + b"AUTH PLAIN " + b"A" * 100_000 + b"\r\n"),
        (25, mail + b"DATA\r\nSubject: " + b"=?utf-8?q?" * 30_000 + b"\r\n\r\nx\r\n.\r\nQUIT\r\n"),
        (25, mail + b"DATA\r\n" + b"X-Many: y\r\n" * 100_000 + b"\r\nx\r\n.\r\nQUIT\r\n"),
        (25, mail + b"DATA\r\nMIME-Version: 1.0\r\n" + deep + b"\r\n.\r\nQUIT\r\n"),
        (25, mail + b"DATA\r\nSubject: x\r\n\r\n" + b"..\r\n" * 500_000 + b".\r\nQUIT\r\n"),
        (25, mail + b"DATA\r\nSubject: 8\r\n\r\n" + b"\xe4\xf6\xfc " * 500_000 + b"\r\n.\r\nQUIT\r\n"),
        (25, mail + b"BDAT 1\r\nx" * 20_000),
        (110, b"CAPA\r\n" * 20_000),
        (110, b"USER " + b"x" * 1_000_000 + b"\r\n"),
        (110, b"USER nobody@example.test\r\nPASS x\r\n" * 100),
    ):
        throw(server.port(port), octets)


def throw(port: int, octets: bytes) -> None:
    """Send as much of it as is taken, and read until the server is silent or gone."""
    with socket.create_connection(("127.0.0.1", port), 5) as connection, contextlib.suppress(OSError):
        connection.settimeout(1.0)
        for start in range(0, len(octets), 65536):
            connection.sendall(octets[start : start + 65536])
            with contextlib.suppress(TimeoutError, BlockingIOError):
                connection.setblocking(False)
                while connection.recv(1 << 20):
                    pass
            connection.settimeout(1.0)
        while connection.recv(1 << 20):
            pass


@pytest.mark.parametrize("work", [load, hostile])
def test_a_timer_is_never_late_by_more_than_100_ms(
    make_server: MakeServer, tmp_path: Path, seed: int, work: Callable[[ServerProcess, int], None]
) -> None:
    """The best of a few runs counts: a machine whose disk is busy holds up a timer as well."""
    figures: list[float] = []
    while len(figures) < RUNS and min(figures, default=PROMISED_MS) >= PROMISED_MS:
        figures.append(worst_lateness(make_server, tmp_path / f"run{len(figures)}", seed, work))
    print(f"worst lateness of a 20 ms timer, {work.__name__}: {figures} ms")
    assert min(figures) < PROMISED_MS


@pytest.mark.parametrize("held_up", ["sleep", "compute"])
def test_the_watchdog_notices_a_reactor_that_waits_or_computes_also_on_a_busy_machine(
    make_server: MakeServer, tmp_path: Path, seed: int, held_up: str
) -> None:
    hogs = [subprocess.Popen((sys.executable, "-c", "while True: pass")) for _ in range(2 * (os.cpu_count() or 1))]
    try:
        environment = {"HOLD_UP": held_up, "HOLD_UP_SECONDS": str(2 * PROMISED_MS / 1000)}
        worst = worst_lateness(make_server, tmp_path / "run", seed, idle, environment)
    finally:
        for hog in hogs:
            hog.kill()
            hog.wait()
    assert worst > PROMISED_MS


def idle(server: ServerProcess, seed: int) -> None:
    """Nothing, for a second."""
    time.sleep(1)


def worst_lateness(
    make_server: MakeServer,
    place: Path,
    seed: int,
    work: Callable[[ServerProcess, int], None],
    environment: Mapping[str, str] | None = None,
) -> float:
    server = make_server((sys.executable, str(LAUNCHER)), place)
    told = place.with_suffix(".worst")
    server.environment = {"WATCHDOG": str(told), **(environment or {})}
    server.start()
    assert server.process is not None
    server.process.send_signal(signal.SIGUSR1)
    work(server, seed)
    server.stop()
    return float(told.read_text())
