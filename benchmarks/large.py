"""10 MB messages: how fast, and how much memory while 20 come in at once."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator

from benchmarks.figures import Figure, interleaved
from benchmarks.sides import DOMAIN, Side, forget_peak, memory

SESSIONS = 20
MESSAGES = 40
OCTETS = 10 * 1024 * 1024
_MB = 1_000_000
_GOAL = 2.0
_MEMORY_GOAL_MB = 50.0


def measure(ours: Side, theirs: Side, rounds: int, tell: Callable[[str], None]) -> Iterator[Figure]:
    """Megabytes a second into mailboxes, and into the server's hands."""
    tell("10 MB messages, 20 at once")
    accepted: dict[str, list[float]] = {ours.name: [], theirs.name: []}

    def speed(side: Side) -> float:
        delivered_at, accepted_at = speeds(side)
        accepted[side.name].append(accepted_at)
        return delivered_at

    figures = interleaved(rounds, lambda: speed(ours), lambda: speed(theirs), tell, catch_up=ours.catch_up)
    what = "10 MB messages, 20 sessions"
    yield Figure(what=f"{what}: delivered", unit="MB/s", ours=figures[0], theirs=figures[1], goal=_GOAL)
    both = accepted[ours.name], accepted[theirs.name]
    yield Figure(what=f"{what}: accepted", unit="MB/s", ours=both[0], theirs=both[1], goal=_GOAL)


def growth(ours: Side, pid: int, rounds: int, tell: Callable[[str], None]) -> Iterator[Figure]:
    """What the peak of the server's memory grows by while 20 of them come in at once."""
    tell("memory while 20 messages of 10 MB come in at once")
    send(ours.smtp_port, SESSIONS, 1024)
    grown = []
    for _ in range(rounds):
        forget_peak(pid)
        before = memory(pid, "VmRSS")
        send(ours.smtp_port, SESSIONS, OCTETS)
        grown.append((memory(pid, "VmHWM") - before) / _MB)
        tell(f"  from {before / _MB:.0f} MB by {grown[-1]:.1f} MB")
    yield Figure(what="peak memory growth, 20 x 10 MB at once", unit="MB", ours=[max(grown)], goal=_MEMORY_GOAL_MB)


def speeds(side: Side) -> tuple[float, float]:
    """Delivered and accepted MB/s, once."""
    side.empty()
    before = side.messages()
    started = time.monotonic()
    send(side.smtp_port, MESSAGES, OCTETS)
    accepted = time.monotonic() - started
    side.wait_until_delivered()
    seconds = time.monotonic() - started
    if side.messages() - before != MESSAGES:
        raise AssertionError(f"{side.name}: not every message is in its mailbox")
    total = MESSAGES * OCTETS / _MB
    return total / seconds, total / accepted


def send(port: int, messages: int, octets: int) -> None:
    """So many messages of this size, each to a mailbox of its own, a connection each."""
    to = ("-f", f"sender@{DOMAIN}", "-t", f"box@{DOMAIN}", "-M", "client.test")
    load = ("-N", "-s", str(SESSIONS), "-m", str(messages), "-l", str(octets))
    subprocess.run(("smtp-source", *load, *to, f"127.0.0.1:{port}"), check=True)
