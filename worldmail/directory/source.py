"""The source that reads our own tables.

Where an address of ours leads, first match wins:

    1. an alias of exactly this name (a target equal to itself is the account: "forward and keep")
    2. the account of exactly this name
    3. 1 and 2 for the name without its detail, user+tag (RFC 5233)
    4. postmaster: the postmaster of the first domain that has one (RFC 5321 §4.5.1)
    5. the catch-all of the domain
    6. abuse: the domain's postmaster (RFC 2142 §4)

An address of a domain that we relay leads to itself. The postmaster of the server, by its own name, is that of 4 if
this name is no domain of ours: reports name that address.
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Sequence
from typing import ClassVar

from attrs import define, field
from zope.interface import implementer

from worldmail.directory.rows import DomainRow, account_by_key, domain_by_name, first_domain
from worldmail.interfaces.database import Cursor, IDatabase
from worldmail.interfaces.directory import (
    Account,
    Destination,
    Elsewhere,
    IBatchSource,
    LocalAccount,
    NoSuchAddress,
)
from worldmail.interfaces.plugin import Foundations
from worldmail.mail.address import Address
from worldmail.mail.domain import normal_domain

CATCH_ALL = "*"
# One more than is followed: the directory refuses an expansion that is too wide.
_TARGETS_READ = 1001
_ANY_RECIPIENT = "SELECT 1 FROM relay_recipient WHERE domain_id = ? LIMIT 1"
_RECIPIENTS = "SELECT local_part, most, room FROM relay_recipient WHERE domain_id = ? AND local_part IN (?, ?, ?)"
OPEN = "*"
"""Stands in a list of recipients that is not whole yet: as long as it does, the list says no to nobody."""

ADDED = 2000
"""Octets that we put in front of a message at most: a Received field (RFC 5321 §4.4), labels, results."""

FEW = 10
"""More addresses than this are looked up in a thread."""


@implementer(IBatchSource)
@define(kw_only=True)
class DatabaseSource:
    """Domains, accounts and aliases of the database.

    Args:
        database: where they are.
        delimiters: the characters that part a user from a detail; "" for no subaddresses.
        host: the server's own name, as domains are compared; "" for none.
    """

    name: ClassVar[str] = "database"

    _database: IDatabase
    _delimiters: str = field(default="+")
    _host: str = field(default="")

    def resolve(self, address: Address) -> Awaitable[tuple[Destination, ...] | None]:
        """See `IDirectorySource.resolve`."""
        return self._database.read(lambda cursor: self._find(cursor, address))

    def resolve_all(self, addresses: Sequence[Address]) -> Awaitable[list[tuple[Destination, ...] | None]]:
        """See `IBatchSource.resolve_all`."""

        def unit(cursor: Cursor) -> list[tuple[Destination, ...] | None]:
            return [self._find(cursor, address) for address in addresses]

        return self._database.read(unit) if len(addresses) <= FEW else self._database.scan(unit)

    def account(self, address: Address) -> Awaitable[Account | None]:
        """See `IDirectorySource.account`."""
        return self._database.read(lambda cursor: find_account(cursor, address))

    def own_form(self, address: Address) -> Awaitable[Address | None]:
        """See `IDirectorySource.own_form`."""
        return self._database.read(lambda cursor: _own_form(cursor, address))

    def _find(self, cursor: Cursor, address: Address) -> tuple[Destination, ...] | None:
        found = _lead(cursor, address, self._delimiters)
        if found is None and address.local_key == "postmaster" and self._host and address.domain_key == self._host:
            return _site_postmaster(cursor) or None
        return found


def database_source(foundations: Foundations) -> DatabaseSource:
    """The source, for the plugin door."""
    return DatabaseSource(
        database=foundations.database,
        delimiters=foundations.settings.directory.recipient_delimiter,
        host=_comparable(foundations.settings.server.hostname),
    )


def _comparable(host: str) -> str:
    try:
        return normal_domain(host)
    except ValueError:  # none is set: then it is the machine's, and looking that up may take its time
        return ""


def find_account(cursor: Cursor, address: Address) -> Account | None:
    """The account whose own address this is, other names of its domain followed."""
    own = _own_form(cursor, address)
    return None if own is None else account_by_key(cursor, own.key)


def dead_ends(cursor: Cursor, alias: Address, targets: Iterable[Address], delimiters: str) -> list[Address]:
    """The targets of an alias that are of our domains, and at which there is nothing, or nothing but this catch-all."""
    own = domain_by_name(cursor, alias.domain_key) if alias.local_key == CATCH_ALL else None
    found = []
    for target in targets:
        led = _lead(cursor, target, delimiters, caught=None if own is None else own.id)
        if led == (NoSuchAddress(address=target),):
            found.append(target)
    return found


def _own_form(cursor: Cursor, address: Address) -> Address | None:
    name = address.domain_key or first_domain(cursor)
    domain = None if name is None else domain_by_name(cursor, name)
    if domain is None:
        return None
    try:
        return Address(address.local_key, domain.name)
    except ValueError:  # too long once it is folded: no account has that name (`check_name`)
        return Address(address.local, domain.name)


def _lead(
    cursor: Cursor, address: Address, delimiters: str, caught: int | None = None
) -> tuple[Destination, ...] | None:
    """Where it leads; None if it is not of our domains. `caught`: the catch-all of this domain does not count."""
    local = address.local_key
    if not address.domain:
        return _site_postmaster(cursor) if local == "postmaster" else None
    domain = domain_by_name(cursor, address.domain_key)
    if domain is None:
        return None
    if domain.kind != "local":
        return (_relayed(cursor, domain, address, delimiters),)
    found = _named(cursor, domain, local)
    if not found:
        base = address.split_subaddress(delimiters)[0].local_key
        if base != local:
            local = base
            found = _named(cursor, domain, local)
    if not found and local == "postmaster":
        found = _site_postmaster(cursor)
    if not found and domain.id != caught:
        found = _targets(cursor, domain, CATCH_ALL)
    if not found and local == "abuse":
        found = (Elsewhere(address=Address("postmaster", domain.name)),)
    return found or (NoSuchAddress(address=address),)


def _relayed(cursor: Cursor, domain: DomainRow, address: Address, delimiters: str) -> Destination:
    """An address of a domain whose mail we hand on, and what the list of its recipients says."""
    local = address.local_key
    listed: bool | None = None
    bounds: tuple[int | None, int | None] = (None, None)
    if cursor.one(_ANY_RECIPIENT, (domain.id,)) is not None:
        base = address.split_subaddress(delimiters)[0].local_key
        found = {row[0]: (row[1], row[2]) for row in cursor.all(_RECIPIENTS, (domain.id, local, base, OPEN))}
        listed = True if found.keys() - {OPEN} else None if found else False
        bounds = found.get(local) or found.get(base) or found.get(OPEN) or bounds
    own = Address(address.local, domain.name)
    return Elsewhere(address=address, relayed=True, own=own, listed=listed, most=_passed(bounds[0]), room=bounds[1])


def _passed(most: int | None) -> int | None:
    """What a message may have that its server takes with this much: what we put in front of it counts there."""
    return None if most is None else max(most - ADDED, most // 2)


def _named(cursor: Cursor, domain: DomainRow, local: str) -> tuple[Destination, ...]:
    targets = _targets(cursor, domain, local)
    if targets:
        return targets
    account = account_by_key(cursor, f"{local}@{domain.name}")
    return () if account is None else (LocalAccount(account=account),)


def _targets(cursor: Cursor, domain: DomainRow, local: str) -> tuple[Destination, ...]:
    rows = cursor.all(
        "SELECT target FROM address WHERE domain_id = ? AND local_part = ? ORDER BY target LIMIT ?",
        (domain.id, local, _TARGETS_READ),
    )
    own = f"{local}@{domain.name}"
    return tuple(_target(cursor, Address.parse(row[0]), own) for row in rows)


def _target(cursor: Cursor, target: Address, own: str) -> Destination:
    if target.key != own:
        return Elsewhere(address=target)
    account = account_by_key(cursor, own)
    return NoSuchAddress(address=target) if account is None else LocalAccount(account=account)


def _site_postmaster(cursor: Cursor) -> tuple[Destination, ...]:
    """The postmaster of the first domain that has one, by account or by alias; nothing if none has."""
    row = cursor.one(
        "SELECT d.name FROM domain d WHERE d.kind = 'local' AND d.alias_of IS NULL AND ("
        " EXISTS (SELECT 1 FROM account a WHERE a.address = 'postmaster@' || d.name)"
        " OR EXISTS (SELECT 1 FROM address t WHERE t.domain_id = d.id AND t.local_part = 'postmaster'))"
        " ORDER BY d.id LIMIT 1"
    )
    return () if row is None else (Elsewhere(address=Address("postmaster", row[0])),)
