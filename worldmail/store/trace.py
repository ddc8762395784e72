"""What happened to which message.

`record` adds a row within the unit that does what it tells of. Its keys are filed for finding later, in batches,
when it is quiet (`TraceFiling`); until then `find` looks through the rows that are not filed yet, so it never
misses one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Sequence
from contextlib import suppress

from zope.interface import implementer

from worldmail.interfaces.database import Cursor, IDatabase, Row
from worldmail.interfaces.store import ITrace, TraceRecord
from worldmail.mail.address import Address

MOST = 10_000
"""`find` gives events of at most this many (the latest) matching rows."""

LATE = 300
"""Seconds of mail after which a number that is missing among the rows is not waited for any more."""

_FILED = "SELECT value FROM counter WHERE name = 'trace-filed'"
_SET_FILED = (
    "INSERT INTO counter (name, value) VALUES ('trace-filed', ?)"
    " ON CONFLICT (name) DO UPDATE SET value = excluded.value"
)
_FILE = "INSERT INTO trace_key (key, trace_id) VALUES (?, ?) ON CONFLICT DO NOTHING"


@implementer(ITrace)
class Traces:
    """Provides `ITrace`."""

    def __init__(self, database: IDatabase) -> None:
        self._database = database

    def record(self, cursor: Cursor, acceptance: str, at: int, event: str, keys: Sequence[str], detail: str) -> None:
        cursor.run(
            "INSERT INTO trace (acceptance, at, event, detail, keys) VALUES (?, ?, ?, ?, ?)",
            (acceptance, at, event, detail, "\n".join([key.replace("\n", " ") for key in keys])),
        )

    def find(self, key: str) -> Awaitable[list[TraceRecord]]:
        return self._database.scan(lambda cursor: _find(cursor, _spellings(key)))


def _spellings(key: str) -> frozenset[str]:
    """The key as it is, as an acceptance id, as a Message-ID without its brackets, and as the address it may be."""
    spellings = {key, key.upper(), f"<{key}>"}
    with suppress(ValueError):
        spellings.add(Address.parse(key).key)
    return frozenset(spellings)


def _find(cursor: Cursor, keys: frozenset[str]) -> list[TraceRecord]:
    tail = cursor.all("SELECT id, acceptance, keys FROM trace WHERE id > ? ORDER BY id", (filed_up_to(cursor),))
    acceptances: dict[str, None] = {}
    for key in sorted(keys):
        for (acceptance,) in cursor.all(
            "SELECT trace.acceptance FROM trace_key JOIN trace ON trace.id = trace_key.trace_id"
            " WHERE trace_key.key = ? ORDER BY trace_key.trace_id DESC LIMIT ?",
            (key, MOST),
        ):
            acceptances[acceptance] = None
    acceptances.update(dict.fromkeys(row[1] for row in tail if not keys.isdisjoint(_keys_of(row))))
    numbers = {row[0] for row in tail if row[1] in acceptances}
    for acceptance in acceptances:
        rows = cursor.all("SELECT trace_id FROM trace_key WHERE key = ?", (acceptance,))
        numbers.update(row[0] for row in rows)
    return [record for number in sorted(numbers) for record in _record(cursor, number)]


def _record(cursor: Cursor, number: int) -> Iterable[TraceRecord]:
    row = cursor.one("SELECT acceptance, at, event, detail FROM trace WHERE id = ?", (number,))
    if row is not None:
        yield TraceRecord(acceptance=row[0], at=row[1], event=row[2], detail=row[3])


def _keys_of(row: Row) -> list[str]:
    """All keys of a row (id, acceptance, keys): its acceptance id is one."""
    _, acceptance, keys = row
    return [acceptance, *(key for key in keys.split("\n") if key)]


def filed_up_to(cursor: Cursor) -> int:
    """The id of the last row whose keys are filed."""
    row = cursor.one(_FILED)
    return 0 if row is None else int(row[0])


def unfiled(cursor: Cursor) -> tuple[int, int]:
    """The newest row's id, and how many are not filed."""
    row = cursor.one("SELECT coalesce(max(id), 0) FROM trace")
    newest = 0 if row is None else int(row[0])
    return newest, newest - filed_up_to(cursor)


def file_batch(cursor: Cursor, limit: int) -> int:
    """File the keys of the next rows; how many."""
    filed = filed_up_to(cursor)
    rows = cursor.all("SELECT id, acceptance, keys, at FROM trace WHERE id > ? ORDER BY id LIMIT ?", (filed, limit))
    rows = rows[: _settled(cursor, filed, rows)]
    if rows:
        cursor.run_many(_FILE, sorted({(key, row[0]) for row in rows for key in _keys_of(row[:3])}))
        cursor.run(_SET_FILED, (rows[-1][0],))
    return len(rows)


def _settled(cursor: Cursor, filed: int, rows: Sequence[Row]) -> int:
    """How many of the rows that follow the last filed one have none before them that may still turn up.

    PostgreSQL gives the numbers out before the commit, and never again: one that is missing was rolled back, or comes
    late. The embedded engine leaves none out.
    """
    expected, newest = filed + 1, None
    for place, row in enumerate(rows):
        if row[0] != expected:
            newest = newest or cursor.one("SELECT at FROM trace ORDER BY id DESC LIMIT 1") or (0,)
            if newest[0] - row[3] < LATE:
                return place
        expected = row[0] + 1
    return len(rows)


def forget_batch(cursor: Cursor, before: int, limit: int) -> int:
    """Remove the oldest rows if they are from before this time; how many.

    The newest row always stays (ids are never given out twice), and what is not filed stays until it is.
    """
    newest, waiting = unfiled(cursor)
    rows = cursor.all(
        "SELECT id, acceptance, keys, at FROM trace WHERE id < ? ORDER BY id LIMIT ?",
        (min(newest, newest - waiting + 1), limit),
    )
    old = [row for row in rows if row[3] < before]
    for row in old:
        cursor.run_many(
            "DELETE FROM trace_key WHERE key = ? AND trace_id = ?", [(key, row[0]) for key in _keys_of(row[:3])]
        )
        cursor.run("DELETE FROM trace WHERE id = ?", (row[0],))
    return len(old)
