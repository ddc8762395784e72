"""The tables of the file in which derived data lies."""

from __future__ import annotations

VERSION = 3
"""Of the tables and of all that is written into them: a file of another version is made anew."""

APPLICATION_ID = 0x574D4444
"""In the header of every such file ("WMDD")."""

STATEMENTS = (
    # "instance": of the store whose contents these are; "settled": see `Shelf.settled`.
    "CREATE TABLE fact (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    # tag: what the content's digest begins with. refs: message-ids, separated by line feeds.
    "CREATE TABLE summary (content_id INTEGER PRIMARY KEY, tag BLOB NOT NULL, sent INTEGER, sent_day INTEGER,"
    " message_id TEXT, refs TEXT NOT NULL, preview TEXT NOT NULL, envelope BLOB NOT NULL, structure BLOB NOT NULL)",
    # Contents whose terms are in `posting`. whole: 0 if its text has more terms than an index should hold; it may
    # hold any needle.
    "CREATE TABLE indexed (content_id INTEGER PRIMARY KEY, whole INTEGER NOT NULL)",
    # Which contents have a term; what it says where, see `worldmail.store.derived.places`.
    "CREATE VIRTUAL TABLE posting USING fts5"
    " (terms, content = '', contentless_delete = 1, detail = none, tokenize = 'ascii')",
    # Each term that a content has or had, and which have three characters in a row.
    "CREATE TABLE term (id INTEGER PRIMARY KEY, term TEXT NOT NULL UNIQUE)",
    "CREATE VIRTUAL TABLE piece USING fts5"
    " (term, content = '', columnsize = 0, detail = none, tokenize = 'trigram case_sensitive 1')",
)
