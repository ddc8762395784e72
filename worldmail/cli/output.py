"""What a command says: a table for people, JSON for machines."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


class SettableKey(Protocol):
    """What a table of keys has of each."""

    @property
    def key(self) -> str: ...
    @property
    def takes(self) -> str: ...
    @property
    def meaning(self) -> str: ...


def json_option(command: F) -> F:
    """Every command's `--json`, as the argument `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")(command)


def show_rows(as_json: bool, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    """Rows of equal keys; `columns` are the keys that the table shows, in its order."""
    if as_json:
        click.echo(json.dumps(list(rows), indent=2))
        return
    cells = [[_cell(row[column]) for column in columns] for row in rows]
    widths = [max(len(line[at]) for line in [list(columns), *cells]) for at in range(len(columns))]
    for line in [[column.upper().replace("_", " ") for column in columns], *cells]:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def show_keys(as_json: bool, keys: Iterable[SettableKey]) -> None:
    """The keys that a `set` command takes, and what they mean."""
    rows = [{"key": row.key, "takes": row.takes, "meaning": row.meaning} for row in keys]
    show_rows(as_json, ("key", "takes", "meaning"), rows)


def show_fields(as_json: bool, fields: Mapping[str, Any]) -> None:
    """One thing: a field a line."""
    if as_json:
        click.echo(json.dumps(dict(fields), indent=2))
        return
    width = max(len(name) for name in fields)
    for name, value in fields.items():
        click.echo(f"{name.replace('_', ' ').ljust(width)}  {_cell(value)}")


def show_done(as_json: bool, sentence: str, **fields: Any) -> None:
    """Something was done."""
    click.echo(json.dumps(fields, indent=2) if as_json else sentence)


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(_cell(item) for item in value) or "-"
    return printable(str(value))


def printable(text: str) -> str:
    """Text that cannot drive a terminal: if anything in it could, it is escaped."""
    return text if text.isprintable() else json.dumps(text)[1:-1]
