"""Derived data on PostgreSQL: `Shelf` over tables of the same database, shared by all nodes.

The folded text of each content is kept, and a needle is looked for with LIKE; the extension pg_trgm, where it can be
had, gives that an index. So nearly all answers are exact without reading a content. The tables are made when they
are first needed, beside the numbered schema: they hold nothing that could not be made anew, and are, when `VERSION`
changes.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from time import monotonic
from typing import TypeVar

from attrs import define, field
from twisted.logger import Logger

from worldmail.errors import Refusal, SearchTooLong
from worldmail.interfaces.database import Cursor, IDatabase, Row, Shared, Unit
from worldmail.interfaces.derived import Needle, Summary
from worldmail.mail.text.casemap import fold
from worldmail.store.derived.making import Searched
from worldmail.store.derived.postings import Candidates
from worldmail.store.derived.rows import COLUMNS, PLACES, from_row, to_row
from worldmail.store.derived.shelf import Waiting

T = TypeVar("T")
_log = Logger()

VERSION = "2"

LONGEST = 4 << 20
"""Characters of header or body that are kept; a content with more is read when it is searched."""

LOCK = 0x776D_6465
"""The advisory lock of whoever makes the tables."""

LEASE = 60
"""Seconds for which a node fills the index, unless it asks again."""

FIELDS = {"from": "sender", "to": "recipients", "cc": "copied", "subject": "subject"}

_TEXT = 'TEXT COLLATE "C"'
_TABLES = (
    "CREATE TABLE IF NOT EXISTS derived_summary (content_id BIGINT PRIMARY KEY, envelope BYTEA NOT NULL,"
    f" structure BYTEA NOT NULL, sent BIGINT, sent_day BIGINT, message_id {_TEXT}, refs {_TEXT} NOT NULL,"
    f" preview {_TEXT} NOT NULL)",
    # body: NULL if there is more text than is kept.
    "CREATE TABLE IF NOT EXISTS derived_text (content_id BIGINT PRIMARY KEY,"
    f" sender {_TEXT} NOT NULL, recipients {_TEXT} NOT NULL, copied {_TEXT} NOT NULL, subject {_TEXT} NOT NULL,"
    f" header {_TEXT} NOT NULL, body {_TEXT})",
)
_INDEXES = (
    "CREATE EXTENSION IF NOT EXISTS pg_trgm",
    "CREATE INDEX IF NOT EXISTS derived_text_header ON derived_text USING gin (header gin_trgm_ops)",
    "CREATE INDEX IF NOT EXISTS derived_text_body ON derived_text USING gin (body gin_trgm_ops)",
)
_NUMBER_OF_INDEXES = (
    "SELECT count(*) FROM pg_indexes WHERE schemaname = current_schema() AND tablename = 'derived_text'"
)
_SET = "INSERT INTO fact (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
_KEEP = f"INSERT INTO derived_summary ({COLUMNS}) VALUES ({PLACES}) ON CONFLICT (content_id) DO NOTHING"
_INDEX = (
    "INSERT INTO derived_text (content_id, sender, recipients, copied, subject, header, body)"
    " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (content_id) DO NOTHING"
)
_KEPT = f"SELECT {COLUMNS} FROM derived_summary WHERE content_id = ANY(?)"
_SUMMARISED = "SELECT content_id FROM derived_summary WHERE content_id = ANY(?)"
_UNINDEXED = (
    "SELECT id FROM content WHERE id > ? AND NOT EXISTS (SELECT 1 FROM derived_text WHERE content_id = content.id)"
)
_NEXT = f"{_UNINDEXED} ORDER BY id LIMIT ?"
_BEHIND = f"SELECT count(*) FROM ({_UNINDEXED}) AS waiting"
_KNOWN = (
    "SELECT content_id FROM derived_summary WHERE content_id > ? UNION SELECT content_id FROM derived_text"
    " WHERE content_id > ? ORDER BY content_id LIMIT ?"
)
_WHOLE = "SELECT content_id FROM derived_text WHERE content_id = ANY(?) AND body IS NOT NULL"
_HOLDING = "SELECT content_id FROM derived_text WHERE content_id = ANY(?) AND body IS NOT NULL AND ({condition})"
_SPECIAL = str.maketrans({"\\": "\\\\", "%": "\\%", "_": "\\_"})


@define(kw_only=True)
class PostgresShelf:
    """Provides `worldmail.store.derived.shelf.Shelf`.

    Args:
        now: epoch seconds.
    """

    database: IDatabase
    now: Callable[[], float]
    _is_ready: bool = field(default=False, init=False)
    _name: str = field(factory=lambda: secrets.token_hex(8), init=False)
    _leads_until: float = field(default=0.0, init=False)

    async def kept(self, content_ids: Sequence[int]) -> dict[int, Summary]:
        rows = await self._rows(lambda cursor: cursor.all(_KEPT, (list(content_ids),)))
        return {row[0]: from_row(row) for row in rows}

    async def summarised(self, content_ids: Sequence[int]) -> set[int]:
        rows = await self._rows(lambda cursor: cursor.all(_SUMMARISED, (list(content_ids),)))
        return {row[0] for row in rows}

    async def keep(self, summaries: Mapping[int, Summary]) -> bool:
        rows = [to_row(content_id, summaries[content_id]) for content_id in sorted(summaries)]
        return await self._write(lambda cursor: cursor.run_many(_KEEP, rows))

    def entry(self, text: Searched) -> tuple[str | None, ...]:
        header, body = _bounded(text.header), _bounded(text.body)
        if header is None or body is None:
            return ("", "", "", "", "", None)
        return (*("\n".join(text.field(name)) for name in FIELDS), header, body)

    async def index(self, entries: Mapping[int, tuple[str | None, ...]]) -> bool:
        rows = [(content_id, *entries[content_id]) for content_id in sorted(entries)]
        return await self._write(lambda cursor: cursor.run_many(_INDEX, rows))

    async def waiting(self, after: int, limit: int) -> Waiting:
        def look(cursor: Cursor) -> list[Row]:
            newest = cursor.one("SELECT coalesce(max(id), 0) FROM content") or (0,)
            return [newest, *cursor.all(_NEXT, (after, limit))]

        rows = await self._rows(look)
        found = [row[0] for row in rows[1:]]
        if len(found) == limit:
            return Waiting(found, found[-1])
        return Waiting(found, max([after, *found, *rows[0]]) if rows else after)

    async def behind(self) -> int:
        after = await self.settled()
        rows = await self._rows(lambda cursor: cursor.all(_BEHIND, (after,)))
        return int(rows[0][0]) if rows else 0

    async def candidates(self, needle: Needle, content_ids: Collection[int], limit: float) -> Candidates:
        asked, deadline = list(content_ids), monotonic() + limit
        text = fold(needle.text)
        columns, exact = _columns(needle, text)
        pattern = f"%{(text or f'{needle.field}:').translate(_SPECIAL)}%"
        condition = " OR ".join(f"{column} LIKE ?" for column in columns)

        def look(cursor: Cursor) -> Candidates:
            cursor.one("SELECT set_config('statement_timeout', ?, true)", (str(max(1, int(limit * 1000))),))
            known = {row[0] for row in cursor.all(_WHOLE, (asked,))}
            sql = _HOLDING.format(condition=condition)
            found = {row[0] for row in cursor.all(sql, (asked, *(pattern for _ in columns)))}
            unknown = set(asked) - known
            return Candidates(found, unknown) if exact else Candidates(set(), found | unknown)

        try:
            await self._ready()
            return await self.database.scan(look)
        except Refusal as error:
            if monotonic() >= deadline:
                raise SearchTooLong(reason=error.reason) from error
            raise

    async def remove(self, content_ids: Sequence[int]) -> bool:
        these = (sorted(content_ids),)

        def remove(cursor: Cursor) -> None:
            cursor.run("DELETE FROM derived_summary WHERE content_id = ANY(?)", these)
            cursor.run("DELETE FROM derived_text WHERE content_id = ANY(?)", these)

        return await self._write(remove)

    async def clear(self) -> bool:
        def clear(cursor: Cursor) -> None:
            cursor.run("DELETE FROM fact WHERE name = 'derived-settled'")
            cursor.run("TRUNCATE derived_summary, derived_text")

        return await self._write(clear)

    async def known(self, after: int, limit: int) -> list[int]:
        return [row[0] for row in await self._rows(lambda cursor: cursor.all(_KNOWN, (after, after, limit)))]

    async def settled(self) -> int:
        rows = await self._rows(lambda cursor: cursor.all("SELECT value FROM fact WHERE name = 'derived-settled'"))
        return int(rows[0][0]) if rows else 0

    async def settle(self, content_id: int) -> bool:
        return await self._write(lambda cursor: cursor.run(_SET, ("derived-settled", str(content_id))))

    async def lead(self) -> bool:
        now = self.now()
        if now + LEASE / 2 < self._leads_until:
            return True

        def take(cursor: Cursor) -> bool:
            row = cursor.one("SELECT value FROM fact WHERE name = 'derived-lead'")
            name, _, until = ("", "", "0") if row is None else row[0].partition(" ")
            if name != self._name and now < int(until):
                return False
            cursor.run(_SET, ("derived-lead", f"{self._name} {int(now) + LEASE}"))
            return True

        try:
            leads = await self.database.write(take)
        except Refusal:
            leads = False
        self._leads_until = now + LEASE if leads else 0.0
        return leads

    async def stop(self) -> None:
        """Nothing is open."""

    async def _rows(self, unit: Unit[list[Row]]) -> list[Row]:
        try:
            await self._ready()
            return await self.database.read(unit)
        except Refusal:
            return []

    async def _write(self, unit: Unit[object]) -> bool:
        try:
            await self._ready()
            await self.database.write_long(Shared(unit))
        except Refusal:
            return False
        return True

    async def _ready(self) -> None:
        """Make the tables, and the indexes if they can be had."""
        if self._is_ready:
            return
        await self.database.write_long(_make_tables)
        try:
            await self.database.write_long(_make_indexes)
        except Exception as error:  # noqa: BLE001 - whatever the server objects to, it works without
            _log.info("searching does without the extension pg_trgm: {error}", error=error)
        self._is_ready = True


def _make_tables(cursor: Cursor) -> None:
    row = cursor.one("SELECT value FROM fact WHERE name = 'derived-version'")
    if row is not None and row[0] == VERSION:
        return
    for table in ("derived_summary", "derived_text"):
        cursor.run(f"DROP TABLE IF EXISTS {table}")
    # Of two nodes that make a table at once, one would find that half of it is there already.
    cursor.one("SELECT pg_advisory_xact_lock(?)", (LOCK,))
    for statement in _TABLES:
        cursor.run(statement)
    cursor.run("DELETE FROM fact WHERE name = 'derived-settled'")
    cursor.run(_SET, ("derived-version", VERSION))


def _make_indexes(cursor: Cursor) -> None:
    cursor.one("SELECT pg_advisory_xact_lock(?)", (LOCK,))
    (number,) = cursor.one(_NUMBER_OF_INDEXES) or (0,)
    if number < len(_INDEXES):  # one of them is the primary key's
        for statement in _INDEXES:
            cursor.run(statement)


def _columns(needle: Needle, text: str) -> tuple[tuple[str, ...], bool]:
    """Where to look, and whether finding it there is proof."""
    # Texts follow each other there with a line feed between them; and PostgreSQL's text has no NUL.
    exact = "\n" not in text and "\0" not in text
    if needle.where == "field":
        column = FIELDS.get(needle.field or "")
        return ("header",) if column is None or not text else (column,), exact and column is not None and bool(text)
    return {"body": ("body",), "header": ("header",), "text": ("header", "body")}[needle.where], exact


def _bounded(pieces: Iterable[str]) -> str | None:
    """The text of the pieces; None if there is more than is kept."""
    held: list[str] = []
    size = 0
    for piece in pieces:
        held.append(piece)
        size += len(piece)
        if size > LONGEST:
            return None
    return "".join(held)
