"""What happened to which message.

`record` adds a row within the unit that does what it tells of. Its keys are filed for finding later, in batches,
when it is quiet (`TraceFiling`); until then `find` looks through the rows that are not filed yet, so it never
misses one.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from heapq import merge

from attrs import frozen
from zope.interface import implementer

from worldmail.interfaces.database import Cursor, IDatabase, Row
from worldmail.interfaces.store import ITrace, TraceRecord
from worldmail.mail.address import Address

LATE = 300
"""Seconds of mail after which a number that is missing among the rows is not waited for any more."""

NEWEST = 1 << 62
PAGE = 500
"""Rows that are looked at in one statement."""

REPORTS = 1000
"""Reports that are told of beyond one for each message."""

_FILED_UNDER = (
    "SELECT trace.id, trace.acceptance FROM trace_key JOIN trace ON trace.id = trace_key.trace_id"
    " WHERE trace_key.key = ?"
)
_LATEST = "ORDER BY trace_key.trace_id DESC LIMIT ?"
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

    def find(self, key: str, most: int = 10_000) -> Awaitable[list[TraceRecord]]:
        return self._database.scan(lambda cursor: _find(cursor, _spellings(key), most))


def _spellings(key: str) -> frozenset[str]:
    """The key as it is, as an acceptance id, as a Message-ID without its brackets, and as the address it may be."""
    spellings = {key, key.upper(), f"<{key}>"}
    with suppress(ValueError):
        spellings.add(Address.parse(key).key)
    return frozenset(spellings)


def _find(cursor: Cursor, keys: frozenset[str], most: int) -> list[TraceRecord]:
    unfiled_rows = _Unfiled.after(cursor, filed_up_to(cursor))
    acceptances = _latest_messages(cursor, unfiled_rows, keys, most)
    numbers: set[int] = set()
    met, bound = set(acceptances), 2 * most + REPORTS
    while acceptances:  # what is filed under a message's id: its own events, and the beginnings of reports on it
        for number, acceptance in _filed_under(cursor, unfiled_rows, acceptances.pop()):
            numbers.add(number)
            if acceptance not in met and len(met) < bound:
                met.add(acceptance)
                acceptances.append(acceptance)
    return [record for number in sorted(numbers) for record in _record(cursor, number, met)]


def _latest_messages(cursor: Cursor, unfiled_rows: _Unfiled, keys: frozenset[str], most: int) -> list[str]:
    """The acceptances of the latest messages that the keys find, those with the latest news first.

    A report on a message that the same keys find is news of that one, and counts with it.
    """
    found: dict[str, None] = {}
    seen: set[str] = set()
    for _, acceptance in merge(*[_latest(cursor, unfiled_rows, key) for key in keys], reverse=True):
        if acceptance in seen:
            continue
        seen.add(acceptance)
        found.setdefault(_told_of(cursor, unfiled_rows, acceptance, keys))
        if len(found) >= most:
            break
    return list(found)


def _told_of(cursor: Cursor, unfiled_rows: _Unfiled, acceptance: str, keys: frozenset[str]) -> str:
    """The message that this one reports on, or that one reports on, if the keys find it; else itself."""
    met = {acceptance}
    while True:
        _, about = _beginning(cursor, unfiled_rows, acceptance)
        if about is None or about in met or keys.isdisjoint(_beginning(cursor, unfiled_rows, about)[0]):
            return acceptance
        met.add(about)
        acceptance = about


def _beginning(cursor: Cursor, unfiled_rows: _Unfiled, acceptance: str) -> tuple[Sequence[str], str | None]:
    """The keys of a message's first row, and what it says that the message reports on; none if there is no row."""
    own = [number for number, whose in _filed_under(cursor, unfiled_rows, acceptance) if whose == acceptance]
    row = cursor.one("SELECT id, acceptance, keys, detail FROM trace WHERE id = ?", (min(own),)) if own else None
    if row is None:
        return (), None
    detail = json.loads(row[3]) if '"about"' in row[3] else {}
    about = detail.get("about") if isinstance(detail, dict) else None
    return _keys_of(row[:3]), about if isinstance(about, str) else None


@frozen
class _Unfiled:
    """Ids and acceptances of the rows that are not filed yet, by key."""

    rows: Mapping[str, list[tuple[int, str]]]

    @classmethod
    def after(cls, cursor: Cursor, filed: int) -> _Unfiled:
        rows: dict[str, list[tuple[int, str]]] = {}
        for row in cursor.all("SELECT id, acceptance, keys FROM trace WHERE id > ? ORDER BY id", (filed,)):
            for key in _keys_of(row):
                rows.setdefault(key, []).append((row[0], row[1]))
        return cls(rows)


def _latest(cursor: Cursor, unfiled_rows: _Unfiled, key: str) -> Iterator[tuple[int, str]]:
    """The id and acceptance of the rows that this key finds, the latest first."""
    yield from reversed(unfiled_rows.rows.get(key, []))
    before = NEWEST
    while True:
        filed = cursor.all(f"{_FILED_UNDER} AND trace_key.trace_id < ? {_LATEST}", (key, before, PAGE))
        yield from ((row[0], row[1]) for row in filed)
        if len(filed) < PAGE:
            return
        before = filed[-1][0]


def _filed_under(cursor: Cursor, unfiled_rows: _Unfiled, key: str) -> list[tuple[int, str]]:
    """The id and acceptance of all rows that this key finds."""
    return [(row[0], row[1]) for row in cursor.all(_FILED_UNDER, (key,))] + unfiled_rows.rows.get(key, [])


def _record(cursor: Cursor, number: int, wanted: Container[str]) -> Iterable[TraceRecord]:
    row = cursor.one("SELECT acceptance, at, event, detail FROM trace WHERE id = ?", (number,))
    if row is not None and row[0] in wanted:
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
