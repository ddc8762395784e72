"""The settings page of the operator's guide, from the settings classes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

import attrs

from worldmail.config.fields import Field, fields_of, summary_of
from worldmail.config.sample import table_class, toml_text
from worldmail.config.settings import Settings
from worldmail.config.structure import optional_of, unit_of

_HEAD = """\
# Settings

Every section and setting of `worldmail.toml`, with its default. The sample with the same contents is
[`etc/worldmail.toml`](../etc/worldmail.toml). Both are generated from the program.
"""

_PLAIN = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}


def render_page(settings: Settings) -> str:
    """The page, in Markdown."""
    blocks = [_HEAD]
    for name, section in settings.sections().items():
        blocks += _section(name, type(section))
    return "\n".join(blocks)


def describe(kind: Any) -> str:
    """What may stand in the file for a field of this type, for a person."""
    inner = optional_of(kind)
    if inner is not None:
        return f'{describe(inner)}; "" for none'
    unit = unit_of(kind)
    if unit is not None:
        return unit.expected
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Literal:
        return "one of " + ", ".join(json.dumps(choice) for choice in arguments)
    if origin in (tuple, frozenset):
        return f"a list, each item {describe(arguments[0])}"
    if origin is not None:
        return f"a table, each value {describe(arguments[-1])}"
    return _PLAIN.get(kind, "a table")


def _section(name: str, settings_class: type[Any]) -> Iterator[str]:
    yield f"## [{name}]\n\n{summary_of(settings_class)}\n"
    later: list[str] = []
    for field in fields_of(settings_class):
        if attrs.has(field.type):
            later += _section(f"{name}.{field.name}", field.type)
        elif table := table_class(field.type):
            later.append(f"## [[{name}.{field.name}]]\n\n{field.note.doc}\n")
            later += [_setting(inner) for inner in fields_of(table)]
        else:
            yield _setting(field)
    yield from later


def _setting(field: Field) -> str:
    expected = describe(field.type)
    bounds = [
        f"{word} {toml_text(bound, field.type)}"
        for word, bound in (("at least", field.note.minimum), ("at most", field.note.maximum))
        if bound is not None
    ]
    default = "must be given" if field.default is attrs.NOTHING else f"`{toml_text(field.default, field.type)}`"
    facts = "; ".join([f"Takes {expected}", *bounds])
    return f"### `{field.name}`\n\n{field.note.doc}\n\n{facts}. Default: {default}.\n"
