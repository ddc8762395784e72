"""Units of work on domains."""

from __future__ import annotations

from collections.abc import Sequence

from worldmail.directory.domain_keys import DomainKey
from worldmail.directory.rows import CLOSED, DomainRow, domain_by_name
from worldmail.errors import AlreadyThere, BadValue, NoSuchThing
from worldmail.interfaces.database import Cursor
from worldmail.interfaces.directory import Domain, IDomainParticipant
from worldmail.mail.domain import host_name

KINDS = ("local", "relay")


def domain_name(text: str) -> str:
    """The normal form of a domain that mail can be taken for. Raises `BadValue`."""
    try:
        name = host_name(text.strip().removesuffix("."))
    except ValueError:
        name = "["
    if name.startswith("["):
        raise BadValue(f"{text!r} is not a domain name")
    return name


def required_domain(cursor: Cursor, name: str) -> DomainRow:
    """The domain of this name, other names followed. Raises `NoSuchThing`."""
    domain = domain_by_name(cursor, name)
    if domain is None:
        raise NoSuchThing(f"there is no domain {name}")
    return domain


def required_local(cursor: Cursor, name: str) -> DomainRow:
    """The local domain of this name, other names followed. Raises `NoSuchThing`, `BadValue`."""
    domain = required_domain(cursor, name)
    if domain.kind != "local":
        raise BadValue(f"{name} is a relay domain: its mailboxes and aliases are on the server that its mail goes to")
    return domain


def required_relay(cursor: Cursor, name: str) -> DomainRow:
    """The relay domain of this name, other names followed. Raises `NoSuchThing`, `BadValue`."""
    domain = required_domain(cursor, name)
    if domain.kind != "relay":
        raise BadValue(f"{name} is no relay domain: its recipients are its accounts and aliases")
    return domain


def list_domains(cursor: Cursor) -> list[Domain]:
    """All domains by name."""
    rows = cursor.all(
        "SELECT d.id, d.name, COALESCE(t.kind, d.kind), t.name, d.quota"
        " FROM domain d LEFT JOIN domain t ON t.id = d.alias_of ORDER BY d.name"
    )
    return [Domain(id=row[0], name=row[1], kind=row[2], alias_of=row[3], quota=row[4]) for row in rows]


def set_domain(
    cursor: Cursor,
    name: str,
    values: Sequence[tuple[DomainKey, int | None]],
    participants: Sequence[IDomainParticipant],
) -> Domain:
    """Store the values under their keys.

    Raises `NoSuchThing`; `BadValue` for another name of a domain, and for a relay domain, which holds no mail.
    """
    for row, value in values:
        if not cursor.run(row.statement, (value, name)):
            domain = required_local(cursor, name)
            raise BadValue(f"{name} is another name of {domain.name}")
    found = cursor.one("SELECT id, kind, quota FROM domain WHERE name = ?", (name,))
    if found is None:
        raise NoSuchThing(f"there is no domain {name}")
    for participant in participants:
        participant.domain_quota_set(cursor, found[0])
    cursor.notice("domain", found[0])
    return Domain(id=found[0], name=name, kind=found[1], alias_of=None, quota=found[2])


def add_domain(cursor: Cursor, name: str, kind: str, alias_of: str | None) -> Domain:
    """Add a domain, or another name of one. Raises `AlreadyThere`, `NoSuchThing`, `BadValue`."""
    if domain_by_name(cursor, name) is not None:
        raise AlreadyThere(f"the domain {name} is there already")
    target = None if alias_of is None else required_domain(cursor, alias_of)
    if target is not None and target.alias:
        raise BadValue(f"{alias_of} is itself another name of {target.name}")
    kind = kind if target is None else target.kind
    row = cursor.one(
        "INSERT INTO domain (name, kind, alias_of) VALUES (?, ?, ?) RETURNING id",
        (name, kind, None if target is None else target.id),
    )
    assert row is not None
    cursor.notice("domain", row[0])
    return Domain(id=row[0], name=name, kind=kind, alias_of=None if target is None else target.name)


def remove_domain(cursor: Cursor, name: str) -> None:
    """Remove a domain, its aliases and its list of recipients.

    Raises `NoSuchThing`; `BadValue` while accounts or other names need it.
    """
    row = cursor.one("SELECT id FROM domain WHERE name = ?", (name,))
    if row is None:
        raise NoSuchThing(f"there is no domain {name}")
    (highest,) = cursor.one("SELECT max(enabled) FROM account WHERE domain_id = ? AND kind = 'person'", (row[0],)) or (
        None,
    )
    if highest == CLOSED:
        raise BadValue(f"the mail of accounts of {name} is still being removed; try again in a while")
    if highest is not None:
        raise BadValue(f"{name} still has accounts; remove them first")
    if cursor.one("SELECT 1 FROM account WHERE domain_id = ?", (row[0],)) is not None:
        raise BadValue(f"{name} still has public folders; remove them first")
    other = cursor.one("SELECT name FROM domain WHERE alias_of = ? ORDER BY name LIMIT 1", (row[0],))
    if other is not None:
        raise BadValue(f"{other[0]} is another name of {name}; remove that first")
    cursor.run("DELETE FROM address WHERE domain_id = ?", (row[0],))
    cursor.run("DELETE FROM relay_recipient WHERE domain_id = ?", (row[0],))
    cursor.run("DELETE FROM domain WHERE id = ?", (row[0],))
    cursor.notice("domain", row[0])
