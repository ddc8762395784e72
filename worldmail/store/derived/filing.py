"""Putting contents into the index of the embedded file, and taking them out.

All of a batch goes in by a few statements, which take their rows as JSON: each statement gives up the interpreter's
lock for as long as it runs, and getting it back from a busy reactor is what costs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import apsw
from attrs import define, field

from worldmail.interfaces.database import Row
from worldmail.store.derived.places import bare
from worldmail.store.derived.rows import COLUMNS, PLACES

_MOST_KNOWN = 100_000
_AT_ONCE = (64, 8, 1)

_KEEP = f"INSERT OR REPLACE INTO summary ({COLUMNS}, tag) VALUES"

_TERMS = "INSERT INTO term (term) SELECT value FROM json_each(?) WHERE true ON CONFLICT DO NOTHING"
_LAST_TERM = "SELECT coalesce(max(id), 0) FROM term"
_PIECES = "INSERT INTO piece (rowid, term) SELECT id, term FROM term WHERE id > ?"
_POSTINGS = (
    "INSERT INTO posting (rowid, terms) SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]')"
    " FROM json_each(?)"
)
_INDEXED = (
    "INSERT OR REPLACE INTO indexed (content_id, whole) SELECT json_extract(value, '$[0]'), json_extract(value, '$[2]')"
    " FROM json_each(?)"
)
_THESE = "(SELECT value FROM json_each(?))"


@define
class Vocabulary:
    """Terms that were added last: most of a message's terms are among them, and need not be looked for."""

    _known: set[str] = field(factory=set)
    _of: apsw.Connection | None = None

    def add(self, connection: apsw.Connection, terms: set[str]) -> None:
        """See that these terms are in the vocabulary."""
        if connection is not self._of:  # to another file, perhaps
            self._known.clear()
            self._of = connection
        asked = terms - self._known
        if not asked:
            return
        ((last,),) = connection.execute(_LAST_TERM).fetchall()
        connection.execute(_TERMS, (json.dumps(sorted(asked)),)).fetchall()
        connection.execute(_PIECES, (last,)).fetchall()
        if len(self._known) > _MOST_KNOWN:
            self._known.clear()
        self._known |= asked

    def forget(self) -> None:
        """What was added may not have been kept."""
        self._known.clear()


def file_entries(
    connection: apsw.Connection, vocabulary: Vocabulary, entries: Mapping[int, frozenset[str] | None]
) -> None:
    """Put contents with these terms (None: too many) into the index; those that are in it already are replaced."""
    forget_postings(connection, list(entries))
    placed = [terms for terms in entries.values() if terms]
    vocabulary.add(connection, bare(set().union(*placed)))
    rows = json.dumps(
        [[content_id, " ".join(terms or ()), int(terms is not None)] for content_id, terms in entries.items()]
    )
    connection.execute(_POSTINGS, (rows,)).fetchall()
    connection.execute(_INDEXED, (rows,)).fetchall()


def keep_rows(connection: apsw.Connection, rows: Sequence[Row]) -> None:
    """Keep these rows of summaries, a tag behind each, many in one statement."""
    start = 0
    while start < len(rows):
        number = next(size for size in _AT_ONCE if size <= len(rows) - start)
        values = [value for row in rows[start : start + number] for value in row]
        connection.execute(f"{_KEEP} {', '.join([f'({PLACES}, ?)'] * number)}", values).fetchall()
        start += number


def forget_postings(connection: apsw.Connection, content_ids: Sequence[int]) -> None:
    """Take contents out of the index; their terms stay in the vocabulary."""
    these = json.dumps(list(content_ids))
    known = connection.execute(f"SELECT content_id FROM indexed WHERE content_id IN {_THESE}", (these,)).fetchall()
    if known:
        connection.executemany("DELETE FROM posting WHERE rowid = ?", known).fetchall()
        connection.execute(f"DELETE FROM indexed WHERE content_id IN {_THESE}", (these,)).fetchall()


def forget(connection: apsw.Connection, content_ids: Sequence[int]) -> None:
    """Keep nothing of these contents."""
    forget_postings(connection, content_ids)
    connection.execute(f"DELETE FROM summary WHERE content_id IN {_THESE}", (json.dumps(list(content_ids)),)).fetchall()
