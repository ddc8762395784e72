"""Does finding what is due next cost more in a large queue? A runner's units on 1,000 and on 1,000,000 recipients.

The rows are written as they would lie there: in 1,000 domains, most of them due later, and a hundred destinations with
something due now. Timed is what a look does: the destinations that are due, 50 recipients of one of them leased, and
these removed again as delivered.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import apsw

from benchmarks.figures import Figure
from benchmarks.worldmail_side import WorldMail
from worldmail.database.cursor import SqliteCursor
from worldmail.queue.rows import due_destinations, end_recipients, take_due

SMALL, LARGE = 1_000, 1_000_000
DOMAINS, DUE_DOMAINS, TAKEN, TIMES = 1000, 100, 50, 100
_NOW, _RUNNER = 1_000_000, 1
_STAYS = None

Tell = Callable[[str], None]


def measure(place: Path, tell: Tell) -> Iterator[Figure]:
    """How many times longer each takes in the large queue: medians."""
    timed = {size: _time(place / str(size), size, tell) for size in (SMALL, LARGE)}
    for what in ("due destinations found", f"{TAKEN} recipients leased", f"{TAKEN} recipients ended"):
        small, large = timed[SMALL][what], timed[LARGE][what]
        tell(f"{what}: {small * 1e3:.2f} ms in {SMALL}, {large * 1e3:.2f} ms in {LARGE}")
        name = f"{what}: time in {LARGE} to time in {SMALL}"
        yield Figure(what=name, unit="x", ours=[large / small], goal=2)


def _time(place: Path, size: int, tell: Tell) -> dict[str, float]:
    server = WorldMail(directory=place, mailboxes=1)
    server.prepare()
    connection = apsw.Connection(str(place / "worldmail" / "worldmail.sqlite"))
    _fill(connection, size)
    tell(f"{size} recipients")
    found: dict[str, list[float]] = {}
    for _ in range(TIMES):
        for what, seconds in _look(connection):
            found.setdefault(what, []).append(seconds)
    connection.close()
    return {what: statistics.median(seconds) for what, seconds in found.items()}


def _look(connection: apsw.Connection) -> Iterator[tuple[str, float]]:
    with connection:
        cursor = SqliteCursor(connection)
        began = time.perf_counter()
        rows = due_destinations(cursor, _NOW, (-1, 0), 100)
        found = time.perf_counter()
        jobs, _ = take_due(cursor, rows[0][1], _RUNNER, _NOW, TAKEN, lambda message, leased: _STAYS)
        taken = time.perf_counter()
        for job in jobs:
            end_recipients(cursor, job.message, job.recipients, _NOW)
        ended = time.perf_counter()
    yield "due destinations found", found - began
    yield f"{TAKEN} recipients leased", taken - found
    yield f"{TAKEN} recipients ended", ended - taken
    _refill(connection, rows[0][1])


def _fill(connection: apsw.Connection, size: int) -> None:
    """Rows of the queue: so many that are due later, and besides them what the looks take."""
    with connection:
        connection.execute("INSERT INTO content (digest, size, flags, inline) VALUES (x'00', 1, 2, x'00')")
        connection.execute("INSERT INTO runner (id, node, started) VALUES (?, 'benchmark', 0)", (_RUNNER,))
        for domain in range(1, DOMAINS + 1):
            due = _NOW if domain <= DUE_DOMAINS else _NOW + domain
            connection.execute(
                "INSERT INTO destination (id, key, domain, route, due) VALUES (?, ?, ?, '', ?)",
                (domain, f"mx d{domain}.test", f"d{domain}.test", due),
            )
        for number in range(size):
            _add(connection, number % DOMAINS + 1, _NOW + 1 + number)
    for domain in range(1, DUE_DOMAINS + 1):
        _refill(connection, domain)


def _refill(connection: apsw.Connection, domain: int) -> None:
    with connection:
        for _ in range(TAKEN):
            _add(connection, domain, _NOW)
        connection.execute("UPDATE destination SET due = ? WHERE id = ?", (_NOW, domain))


def _add(connection: apsw.Connection, domain: int, due: int) -> None:
    connection.execute(
        "INSERT INTO queued (acceptance, content_id, sender, envelope, size, accepted, priority, kind, sole,"
        " recipients) VALUES ('B', 1, 'sender@client.test', '{}', 1, 0, 0, 0, 0, 1)"
    )
    connection.execute(
        "INSERT INTO recipient (queued_id, destination_id, address, state, due, attempts, expires, look, warned)"
        " VALUES (?, ?, ?, 0, ?, 0, ?, ?, 0)",
        (connection.last_insert_rowid(), domain, f"box@d{domain}.test", due, 2 * _NOW, 2 * _NOW),
    )
