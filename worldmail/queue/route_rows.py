"""Rows of the table route, and the units of work on them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from attrs import frozen

from worldmail.errors import AlreadyThere, ConfigurationError, NoSuchThing
from worldmail.interfaces.database import Cursor, Row
from worldmail.interfaces.outbound import Security
from worldmail.interfaces.queue import Route, Via
from worldmail.queue.route_keys import Given, check, route_of

Seal = Callable[[str, bytes], bytes]
"""Encrypts for a purpose, or opens what was encrypted for it (ValueError if it was not)."""

_COLUMNS = "name, domain, sender, via, host, port, username, password, enabled, settings"
_OTHERS = ("implicit_tls", "renews", "queue", "text", "connections", "rate")
"""Fields of `Given` that are kept in the settings as they are."""


@frozen
class RouteRow:
    """One route as it is kept; `sealed` is its password, None if there is none."""

    name: str
    given: Given
    sealed: bytes | None

    @property
    def purpose(self) -> str:
        """What its password is sealed for: in a row that leads to another host it is of no use."""
        return f"route {self.given.user} {self.given.host}"

    def route(self, unseal: Seal | None) -> Route:
        """The route that it makes; without `unseal`, its password is "".

        Raises: `ConfigurationError` for a row that no administrator can have made; `BadValue` if its keys do not fit.
        """
        check(self.name, self.given)
        if unseal is None or not self.given.user:
            return route_of(self.name, self.given, "")
        try:
            password = unseal(self.purpose, self.sealed or b"").decode()
        except ValueError:
            raise ConfigurationError(f"the password of the route {self.name} cannot be read: set it again") from None
        return route_of(self.name, self.given, password)


def all_rows(cursor: Cursor) -> list[RouteRow]:
    """All of them, in no order. Raises `ConfigurationError`."""
    return [_read(row) for row in cursor.all(f"SELECT {_COLUMNS} FROM route")]


def required_row(cursor: Cursor, name: str) -> RouteRow:
    """The one of this name. Raises `NoSuchThing`."""
    row = cursor.one(f"SELECT {_COLUMNS} FROM route WHERE name = ?", (name,))
    if row is None:
        raise NoSuchThing(f"there is no route {name}")
    return _read(row)


def add_row(cursor: Cursor, row: RouteRow) -> None:
    """Add it. Raises `AlreadyThere`."""
    if cursor.one("SELECT 1 FROM route WHERE name = ?", (row.name,)) is not None:
        raise AlreadyThere(f"the route {row.name} is there already")
    _check_alone(cursor, row)
    cursor.run(f"INSERT INTO route ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", _values(row))
    _tell(cursor)


def replace_row(cursor: Cursor, row: RouteRow) -> None:
    """Put it in the place of the one of its name. Raises `AlreadyThere`."""
    _check_alone(cursor, row)
    cursor.run(
        "UPDATE route SET domain = ?, sender = ?, via = ?, host = ?, port = ?, username = ?, password = ?, enabled = ?,"
        " settings = ? WHERE name = ?",
        (*_values(row)[1:], row.name),
    )
    _tell(cursor)


def remove_row(cursor: Cursor, name: str) -> None:
    """Remove it. Raises `NoSuchThing`."""
    if not cursor.run("DELETE FROM route WHERE name = ?", (name,)):
        raise NoSuchThing(f"there is no route {name}")
    _tell(cursor)


def _check_alone(cursor: Cursor, row: RouteRow) -> None:
    """Of two for the same mail nobody could say which it takes."""
    if not row.given.enabled:
        return
    other = cursor.one(
        "SELECT name FROM route WHERE domain = ? AND sender = ? AND enabled = 1 AND name <> ? ORDER BY name LIMIT 1",
        (row.given.domain, row.given.sender, row.name),
    )
    if other is not None:
        raise AlreadyThere(
            f"the route {other[0]} is for domain={row.given.domain} sender={row.given.sender} already:"
            " change, disable or remove that one"
        )


def _tell(cursor: Cursor) -> None:
    cursor.notice("route", 0)  # routes have names, and who follows them reads them all


def _values(row: RouteRow) -> tuple[Any, ...]:
    given, nothing = row.given, Given()
    settings = {name: getattr(given, name) for name in _OTHERS if getattr(given, name) != getattr(nothing, name)}
    if given.pins:
        settings["pins"] = sorted(given.pins)
    if given.security is not None:
        settings["security"] = given.security.value
    return (
        row.name,
        given.domain,
        given.sender,
        given.via.value,
        given.host,
        given.port,
        given.user or None,
        row.sealed,
        int(given.enabled),
        json.dumps(settings, sort_keys=True),
    )


def _read(row: Row) -> RouteRow:
    name, domain, sender, via, host, port, user, sealed, enabled, text = row
    try:
        settings = json.loads(text)
        given = Given(
            domain=domain,
            sender=sender,
            via=Via(via),
            host=host,
            port=port,
            user=user or "",
            enabled=bool(enabled),
            security=Security(settings["security"]) if "security" in settings else None,
            pins=frozenset(settings.get("pins", ())),
            **{field: settings[field] for field in _OTHERS if field in settings},
        )
    except (ValueError, TypeError):
        raise ConfigurationError(f"the route {name} cannot be read: it was made by another release") from None
    return RouteRow(name, given, None if sealed is None else bytes(sealed))
