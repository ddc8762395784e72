"""Rows of the tables domain and account, as the values that cross the seam."""

from __future__ import annotations

import json
from types import MappingProxyType

from attrs import frozen

from worldmail.errors import BadValue
from worldmail.interfaces.database import Cursor, Row
from worldmail.interfaces.directory import Account
from worldmail.mail.address import MAXIMUM_LOCAL_OCTETS, Address

_COLUMNS = "id, address, name, enabled, generation, quota, max_message, legacy_secret IS NOT NULL, settings"
_BY_KEY = f"SELECT {_COLUMNS} FROM account WHERE address = ?"
_BY_ID = f"SELECT {_COLUMNS} FROM account WHERE id = ? AND enabled >= 0 AND kind = 'person'"
_ALL = f"SELECT {_COLUMNS} FROM account WHERE enabled >= 0 AND kind = 'person' ORDER BY address"
_OF_DOMAIN = f"SELECT {_COLUMNS} FROM account WHERE domain_id = ? AND enabled >= 0 AND kind = 'person' ORDER BY address"

LONGEST = MAXIMUM_LOCAL_OCTETS
"""Octets of a local part as its key: what is kept of an address has to be one itself."""

CLOSED = -1
"""In the column `enabled` of an account that is being removed. Its address is none, so that no key finds it."""


@frozen
class DomainRow:
    """A domain of ours, other names followed: `id` and `name` are those of the domain itself."""

    id: int
    name: str
    kind: str
    alias: bool


def domain_by_name(cursor: Cursor, name: str) -> DomainRow | None:
    """The domain known by this normalised name, or None."""
    row = cursor.one(
        "SELECT COALESCE(t.id, d.id), COALESCE(t.name, d.name), COALESCE(t.kind, d.kind), d.alias_of"
        " FROM domain d LEFT JOIN domain t ON t.id = d.alias_of WHERE d.name = ?",
        (name,),
    )
    return None if row is None else DomainRow(row[0], row[1], row[2], row[3] is not None)


def first_domain(cursor: Cursor) -> str | None:
    """The name of the first local domain, the one that unqualified names stand in; None if there is none."""
    row = cursor.one("SELECT name FROM domain WHERE kind = 'local' AND alias_of IS NULL ORDER BY id LIMIT 1")
    return None if row is None else str(row[0])


def check_name(address: Address) -> None:
    """Can there be such an account or alias? Raises `BadValue`: folding for case can make a name longer."""
    if len(address.local_key.encode()) > LONGEST:
        raise BadValue(f"{address} is too long: in lower case it has more than {LONGEST} octets before the @")


def account_by_key(cursor: Cursor, key: str) -> Account | None:
    """The account with this `Address.key` for its own address, or None."""
    return _account_or_none(cursor.one(_BY_KEY, (key,)))


def account_by_id(cursor: Cursor, account_id: int) -> Account | None:
    """The account with this id, or None."""
    return _account_or_none(cursor.one(_BY_ID, (account_id,)))


def all_accounts(cursor: Cursor, domain_id: int | None) -> list[Account]:
    """All accounts by address, or those of one domain."""
    rows = cursor.all(_ALL) if domain_id is None else cursor.all(_OF_DOMAIN, (domain_id,))
    return [_account(row) for row in rows]


def _account_or_none(row: Row | None) -> Account | None:
    return None if row is None else _account(row)


def _account(row: Row) -> Account:
    # An account's address is kept as its key, where the last "@" parts the two (Address.key).
    local, _, domain = row[1].rpartition("@")
    return Account(
        id=row[0],
        address=Address(local, domain),
        name=row[2],
        enabled=bool(row[3]),
        generation=row[4],
        quota=row[5],
        max_message=row[6],
        legacy_auth=bool(row[7]),
        settings=MappingProxyType(json.loads(row[8])),
    )
