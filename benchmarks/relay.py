"""1 KB messages a second that a relay takes in and hands on: smtp-source in, smtp-sink out, 20 sessions.

Timed from the first connection to the moment when the sink has the last message. On both sides a message is on the
disk before it is acknowledged, and all of them go to one next hop, over at most 20 connections.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from attrs import define, field

from benchmarks.figures import Figure, interleaved
from benchmarks.peers import Peers, free_port, wait_for_greeting
from benchmarks.worldmail_side import WorldMail

SESSIONS = 20
OCTETS = 1024
_MESSAGES = 5000
_GOAL, _AIM = 2.0, 4.0
_TAIL = 80


@define(kw_only=True)
class Sink:
    """A server that takes everything and keeps nothing. It counts in a file."""

    directory: Path
    port: int = field(factory=free_port)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Serve inside of the block."""
        with self._counted.open("wb") as counted:
            command = ("smtp-sink", "-u", "nobody", "-c", f"127.0.0.1:{self.port}", "1000")
            sink = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=counted)
            try:
                wait_for_greeting(self.port)
                yield
            finally:
                sink.terminate()
                sink.wait()

    def messages(self) -> int:
        """How many it has taken."""
        with self._counted.open("rb") as counted:
            counted.seek(max(0, self._counted.stat().st_size - _TAIL))
            _, _, count = counted.read().rpartition(b"mesg=")
        return int(count) if count.strip().isdigit() else 0

    @property
    def _counted(self) -> Path:
        return self.directory / "sink"


@define(kw_only=True)
class Relay:
    """One side with the sink behind it."""

    side: WorldMail | Peers
    sink: Sink


def measure(ours: Relay, theirs: Relay, rounds: int, tell: Callable[[str], None]) -> Iterator[Figure]:
    """With a new connection each and with connections reused."""
    for reuse in (False, True):
        what = f"1 KB relayed, {'connections reused' if reuse else 'a connection each'}"
        tell(what)
        rates = partial(rate, ours, reuse), partial(rate, theirs, reuse)
        figures = interleaved(rounds, *rates, tell, catch_up=ours.side.catch_up)
        yield Figure(what=what, unit="/s", ours=figures[0], theirs=figures[1], goal=_GOAL, aim=_AIM)


def rate(relay: Relay, reuse: bool, messages: int = _MESSAGES) -> float:
    """Messages a second that came out, once."""
    before = relay.sink.messages()
    started = time.monotonic()
    keep = ("-d",) if reuse else ()
    fixed = ("-l", str(OCTETS), "-f", "sender@client.test", "-t", "to@elsewhere.test", "-M", "client.test")
    target = f"127.0.0.1:{relay.side.smtp_port}"
    subprocess.run(("smtp-source", *keep, *fixed, "-s", str(SESSIONS), "-m", str(messages), target), check=True)
    deadline = time.monotonic() + 60
    while (came := relay.sink.messages() - before) < messages:
        if time.monotonic() > deadline:
            raise AssertionError(f"{relay.side.name}: of {messages} messages {came} came out")
        time.sleep(0.005)
    return messages / (time.monotonic() - started)
