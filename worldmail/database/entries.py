"""Things that administrators made by name, as they were given: rows of the table entry."""

from __future__ import annotations

import json
from collections.abc import Mapping

from attrs import frozen

from worldmail.errors import AlreadyThere, ConfigurationError, NoSuchThing
from worldmail.interfaces.database import Cursor, Row

_COLUMNS = "name, texts, password"


@frozen
class Entry:
    """One thing: its name, what was given by key, and its sealed password, None if it has none."""

    name: str
    texts: Mapping[str, str]
    sealed: bytes | None = None


@frozen
class Entries:
    """The things of one kind. Every change is told on the change feed under its name.

    Args:
        noun: of one ("hold"): the kind, and the topic.
    """

    noun: str

    def all(self, cursor: Cursor) -> list[Entry]:
        """By name. Raises `ConfigurationError`."""
        rows = cursor.all(f"SELECT {_COLUMNS} FROM entry WHERE kind = ? ORDER BY name", (self.noun,))
        return [self._read(row) for row in rows]

    def find(self, cursor: Cursor, name: str) -> Entry | None:
        """The one of this name. Raises `ConfigurationError`."""
        row = cursor.one(f"SELECT {_COLUMNS} FROM entry WHERE kind = ? AND name = ?", (self.noun, name))
        return None if row is None else self._read(row)

    def required(self, cursor: Cursor, name: str) -> Entry:
        """The same. Raises `NoSuchThing`."""
        found = self.find(cursor, name)
        if found is None:
            raise NoSuchThing(f"there is no {self.noun} {name}")
        return found

    def add(self, cursor: Cursor, entry: Entry) -> None:
        """Add it. Raises `AlreadyThere`."""
        if self.find(cursor, entry.name) is not None:
            raise AlreadyThere(f"the {self.noun} {entry.name} is there already")
        cursor.run(
            f"INSERT INTO entry (kind, {_COLUMNS}) VALUES (?, ?, ?, ?)",
            (self.noun, entry.name, _text(entry), entry.sealed),
        )
        cursor.notice(self.noun, 0)

    def replace(self, cursor: Cursor, entry: Entry) -> None:
        """Put it in the place of the one of its name."""
        cursor.run(
            "UPDATE entry SET texts = ?, password = ? WHERE kind = ? AND name = ?",
            (_text(entry), entry.sealed, self.noun, entry.name),
        )
        cursor.notice(self.noun, 0)

    def remove(self, cursor: Cursor, name: str) -> None:
        """Remove it. Raises `NoSuchThing`."""
        if not cursor.run("DELETE FROM entry WHERE kind = ? AND name = ?", (self.noun, name)):
            raise NoSuchThing(f"there is no {self.noun} {name}")
        cursor.notice(self.noun, 0)

    def _read(self, row: Row) -> Entry:
        name, text, sealed = row
        try:
            texts = json.loads(text)
            if not all(isinstance(key, str) and isinstance(value, str) for key, value in texts.items()):
                raise TypeError
        except (ValueError, TypeError, AttributeError):
            raise ConfigurationError(f"the {self.noun} {name} cannot be read: it was made by another release") from None
        return Entry(name, texts, None if sealed is None else bytes(sealed))


def _text(entry: Entry) -> str:
    return json.dumps(dict(entry.texts), sort_keys=True, ensure_ascii=False)
