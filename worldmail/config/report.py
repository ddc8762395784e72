"""Saying what is wrong with a configuration file."""

from __future__ import annotations

import difflib
import json
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

import attrs

from worldmail.config.fields import fields_of
from worldmail.config.lines import KeyPath, Lines
from worldmail.config.structure import Fault
from worldmail.errors import ConfigurationError

_LONGEST_ECHO = 60
_MISSING = object()


def near(word: str, words: Collection[str]) -> str:
    """ "; did you mean ...?" if one of `words` is like `word`, else nothing."""
    matches = difflib.get_close_matches(word, words, n=1)
    return f"; did you mean {matches[0]}?" if matches else ""


@attrs.define(kw_only=True)
class Report:
    """Gathers faults and says them."""

    file: Path
    document: Mapping[str, Any]
    lines: Lines
    classes: Mapping[str, type[Any]]
    found: list[tuple[int, str]] = attrs.field(factory=list)

    def say(self, path: KeyPath, text: str) -> None:
        line = self.lines.of(path)
        self.found.append((line, f"{self.file}:{line}: {text}"))

    def add(self, faults: Iterable[Fault]) -> None:
        for fault in faults:
            self.say(fault.path, f"{_name(fault.path)}: {self._sentence(fault)}")

    def add_unknown_section(self, name: str) -> None:
        if isinstance(self.document[name], dict | list):
            text = f"[{name}] is no section of the server's own, and nothing of that name is installed"
            self.say((name,), text + near(name, self.classes))
        else:
            self.say((name,), f"{name}: a setting stands in a section, such as [server]")

    def add_clashes(self, found: Iterable[tuple[KeyPath, KeyPath, Any]]) -> None:
        for path, other, place in found:
            self.say(path, f"{_name(path)}: {place} is taken already by {_name(other)}")

    def conclude(self) -> None:
        if self.found:
            raise ConfigurationError("\n".join(text for _, text in sorted(self.found)))

    def _sentence(self, fault: Fault) -> str:
        settings_class, value = self._at(fault.path)
        if fault.expected is None:
            names = [field.name for field in fields_of(settings_class)] if settings_class else []
            return "there is no such setting" + near(str(fault.path[-1]), names)
        if value is _MISSING:
            return f"is missing, expected {fault.expected}"
        if isinstance(value, dict) and fault.expected != "a table":
            return fault.expected
        return f"found {value}, expected {fault.expected}"

    def _at(self, path: KeyPath) -> tuple[type[Any] | None, Any]:
        """The class in which the last name of `path` stands, and what was found there, ready to be said."""
        value: Any = self.document
        settings_class: type[Any] | None = None
        kind: Any = None
        secret = False
        for depth, name in enumerate(path):
            if depth == 0:
                kind = self.classes.get(str(name))
            elif isinstance(name, str) and attrs.has(kind):
                settings_class = kind
                field = next((field for field in fields_of(kind) if field.name == name), None)
                kind, secret = (field.type, secret or field.note.secret) if field else (None, secret)
            else:
                kind = _item_kind(kind)
            try:
                value = value[name]
            except (KeyError, IndexError, TypeError):
                return settings_class, _MISSING
        if isinstance(value, dict):
            return settings_class, value
        return settings_class, "a secret" if secret else _echo(value)


def _name(path: KeyPath) -> str:
    """How a person names a path: "[tls] certificates, item 2, key"."""
    words = [f"item {name + 1}" if isinstance(name, int) else name for name in path[1:]]
    return f"[{path[0]}] {', '.join(words)}".rstrip()


def _echo(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _LONGEST_ECHO else text[: _LONGEST_ECHO - 3] + "..."


def _item_kind(kind: Any) -> Any:
    arguments = getattr(kind, "__args__", ())
    return next((argument for argument in arguments if attrs.has(argument)), None)
