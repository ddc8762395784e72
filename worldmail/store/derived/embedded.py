"""Derived data of the embedded store: `Shelf` over the file `derived.sqlite`."""

from __future__ import annotations

import json
import secrets
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from time import monotonic
from typing import Any

import apsw
from attrs import define, field
from twisted.logger import Logger

from worldmail.errors import Refusal, SearchTooLong
from worldmail.interfaces.database import Cursor, IDatabase, Parameters, Row
from worldmail.interfaces.derived import Needle, Summary
from worldmail.store.derived.connections import Connections, Unavailable
from worldmail.store.derived.filing import Vocabulary, file_entries, forget, keep_rows
from worldmail.store.derived.making import Searched
from worldmail.store.derived.places import placed_terms
from worldmail.store.derived.postings import Candidates, NotInTime, candidates, is_quick
from worldmail.store.derived.rows import COLUMNS, from_row, to_row
from worldmail.store.derived.shelf import Waiting
from worldmail.store.derived.slices import Elsewhere

_log = Logger()

_KEPT = f"SELECT {COLUMNS} FROM summary WHERE content_id IN (SELECT value FROM json_each(?))"
_SUMMARISED = "SELECT content_id FROM summary WHERE content_id BETWEEN ? AND ?"
_NEXT = "SELECT id FROM content WHERE id > ? ORDER BY id LIMIT ?"
_ABOVE = "SELECT count(*), max(id) FROM content WHERE id > ?"
_INDEXED = "SELECT content_id FROM indexed WHERE content_id BETWEEN ? AND ?"
_NUMBER = "SELECT count(*) FROM indexed WHERE content_id BETWEEN ? AND ?"
_TAGS = "SELECT id, substr(digest, 1, 8) FROM content WHERE id IN (SELECT value FROM json_each(?))"
_KNOWN = (
    "SELECT content_id FROM (SELECT content_id FROM summary WHERE content_id > ?1"
    " UNION SELECT content_id FROM indexed WHERE content_id > ?1) ORDER BY content_id LIMIT ?2"
)
_SETTLED = "SELECT value FROM fact WHERE name = 'settled'"
_SETTLE = "INSERT INTO fact (name, value) VALUES ('settled', ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value"

_WINDOW = 1000  # contents that are looked at in one go

_STEPS = 20_000  # of SQLite's virtual machine, between two looks at the time
_FEW_STEPS = 2_000

MOST_HERE = 10_000
"""More contents than this are not looked for on the reactor's thread."""

HERE = 0.004
"""Seconds after which a question to the index is put again in a thread."""


