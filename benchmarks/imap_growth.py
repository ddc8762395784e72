"""A mailbox of a million messages beside one of ten thousand: opening it, its last 50 messages, one more message."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from benchmarks.figures import Figure
from benchmarks.imap_client import ImapClient
from benchmarks.imap_mail import batches, messages
from benchmarks.sides import mailbox_address
from worldmail.testing.process import ServerProcess

SMALL, LARGE = 10_000, 1_000_000
TIMES = 7
_AT_ONCE = 50_000
_LAST = 50
_FETCH = b"(UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE)"

Tell = Callable[[str], None]


def measure(server: ServerProcess, tell: Tell) -> Iterator[Figure]:
    """How many times longer each takes in the large mailbox: medians of fresh connections, the two by turns."""
    server.start()
    try:
        _fill(server, tell)
        timed: dict[str, dict[bytes, list[float]]] = {}
        for number in range(TIMES):
            for mailbox in (b"small", b"large"):
                for what, milliseconds in _work(server, mailbox, number):
                    timed.setdefault(what, {}).setdefault(mailbox, []).append(milliseconds)
    finally:
        server.stop()
    for what, by_mailbox in timed.items():
        small, large = (sorted(by_mailbox[mailbox]) for mailbox in (b"small", b"large"))
        tell(f"{what}: {small[TIMES // 2]:.2f} ms in {SMALL}, {large[TIMES // 2]:.2f} ms in {LARGE}")
        ratio = large[TIMES // 2] / small[TIMES // 2]
        yield Figure(what=f"{what}: time in {LARGE} to time in {SMALL}", unit="x", ours=[ratio], goal=2)


def _fill(server: ServerProcess, tell: Tell) -> None:
    client = ImapClient(server.port(143), mailbox_address(1), timeout=600)
    for mailbox in (b"small", b"large"):
        client.command(b"CREATE " + mailbox)
    for batch in batches("growth", SMALL):
        client.append("small", batch)
    client.command(b"SELECT small")
    client.command(b"COPY 1:* large")
    held = SMALL
    client.command(b"SELECT large")
    while held < LARGE:
        more = min(held, LARGE - held, _AT_ONCE)
        client.command(b"COPY 1:%d large" % more)
        held += more
        tell(f"{held} messages")
    client.close()


def _work(server: ServerProcess, mailbox: bytes, number: int) -> Iterator[tuple[str, float]]:
    client = ImapClient(server.port(143), mailbox_address(1), timeout=600)
    (message,) = messages(f"growth{number}{mailbox.decode()}", 1, 1024)
    began = time.perf_counter()
    selected = client.command(b"SELECT " + mailbox)
    yield "SELECT", _since(began)
    total = int(selected.partition(b" EXISTS")[0].rpartition(b" ")[2])
    began = time.perf_counter()
    client.command(b"FETCH %d:* %b" % (total - _LAST + 1, _FETCH))
    yield f"FETCH of the last {_LAST}", _since(began)
    began = time.perf_counter()
    client.append(mailbox.decode(), [message])
    yield "APPEND", _since(began)
    client.close()


def _since(began: float) -> float:
    return (time.perf_counter() - began) * 1000
