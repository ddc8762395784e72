"""Writing worldmail.toml: complete, commented, from the settings classes.

A setting that has its default value is written as a comment without a space
("#key = value"), so that a person sees it and takes the "#" away to change it.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any, get_args, get_origin

import attrs

from worldmail.config.fields import Field, fields_of, summary_of
from worldmail.config.settings import Settings
from worldmail.config.structure import optional_of, unit_of

_WIDTH = 100

_HEAD = """\
# The configuration of WorldMail: every setting, with its default behind a "#".
# To change one, take the "#" away. Times are "500ms", "30s", "5m", "12h", "7d"; sizes "64KiB", "25MB".
# Relative paths count from the directory of this file. SIGHUP makes a running server read it again;
# `worldmail --config FILE check` says what is wrong with it, by line.
"""


def render(settings: Settings) -> str:
    """The file that `read_settings` reads back as `settings`; what has its default is commented out."""
    sections = (_section(name, section) for name, section in settings.sections().items())
    return _HEAD + "".join("\n" + "\n".join(lines) + "\n" for lines in sections)


def toml_text(value: Any, kind: Any) -> str:
    """A value as it stands in the file, for a field of type `kind` (no settings class)."""
    inner = optional_of(kind)
    if inner is not None:
        return '""' if value is None else toml_text(value, inner)
    unit = unit_of(kind)
    if unit is not None:
        text = unit.write(value)
        return text if isinstance(value, int) and text.isdecimal() else _string(text)
    arguments = get_args(kind)
    if get_origin(kind) in (tuple, frozenset):
        items = value if isinstance(value, tuple) else sorted(value, key=str)
        return "[" + ", ".join(toml_text(item, arguments[0]) for item in items) + "]"
    if isinstance(value, Mapping):
        pairs = (f"{_string(name)} = {toml_text(item, arguments[1])}" for name, item in value.items())
        return "{ " + ", ".join(pairs) + " }" if value else "{}"
    if isinstance(value, bool):
        return "true" if value else "false"
    return _string(value) if isinstance(value, str) else repr(value)


def table_class(kind: Any) -> type[Any] | None:
    """The settings class of a field that is a list of tables; None for any other type."""
    item = get_args(kind)[0] if get_origin(kind) is tuple else None
    return item if item is not None and attrs.has(item) and unit_of(item) is None else None


def _section(name: str, section: Any) -> list[str]:
    lines = [*_comment(summary_of(type(section))), f"[{name}]"]
    later: list[str] = []
    for field in fields_of(type(section)):
        value = getattr(section, field.name)
        if attrs.has(field.type):
            later += ["", *_section(f"{name}.{field.name}", value)]
        elif table_class(field.type):
            if not value and field.default:
                lines += ["", f"{field.name} = []"]
            later += ["", *_tables(f"{name}.{field.name}", field, value)]
        else:
            lines += ["", *_setting(field, value)]
    return lines + later


def _setting(field: Field, value: Any) -> Iterator[str]:
    yield from _comment(field.note.doc)
    if field.note.example is not None:
        yield f"# For example: {field.name} = {toml_text(field.note.example, field.type)}"
    mark = "#" if value == field.default else ""
    yield f"{mark}{field.name} = {toml_text(value, field.type)}"


def _tables(path: str, field: Field, value: tuple[Any, ...]) -> Iterator[str]:
    """A list of tables: its documentation, then its items; behind "#" if they are the default, or examples of none."""
    kind = table_class(field.type)
    assert kind is not None
    yield from _comment(field.note.doc)
    for inner in fields_of(kind):
        yield from _comment(f"{inner.name}: {inner.note.doc}")
    mark = "#" if value in ((), field.default) else ""
    items = value or field.default or field.note.example or ()
    for item in items:
        yield f"{mark}[[{path}]]"
        for inner in fields_of(kind):
            found = getattr(item, inner.name)
            if found != inner.default:
                yield f"{mark}{inner.name} = {toml_text(found, inner.type)}"


def _comment(text: str) -> list[str]:
    return [f"# {line}" for line in textwrap.wrap(text, _WIDTH - 2, break_long_words=False, break_on_hyphens=False)]


def _string(text: str) -> str:
    """A TOML basic string; JSON's escapes are all TOML's too."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