@define(kw_only=True)
class EmbeddedShelf:
    """Provides `worldmail.store.derived.shelf.Shelf`.

    Args:
        database: the store's own.
        writing: runs what writes: one after another.
        searching: runs what looks.
    """

    database: IDatabase
    connections: Connections
    writing: Elsewhere
    searching: Elsewhere
    _vocabulary: Vocabulary = field(factory=Vocabulary, init=False)

    async def kept(self, content_ids: Sequence[int]) -> dict[int, Summary]:
        asked = json.dumps(content_ids)
        return {row[0]: from_row(row) for row in await self._rows(_KEPT, (asked,))}

    async def summarised(self, content_ids: Sequence[int]) -> set[int]:
        bounds = (content_ids[0], content_ids[-1]) if content_ids else (1, 0)
        return {row[0] for row in await self._rows(_SUMMARISED, bounds)}

    async def keep(self, summaries: Mapping[int, Summary]) -> bool:
        tags = await self._tags(list(summaries))
        rows = [(*to_row(number, summary), tags[number]) for number, summary in summaries.items() if number in tags]
        return await self._write(lambda connection: keep_rows(connection, rows))

    def entry(self, text: Searched) -> frozenset[str] | None:
        return placed_terms(text)

    async def index(self, entries: Mapping[int, frozenset[str] | None]) -> bool:
        return await self._write(lambda connection: file_entries(connection, self._vocabulary, entries))

    async def waiting(self, after: int, limit: int) -> Waiting:
        next_ids = await self.database.read(lambda cursor: cursor.all(_NEXT, (after, _WINDOW)))
        if not next_ids:
            return Waiting([], after)
        asked = (next_ids[0][0], next_ids[-1][0])
        indexed = set(await self._rows(_INDEXED, asked))
        found = [row[0] for row in next_ids if row not in indexed]
        return Waiting(found, asked[1]) if len(found) <= limit else Waiting(found[:limit], found[limit - 1])

    async def behind(self) -> int:
        after = await self.settled()
        number, newest = await self.database.read(lambda cursor: cursor.one(_ABOVE, (after,))) or (0, 0)
        asked = (after + 1, newest or 0)
        indexed = await self._rows(_NUMBER, asked)
        return max(0, number - indexed[0][0]) if indexed else int(number)

    async def candidates(self, needle: Needle, content_ids: Collection[int], limit: float) -> Candidates:
        """At once, where that is a matter of moments; else in a thread, which costs two waits for it."""
        wanted, deadline = frozenset(content_ids), monotonic() + limit
        try:
            await self._ready()
            if len(wanted) <= MOST_HERE and is_quick(needle):
                with suppress(NotInTime, apsw.InterruptError):
                    return self.connections.look(_asking(needle, wanted, monotonic() + HERE, _FEW_STEPS))
            ask = _asking(needle, wanted, deadline, _STEPS)
            found: Candidates = await self.searching(lambda: self.connections.read(ask))
        except Unavailable:
            return Candidates(set(), set(wanted))
        except (NotInTime, apsw.InterruptError) as error:
            raise SearchTooLong(reason=f"the index was not asked within {limit} s") from error
        return found

    async def remove(self, content_ids: Sequence[int]) -> bool:
        return await self._write(lambda connection: forget(connection, content_ids))

    async def clear(self) -> bool:
        self.connections.file.remove()
        return True

    async def known(self, after: int, limit: int) -> list[int]:
        return [row[0] for row in await self._rows(_KNOWN, (after, limit))]

    async def settled(self) -> int:
        rows = await self._rows(_SETTLED, ())
        return int(rows[0][0]) if rows else 0

    async def settle(self, content_id: int) -> bool:
        return await self._write(lambda connection: connection.execute(_SETTLE, (str(content_id),)).fetchall())

    async def lead(self) -> bool:
        return self.connections.lead()

    async def stop(self) -> None:
        with suppress(Refusal):  # it was stopped before
            await self.writing(lambda: None)
        self.connections.close()

    async def _rows(self, sql: str, parameters: Parameters) -> list[Row]:
        """What a statement finds, on the reactor's connection; nothing if the file cannot be used."""

        def work(connection: apsw.Connection) -> list[Any]:
            return connection.execute(sql, parameters).fetchall()

        try:
            await self._ready()
            return self.connections.here(work)
        except Unavailable:
            return []

    async def _write(self, work: Callable[[apsw.Connection], object]) -> bool:
        try:
            await self._ready()
            await self.writing(lambda: self.connections.write(work))
        except (Unavailable, Refusal):  # the latter: the server stops
            self._vocabulary.forget()
            return False
        return True

    async def _ready(self) -> None:
        """Learn what the file has to say about itself, before it is opened for the first time."""
        if not self.connections.instance:
            newest, instance = await self.database.read(_instance)
            if instance is None:
                await self.database.write(_name_instance)
                newest, instance = await self.database.read(_instance)
            await self._compare(newest, str(instance))
            self.connections.newest, self.connections.instance = newest, str(instance)

    async def _compare(self, newest: int, instance: str) -> None:
        """Take a file away that knows other contents under their ids than the store, which was set back to a copy."""
        known = self.connections.last_known(instance, newest)
        if known:
            tags = await self._tags(list(known))
            if any(tags.get(content_id, tag) != tag for content_id, tag in known.items()):
                _log.warn("{path} is of a later state of the store: it is made anew", path=self.connections.file.path)
                self.connections.file.remove()

    def _tags(self, content_ids: list[int]) -> Awaitable[dict[int, bytes]]:
        """What the digest of each of these begins with, of those that are there."""
        asked = json.dumps(content_ids)
        return self.database.read(lambda cursor: dict(cursor.all(_TAGS, (asked,))))


def _asking(
    needle: Needle, wanted: frozenset[int], until: float, steps: int
) -> Callable[[apsw.Connection], Candidates]:
    """The question, broken off after `until`."""

    def ask(connection: apsw.Connection) -> Candidates:
        connection.set_progress_handler(lambda: monotonic() > until, steps)
        try:
            return candidates(connection, needle, wanted, until)
        finally:
            connection.set_progress_handler(None)

    return ask


def _instance(cursor: Cursor) -> tuple[int, str | None]:
    """The highest id that a content has or had, and which store this is."""
    (newest,) = cursor.one("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'content'") or (0,)
    row = cursor.one("SELECT value FROM fact WHERE name = 'instance'")
    return newest, None if row is None else row[0]


def _name_instance(cursor: Cursor) -> None:
    name = secrets.token_hex(16)
    cursor.run("INSERT INTO fact (name, value) VALUES ('instance', ?) ON CONFLICT (name) DO NOTHING", (name,))
