"""Units of work on aliases and catch-alls."""

from __future__ import annotations

from itertools import groupby

from worldmail.directory.domains import required_domain, required_local
from worldmail.directory.rows import account_by_key, check_name
from worldmail.directory.source import CATCH_ALL
from worldmail.errors import BadValue, NoSuchThing
from worldmail.interfaces.database import Cursor
from worldmail.mail.address import Address

MAXIMUM_TARGETS = 1000

Alias = tuple[Address, tuple[Address, ...]]


def list_aliases(cursor: Cursor, domain: str | None) -> list[Alias]:
    """All aliases with their targets, by domain and name, or those of one domain. Raises `NoSuchThing`."""
    select = "SELECT d.name, a.local_part, a.target FROM address a JOIN domain d ON d.id = a.domain_id"
    order = " ORDER BY d.name, a.local_part, a.target"
    if domain is None:
        rows = cursor.all(select + order)
    else:
        rows = cursor.all(f"{select} WHERE d.id = ?{order}", (required_domain(cursor, domain).id,))
    return [
        (Address(local, name), tuple(Address.parse(row[2]) for row in group))
        for (name, local), group in groupby(rows, key=lambda row: (row[0], row[1]))
    ]


def set_alias(cursor: Cursor, address: Address, targets: tuple[Address, ...]) -> None:
    """Make an alias, or give it other targets. Raises `NoSuchThing`, `BadValue`."""
    domain = required_local(cursor, address.domain_key)
    check_name(address)
    local = address.local_key
    own = f"{local}@{domain.name}"
    distinct = {each.key: each for each in (target.qualified(domain.name) for target in targets)}
    if not 0 < len(distinct) <= MAXIMUM_TARGETS:
        raise BadValue(f"an alias has from 1 to {MAXIMUM_TARGETS} targets")
    if own in distinct and (local == CATCH_ALL or account_by_key(cursor, own) is None):
        raise BadValue(f"{address} cannot lead to itself: there is no such account")
    cursor.run("DELETE FROM address WHERE domain_id = ? AND local_part = ?", (domain.id, local))
    cursor.run_many(
        "INSERT INTO address (domain_id, local_part, target) VALUES (?, ?, ?)",
        [(domain.id, local, str(target)) for target in distinct.values()],
    )
    cursor.notice("address", domain.id)


def remove_alias(cursor: Cursor, address: Address) -> None:
    """Remove an alias or catch-all. Raises `NoSuchThing`."""
    domain = required_domain(cursor, address.domain_key)
    if not cursor.run("DELETE FROM address WHERE domain_id = ? AND local_part = ?", (domain.id, address.local_key)):
        raise NoSuchThing(f"there is no alias {address}")
    cursor.notice("address", domain.id)


def aliases_only_to(cursor: Cursor, key: str) -> tuple[Address, ...]:
    """The aliases whose only target has this `Address.key`."""
    rows = cursor.all(
        "SELECT d.name, a.local_part, MIN(a.target) FROM address a JOIN domain d ON d.id = a.domain_id"
        " GROUP BY d.name, a.local_part HAVING COUNT(*) = 1 ORDER BY d.name, a.local_part"
    )
    return tuple(Address(row[1], row[0]) for row in rows if Address.parse(row[2]).key == key)
