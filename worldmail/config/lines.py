"""Where in a TOML text each key stands, which `tomllib` does not tell.

The text is one that `tomllib` took, so this scanner needs to know only where
statements, strings, brackets and comments begin and end.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from typing import TypeAlias

KeyPath: TypeAlias = tuple[str | int, ...]

_TOKEN = re.compile(
    r"""
      (?P<string> \"\"\"(?:\\.|[^\\])*?\"{3,5} | \'\'\'.*?\'{3,5} | "(?:\\.|[^"\\\n])*" | '[^'\n]*' )
    | (?P<comment> \#[^\n]* )
    | (?P<open> [\[{] )
    | (?P<close> [\]}] )
    | (?P<comma> , )
    | (?P<newline> \n )
    | (?P<other> [^\[\]{},"'\#\n]+ )
    """,
    re.VERBOSE | re.DOTALL,
)
_TABLE = re.compile(r"[ \t]*(\[\[?)[ \t]*((?:\"(?:\\.|[^\"\\\n])*\"|'[^'\n]*'|[^\]\n\"'])+?)[ \t]*\]\]?[^\n]*")
_KEY = re.compile(r"[ \t]*((?:\"(?:\\.|[^\"\\\n])*\"|'[^'\n]*'|[^=\n\"'#])+?)[ \t]*=[ \t]*")


class Lines:
    """The line numbers of a TOML text, by the path of a key: ("smtp", "listen", 0)."""

    def __init__(self, text: str) -> None:
        self._lines: dict[KeyPath, int] = {(): 1}
        self._lengths: dict[KeyPath, int] = {}
        self._scan(text.replace("\r\n", "\n"))

    def of(self, path: KeyPath) -> int:
        """The line of `path`, or of the nearest key that holds it."""
        while path not in self._lines:
            path = path[:-1]
        return self._lines[path]

    def _scan(self, text: str) -> None:
        table: KeyPath = ()
        at, line = 0, 1
        while at < len(text):
            if match := _TABLE.match(text, at):
                table = self._table(_split(match[2]), array=match[1] == "[[")
                self._lines.setdefault(table, line)
                at = match.end()
            elif match := _KEY.match(text, at):
                path = table + _split(match[1])
                for length in range(len(table) + 1, len(path) + 1):
                    self._lines.setdefault(path[:length], line)
                at, line = self._value(text, match.end(), line, path)
            else:
                at = _end_of_line(text, at)
            at, line = at + 1, line + 1

    def _table(self, names: tuple[str, ...], array: bool) -> KeyPath:
        """The path of a header; each name that is an array of tables is followed by its last index."""
        path: KeyPath = ()
        for number, name in enumerate(names, 1):
            path += (name,)
            if array and number == len(names):
                self._lengths[path] = self._lengths.get(path, 0) + 1
            if path in self._lengths:
                path += (self._lengths[path] - 1,)
        return path

    def _value(self, text: str, at: int, line: int, path: KeyPath) -> tuple[int, int]:
        """Pass over a value; where its last line ends, and that line's number. Notes the lines of array items."""
        depth = index = 0
        while match := _TOKEN.match(text, at):
            kind = match.lastgroup
            if kind == "newline" and depth == 0:
                break
            if depth == 1 and kind in ("string", "open", "other") and match[0].strip():
                self._lines.setdefault((*path, index), line)
            depth += (kind == "open") - (kind == "close")
            index += kind == "comma" and depth == 1
            line += match[0].count("\n")
            at = match.end()
        return _end_of_line(text, at), line


def _end_of_line(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end


def _split(key: str) -> tuple[str, ...]:
    """The names of a dotted key, unquoted: let tomllib do it."""
    names: list[str] = []
    table: object = tomllib.loads(f"{key} = 0")
    while isinstance(table, Mapping):
        ((name, table),) = table.items()
        names.append(name)
    return tuple(names)
