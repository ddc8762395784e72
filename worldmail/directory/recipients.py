"""Units of work on the lists of recipients that the database has of relay domains.

A list that takes more than one unit to load is marked by the recipient `OPEN` until it is whole, if it is the first of
its domain: so nobody is refused because others were put in before.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from worldmail.directory.domains import required_relay
from worldmail.directory.rows import domain_by_name
from worldmail.directory.source import OPEN
from worldmail.errors import BadValue, NoSuchThing
from worldmail.interfaces.database import Cursor
from worldmail.interfaces.pairs import Known
from worldmail.mail.address import Address

_IS_THERE = "SELECT 1 FROM domain WHERE id = ? AND kind = 'relay'"
_ANY = "SELECT 1 FROM relay_recipient WHERE domain_id = ? LIMIT 1"
_ADD = "INSERT INTO relay_recipient (domain_id, local_part) VALUES (?, ?) ON CONFLICT DO NOTHING"
_PUT = "INSERT INTO relay_recipient (domain_id, local_part, most, room) VALUES (?, ?, ?, ?)"
_REMOVE = "DELETE FROM relay_recipient WHERE domain_id = ? AND local_part = ?"
_COUNT = "SELECT COUNT(*) FROM relay_recipient WHERE domain_id = ? AND local_part <> ?"
_SLICE = "SELECT local_part FROM relay_recipient WHERE domain_id = ? AND local_part > ? ORDER BY local_part LIMIT ?"


def counts(cursor: Cursor) -> dict[str, int | None]:
    """How many recipients each relay domain lists; None without a list."""
    rows = cursor.all(
        "SELECT d.name, COUNT(r.local_part), COALESCE(SUM(CASE WHEN r.local_part = ? THEN 1 ELSE 0 END), 0)"
        " FROM domain d LEFT JOIN relay_recipient r ON r.domain_id = d.id"
        " WHERE d.kind = 'relay' AND d.alias_of IS NULL GROUP BY d.name ORDER BY d.name",
        (OPEN,),
    )
    return {name: None if not count or still_open else int(count) for name, count, still_open in rows}


def recipients(cursor: Cursor, name: str) -> list[Address]:
    """The list of a domain, in the order of its local parts."""
    domain = required_relay(cursor, name)
    rows = cursor.all(
        "SELECT local_part FROM relay_recipient WHERE domain_id = ? AND local_part <> ? ORDER BY local_part",
        (domain.id, OPEN),
    )
    return [Address(row[0], domain.name) for row in rows]


def domain_names(cursor: Cursor, name: str) -> tuple[str, ...]:
    """The relay domain's own name, and its other names."""
    domain = required_relay(cursor, name)
    rows = cursor.all("SELECT name FROM domain WHERE alias_of = ? ORDER BY name", (domain.id,))
    return (domain.name, *(row[0] for row in rows))


def listed(cursor: Cursor, name: str) -> list[Known]:
    """The same with their bounds."""
    domain = required_relay(cursor, name)
    rows = cursor.all(
        "SELECT local_part, most, room FROM relay_recipient WHERE domain_id = ? AND local_part <> ?"
        " ORDER BY local_part",
        (domain.id, OPEN),
    )
    return [Known(row[0], domain.name, row[1], row[2]) for row in rows]


def replace(cursor: Cursor, names: Collection[str], lists: Iterable[Known]) -> int:
    """These domains have these recipients and postmaster, and no others; how many.

    The local part `OPEN` leaves a domain without a list, with no more than a bound for everybody. What is no relay
    domain (any more) is passed over. Raises `BadValue` for another domain than these.
    """
    found_domains = {name: domain_by_name(cursor, name) for name in names}
    domains = {name: one.id for name, one in found_domains.items() if one is not None and one.kind == "relay"}
    rows: dict[int, dict[str, Known]] = {domain_id: {} for domain_id in domains.values()}
    for known in lists:
        if known.domain not in found_domains:
            raise BadValue(f"{known.domain} is no domain of this site")
        if known.domain in domains:
            rows[domains[known.domain]][known.local] = known
    for domain_id, found in rows.items():
        cursor.run("DELETE FROM relay_recipient WHERE domain_id = ?", (domain_id,))
        if OPEN not in found:
            found.setdefault("postmaster", Known("postmaster", ""))  # RFC 5321 §4.5.1; no list would be everybody
            cursor.run_many(_PUT, [(domain_id, known.local, known.most, known.room) for known in found.values()])
        elif found[OPEN].most is not None:
            cursor.run(_PUT, (domain_id, OPEN, found[OPEN].most, None))
        cursor.notice("address", domain_id)
    return sum(len(found) for found in rows.values() if OPEN not in found)


