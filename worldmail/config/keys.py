"""Keys of things that administrators make by name (such as holds): one row a key.

What is kept of a thing is what was given, as text; its values are read anew each time, so that what follows where
nothing was given follows from what is there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from attrs import frozen

from worldmail.errors import BadValue

PASSWORD = "password"
"""The key that is never kept as text."""

A_NAME = "up to 64 letters, digits, dots, hyphens and underscores, a letter or digit first"

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


@frozen(kw_only=True)
class Key:
    """One key.

    Args:
        key: its name.
        meaning: one sentence for the administrator.
        takes: what a value looks like.
        parse: the value of a text that is not empty; ValueError if it is none.
        default: the value where none is given.
        of: the values of the table's chooser of which it says something; None for all.
    """

    key: str
    meaning: str
    takes: str
    parse: Callable[[str], Any]
    default: Any = None
    of: frozenset[str] | None = None

    @property
    def field(self) -> str:
        """Its name in Python."""
        return self.key.replace("-", "_")


class KeyTable(Mapping[str, Key]):
    """The keys of one kind of thing.

    Args:
        rows: in the order in which they are listed.
        chooser: the key whose value says which of the others mean anything; None if all do.
    """

    def __init__(self, rows: Iterable[Key], chooser: str | None = None) -> None:
        self._rows = {row.key: row for row in rows}
        self._chooser = chooser

    def __getitem__(self, key: str) -> Key:
        return self._rows[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def changed(self, texts: Mapping[str, str], changes: Mapping[str, str]) -> dict[str, str]:
        """The texts with these changes, an empty one taking back what was set; a password is left out.

        Raises: `BadValue` for an unknown key, a value that is none, or a key that says nothing beside the others.
        """
        result = dict(texts)
        for key, text in changes.items():
            self.required(key)
            if key == PASSWORD:
                continue
            result.pop(key, None)
            if text.strip():
                self.value(key, text.strip())
                result[key] = text.strip()
        chosen = self._chosen(result)
        for key, text in changes.items():
            of = self._rows[key].of
            if text.strip() and of is not None and chosen not in of:
                raise BadValue(f"{key} says nothing with {self._chooser}={chosen}")
        return result

    def read(self, texts: Mapping[str, str]) -> dict[str, Any]:
        """The values by field, with those that hold where nothing was given; what means nothing is left at these.

        Raises: `BadValue`.
        """
        chosen = self._chosen(texts)
        return {
            row.field: self.value(key, texts[key])
            if key in texts and (row.of is None or chosen in row.of)
            else row.default
            for key, row in self._rows.items()
            if key != PASSWORD
        }

    def _chosen(self, texts: Mapping[str, str]) -> str | None:
        if self._chooser is None:
            return None
        row = self._rows[self._chooser]
        value = self.value(row.key, texts[row.key]) if row.key in texts else row.default
        return value if value is None or isinstance(value, str) else str(value.value)

    def required(self, key: str) -> Key:
        """The row of this key. Raises `BadValue`."""
        if key not in self._rows:
            raise BadValue(f"no key {key!r}; there are: {', '.join(self._rows)}")
        return self._rows[key]

    def value(self, key: str, text: str) -> Any:
        """The value of a text that is not empty. Raises `BadValue`."""
        row = self.required(key)
        try:
            return row.parse(text)
        except ValueError:
            raise BadValue(f"{key} takes {row.takes}") from None


def kept_name(text: str) -> str:
    """A name in lower case. Raises ValueError."""
    if _NAME.fullmatch(text.lower()) is None:
        raise ValueError
    return text.lower()


def thing_name(noun: str, text: str) -> str:
    """The normal form of a name. Raises `BadValue`."""
    try:
        return kept_name(text.strip())
    except ValueError:
        raise BadValue(f"{text!r} cannot name {noun}: it takes {A_NAME}") from None


def listed(parse: Callable[[str], Any], most: int = 1000) -> Callable[[str], tuple[Any, ...]]:
    """A parser of several values between commas, each once."""

    def parse_all(text: str) -> tuple[Any, ...]:
        values = tuple(dict.fromkeys([parse(part.strip()) for part in text.split(",")]))
        if len(values) > most:
            raise ValueError
        return values

    return parse_all


def switch(text: str) -> bool:
    """on or off."""
    if text.lower() not in ("on", "off"):
        raise ValueError
    return text.lower() == "on"
