"""Two services cannot listen in one place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from worldmail.config.lines import KeyPath
from worldmail.config.units import Listen


def listeners(value: Any, path: KeyPath = ()) -> Iterator[tuple[KeyPath, Listen]]:
    """Every place to listen within settings, by its path."""
    if isinstance(value, Listen):
        yield path, value
    elif isinstance(value, tuple):
        for number, item in enumerate(value):
            yield from listeners(item, (*path, number))
    elif attrs.has(type(value)):  # asked before Mapping, which takes long to answer for each new class
        for attribute in attrs.fields(type(value)):
            yield from listeners(getattr(value, attribute.name), (*path, attribute.name))
    elif isinstance(value, Mapping):
        for name, item in value.items():
            yield from listeners(item, (*path, name))


def clashes(sections: Mapping[str, Any]) -> Iterator[tuple[KeyPath, KeyPath, Listen]]:
    """Each place to listen that another one has taken already: its path, the other's, the place."""
    taken: dict[int, list[tuple[KeyPath, Listen]]] = {}
    for path, place in listeners(sections):
        if place.port == 0:
            continue
        others = taken.setdefault(place.port, [])
        for other_path, other in others:
            if _overlap(place.host, other.host):
                yield path, other_path, place
                break
        others.append((path, place))


def _overlap(one: str, other: str) -> bool:
    if one == other or "*" in (one, other):
        return True
    same_family = (":" in one) == (":" in other)
    return same_family and bool({"0.0.0.0", "::"} & {one, other})