def add(cursor: Cursor, by_domain: Mapping[str, Sequence[str]]) -> list[str]:
    """Add these local parts by domain; the domains that had no list."""
    first = []
    for name, names in by_domain.items():
        domain = required_relay(cursor, name)
        if cursor.one(_ANY, (domain.id,)) is None:
            first.append(domain.name)
        cursor.run_many(_ADD, [(domain.id, local) for local in names])
        cursor.notice("address", domain.id)
    return first


def remove(cursor: Cursor, by_domain: Mapping[str, Sequence[str]]) -> None:
    """Remove these local parts by domain. Raises `NoSuchThing` for one that is not there; `BadValue` for the last."""
    for name, names in by_domain.items():
        domain = required_relay(cursor, name)
        for local in names:
            if not cursor.run(_REMOVE, (domain.id, local)):
                raise NoSuchThing(f"there is no recipient {Address(local, domain.name)} in the list")
        if not _count(cursor, domain.id):
            raise BadValue(
                f"{domain.name} would have no recipient left, and take mail for everybody; that is"
                f" recipient remove --all {domain.name}"
            )
        cursor.notice("address", domain.id)


def clear(cursor: Cursor, name: str) -> int:
    """Remove the whole list. Raises `NoSuchThing` if there is none."""
    domain = required_relay(cursor, name)
    count = _count(cursor, domain.id)
    if not cursor.run("DELETE FROM relay_recipient WHERE domain_id = ?", (domain.id,)):
        raise NoSuchThing(f"{domain.name} has no list of recipients")
    cursor.notice("address", domain.id)
    return count


def begin_load(cursor: Cursor, name: str) -> tuple[int, int]:
    """The domain's id, and how many it lists. One without a list is marked, so that it stays open until `end_load`."""
    domain = required_relay(cursor, name)
    if cursor.one(_ANY, (domain.id,)) is None:
        cursor.run(_ADD, (domain.id, OPEN))
    return domain.id, _count(cursor, domain.id)


def add_slice(cursor: Cursor, domain_id: int, names: Sequence[str]) -> None:
    """Add these. Raises `NoSuchThing` if the domain was removed meanwhile."""
    if cursor.one(_IS_THERE, (domain_id,)) is None:
        raise NoSuchThing("the domain was removed meanwhile")
    cursor.run_many(_ADD, [(domain_id, name) for name in names])
    cursor.notice("address", domain_id)


def drop_slice(cursor: Cursor, domain_id: int, after: str, kept: Collection[str], limit: int) -> str | None:
    """Look at so many from behind `after` and remove those that are not `kept`; the last, None if it was the end."""
    found = [row[0] for row in cursor.all(_SLICE, (domain_id, after, limit))]
    gone = [(domain_id, name) for name in found if name not in kept and name != OPEN]
    if gone:
        cursor.run_many(_REMOVE, gone)
        cursor.notice("address", domain_id)
    return found[-1] if len(found) == limit else None


def end_load(cursor: Cursor, domain_id: int) -> int:
    """The list is whole; how many it has."""
    cursor.run(_REMOVE, (domain_id, OPEN))
    cursor.notice("address", domain_id)
    return _count(cursor, domain_id)


def _count(cursor: Cursor, domain_id: int) -> int:
    row = cursor.one(_COUNT, (domain_id, OPEN))
    return 0 if row is None else int(row[0])
