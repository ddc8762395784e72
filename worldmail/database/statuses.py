"""What is known of things that administrators made by name: rows of the table status.

A server writes what it finds, commands read it; what a command wants done it writes here too, and the server is told
by the change feed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from attrs import frozen

from worldmail.interfaces.database import Cursor, Row


@frozen
class Statuses:
    """The states of things of one kind. Every change is told on the change feed under its topic.

    Args:
        noun: of one ("agent").
    """

    noun: str

    @property
    def topic(self) -> str:
        """What changes are told under."""
        return f"{self.noun}.status"

    def all(self, cursor: Cursor) -> dict[str, dict[str, str]]:
        """What is known of each, by name and key."""
        rows = cursor.all("SELECT name, texts FROM status WHERE kind = ? ORDER BY name", (self.noun,))
        return {row[0]: _read(row[1]) for row in rows}

    def find(self, cursor: Cursor, name: str) -> dict[str, str]:
        """What is known of one; {} if nothing is."""
        row: Row | None = cursor.one("SELECT texts FROM status WHERE kind = ? AND name = ?", (self.noun, name))
        return {} if row is None else _read(row[0])

    def change(self, cursor: Cursor, name: str, changes: Mapping[str, str | None]) -> dict[str, str]:
        """Set these keys of one, and take back those that are None; what is known then."""
        texts = self.find(cursor, name)
        for key, text in changes.items():
            texts.pop(key, None)
            if text is not None:
                texts[key] = text
        cursor.run(
            "INSERT INTO status (kind, name, texts) VALUES (?, ?, ?)"
            " ON CONFLICT (kind, name) DO UPDATE SET texts = excluded.texts",
            (self.noun, name, json.dumps(texts, sort_keys=True, ensure_ascii=False)),
        )
        cursor.notice(self.topic, 0)
        return texts

    def forget(self, cursor: Cursor, name: str) -> None:
        """Nothing is known of it any more."""
        if cursor.run("DELETE FROM status WHERE kind = ? AND name = ?", (self.noun, name)):
            cursor.notice(self.topic, 0)


def _read(text: str) -> dict[str, str]:
    """What cannot be read is not known: a server writes it anew."""
    try:
        texts = json.loads(text)
    except ValueError:
        return {}
    if not isinstance(texts, dict):
        return {}
    return {key: value for key, value in texts.items() if isinstance(value, str)}
