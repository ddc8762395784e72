"""The reactor is never held up for long: a watchdog timer of 20 ms under load and under hostile input."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import large_mailbox
import pytest
import very_large_mailbox
from oracle.exchange import eventually
from oracle.fixtures import MakeServer
from oracle.imap import Imap
from oracle.ledger import Ledger
from oracle.load import Load
from oracle.trial import ACCOUNTS, PASSWORD, books_of, site_of

from worldmail.testing.process import ServerProcess

LAUNCHER = Path(__file__).with_name("launchers") / "watchdog.py"
PROMISED_MS = 100.0
RUNS = 3


def load(server: ServerProcess, seed: int) -> None:
    """20 SMTP sessions, 6 POP3 sessions and 6 IMAP sessions for three seconds."""

    async def run() -> None:
        site = site_of(server)
        async with Load(site=site, ledger=Ledger(), seed=seed, books=books_of(site)).running():
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


def hostile_by_imap(server: ServerProcess, seed: int) -> None:
    """The same over IMAP, by strangers and by somebody who signed in."""
    strange = (b"a CAPABILITY\r\n" * 20_000, b"A" * 2_000_000, b"a LOGIN {8000+}\r\n" * 1000)
    login = b'l LOGIN %b "%b"\r\ns SELECT INBOX\r\n' % (ACCOUNTS[0].encode(), PASSWORD.encode())
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = squeeze.compress(b"a NOOP\r\n" * 3_000_000) + squeeze.flush()
    with ThreadPoolExecutor(8) as threads:
        for octets in strange:
            threads.submit(throw, server.port(143), octets)
        for octets in attacks():
            threads.submit(throw, server.port(143), login + octets)
        threads.submit(throw, server.port(143), login + b"c COMPRESS DEFLATE\r\n", bomb)


def attacks() -> Iterator[bytes]:
    """Of one who signed in, and has selected a mailbox."""
    deep = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(5_000))
    wide = b"Content-Type: multipart/mixed; boundary=x\r\n\r\n" + b"--x\r\n\r\n.\r\n" * 50_000
    words = b"Subject: " + b"=?utf-8?q?=C3=A4?= " * 20_000 + b"\r\nTo: " + b"a <b@c>, " * 20_000 + b"\r\n\r\nx\r\n"
    references = b"Message-ID: <a@b>\r\nReferences: " + b"<%d@b> " * 1000 % tuple(range(1000)) + b"\r\n" * 2
    text = b"Content-Type: text/html; charset=utf-7\r\n\r\n" + b"<p " * 300_000 + b"+AGE-" * 100_000
    for message in (deep, wide, words, references, text):
        yield b"a APPEND INBOX {%d+}\r\n%b\r\n" % (len(message), message)
        yield b"b FETCH * (ENVELOPE BODYSTRUCTURE PREVIEW BODY.PEEK[1.1.1.1] BINARY.SIZE[1])\r\n" * 5
        yield b"c SEARCH BODY a SUBJECT b\r\nd THREAD REFERENCES UTF-8 ALL\r\ne SORT (SUBJECT TO) UTF-8 ALL\r\n" * 2
    ranges = b",".join(b"%d:%d" % (n, n + 1) for n in range(1, 100_000, 3))
    for word in (b"FETCH %b (FLAGS)", b"UID FETCH %b (FLAGS)", b"SEARCH UID %b", b"UID STORE %b +FLAGS (x)"):
        yield b"a " + word % ranges[:60_000].rpartition(b",")[0] + b"\r\n"
        yield b"a " + word % ranges + b"\r\n"
        yield b"a " + word % b"4294967295:1,*:1" + b"\r\n"
    yield b"a UID STORE 1:* +FLAGS.SILENT (%b)\r\n" % b" ".join(b"keyword%d" % n for n in range(5000))
    yield b'a LIST "" "' + b"%*" * 15_000 + b'"\r\n'
    yield b'a LIST "" (' + b'"*a*" ' * 5_000 + b'"b")\r\n'
    yield b"a SEARCH " + b"OR ALL " * 8_000 + b"ALL\r\n"
    yield b"a SEARCH " + b"(" * 30_000 + b"ALL" + b")" * 30_000 + b"\r\n"
    yield b"a SEARCH " + b"BODY a " * 8_000 + b"\r\n"
    yield b"a ID (" + b"{0+}\r\n " * 100_000
    yield b"a IDLE\r\n" + b"DONE\r\nb IDLE\r\n" * 20_000
    yield b"a NOOP\r\n" * 50_000


def large(server: ServerProcess, seed: int) -> None:
    """Everything that IMAP can ask of a mailbox with many thousands of messages."""

    async def run() -> None:
        client = await Imap.connect(site_of(server))
        await client.enter(ACCOUNTS[0], PASSWORD)
        await large_mailbox.work(client, partial(note, server))
        client.drop()

    asyncio.run(run())


def told_elsewhere(server: ServerProcess, seed: int) -> None:
    """What one session does with 100,000 messages, as others see it."""

    async def run() -> None:
        clients = [await Imap.connect(site_of(server)) for _ in range(3)]
        for client in clients:
            await client.ask(b'LOGIN %b "%b"' % (ACCOUNTS[0].encode(), PASSWORD.encode()))
        changing, idling, asking = clients
        await very_large_mailbox.work(changing, idling, asking, partial(note, server))
        for client in clients:
            client.drop()

    asyncio.run(run())


async def note(server: ServerProcess, step: str) -> None:
    """Print what the timer's lateness was, if it was much."""
    told = Path(server.environment["WATCHDOG"] + ".step")
    os.kill(server.pid, signal.SIGUSR2)
    while not (told.exists() and told.read_text().endswith("\n")):
        await asyncio.sleep(0.01)
    if float(told.read_text()) > PROMISED_MS / 3:
        print(f"{told.read_text().strip()} ms late: {step}")
    told.unlink()


def throw(port: int, *parts: bytes) -> None:
    """Send as much of each part as is taken, and read until the server is silent or gone."""
    with socket.create_connection(("127.0.0.1", port), 5) as connection:
        for octets in parts:
            throw_at(connection, octets)


def throw_at(connection: socket.socket, octets: bytes) -> None:
    """Over this connection."""
    with contextlib.suppress(OSError):
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


@pytest.mark.parametrize("work", [load, hostile, hostile_by_imap, large, told_elsewhere])
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
    """Nothing."""


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
    assert eventually(Path(f"{told}.begun").exists)
    work(server, seed)
    server.stop()
    return float(told.read_text())
