"""A backlog for many destinations, some of which never answer: do the good ones drain at full speed?

100,000 recipients in 1,000 domains come in while nothing goes out. Then the servers of 900 domains appear; those of 100
stay silent: connections to them are never accepted. It is told what came out second by second, and how the server's
memory grew. The same is done with 900 domains that all answer: the difference is what the silent ones cost.
"""

from __future__ import annotations

import contextlib
import smtplib
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from attrs import define, field

from benchmarks.figures import Figure
from benchmarks.peers import free_port
from benchmarks.relay import Sink
from benchmarks.sides import memory
from benchmarks.worldmail_side import WorldMail
from worldmail.testing.names import NameServer

GOOD, SILENT, EACH = 900, 100, 100
_AT_ONCE = 10
_STOPPED = 60.0
_LISTENED = 1


@define(kw_only=True)
class Silence:
    """Addresses where a connection is neither taken nor refused: what waits to be accepted there is full."""

    port: int
    address: str = "127.0.0.2"
    _open: contextlib.ExitStack = field(factory=contextlib.ExitStack)

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Silent inside of the block."""
        with self._open:
            listening = self._open.enter_context(socket.socket())
            listening.bind((self.address, self.port))
            listening.listen(_LISTENED)
            for _ in range(_LISTENED + 8):
                waiting = self._open.enter_context(socket.socket())
                waiting.setblocking(False)
                waiting.connect_ex((self.address, self.port))
            yield


@define(kw_only=True)
class Drained:
    """How a backlog went: messages that had come out after each second, the seconds it took, octets of growth."""

    curve: list[int]
    seconds: float
    growth: int


def measure(place: Path, tell: Callable[[str], None]) -> Iterator[Figure]:
    """With silent destinations, and without."""
    silent = drain(place / "silent", GOOD, SILENT, tell)
    alone = drain(place / "alone", GOOD, 0, tell)
    wanted = GOOD * EACH
    what = f"{wanted:,} recipients in {GOOD} domains drain"
    yield Figure(
        what=f"{what}, {SILENT} silent domains beside them, against none",
        unit="/s",
        ours=[wanted / silent.seconds],
        theirs=[wanted / alone.seconds],
        goal=0.8,
    )
    yield Figure(what="memory growth meanwhile", unit="MiB", ours=[silent.growth / 2**20], goal=100)


def drain(place: Path, good: int, silent: int, tell: Callable[[str], None]) -> Drained:
    """Fill the queue, let it go, and watch."""
    place.mkdir()
    port = free_port()
    sink = Sink(directory=place, port=port)
    zone = {f"d{n}.test": {"MX": ["10 mx.good.test"]} for n in range(good)}
    zone |= {f"d{n}.test": {"MX": ["10 mx.silent.test"]} for n in range(good, good + silent)}
    zone |= {"mx.good.test": {"A": ["127.0.0.1"]}, "mx.silent.test": {"A": ["127.0.0.2"]}}
    with NameServer(zone) as names, Silence(port=port).running():
        server = WorldMail(directory=place / "w", mailboxes=1)
        server.prepare()
        server.server.configure(
            {
                "dns": {"servers": [names.setting]},
                "queue": {"port": port, "first_retry": "10m", "connections": 400, "addresses": "ipv4"},
            }
        )
        server.server.command("route", "add", "later", "via=hold")
        with server.running():
            fill(server.smtp_port, good + silent)
            tell(f"  {(good + silent) * EACH:,} recipients are in the queue")
            before = memory(server.server.pid, "VmRSS")
            server.server.command("route", "remove", "later")
            with sink.running():
                server.server.command("queue", "release", "--all")
                drained = watch(sink, good * EACH, tell)
            drained.growth = memory(server.server.pid, "VmHWM") - before
    tell(f"  curve (messages out after each second): {' '.join(map(str, drained.curve))}")
    return drained


def watch(sink: Sink, wanted: int, tell: Callable[[str], None]) -> Drained:
    """Until all is out, or nothing has come for a while."""
    curve, started, last = [0], time.monotonic(), time.monotonic()
    while curve[-1] < wanted and time.monotonic() - last < _STOPPED:
        time.sleep(1)
        came = sink.messages()
        if came > curve[-1]:
            last = time.monotonic()
        curve.append(came)
    if curve[-1] < wanted:
        tell(f"  only {curve[-1]} of {wanted} came out")
    return Drained(curve=curve, seconds=last - started, growth=0)


def fill(port: int, domains: int) -> None:
    """Messages with one recipient in each of 100 domains, so that every domain gets as many."""
    batches = [
        [f"box{n}@d{d}.test" for d in range(first, first + 100)]
        for first in range(0, domains, 100)
        for n in range(EACH)
    ]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for sent in [pool.submit(_send, port, batches[at::_AT_ONCE]) for at in range(_AT_ONCE)]:
            sent.result()


def _send(port: int, batches: list[list[str]]) -> None:
    text = b"Subject: backlog\r\n\r\n" + b"x" * 70 + b"\r\n"
    with smtplib.SMTP("127.0.0.1", port, "client.test") as connection:
        for recipients in batches:
            connection.sendmail("sender@client.test", recipients, text)
