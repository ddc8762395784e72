"""Units of work on accounts.

Every change is noticed under the topic "account", so that caches learn of it. One of credentials, rights or state
makes the account's generation grow as well: that ends the sessions which began before it.
"""

from __future__ import annotations

from collections.abc import Sequence

from worldmail.directory.account_keys import AccountKey, Value
from worldmail.directory.domains import required_local
from worldmail.directory.rows import CLOSED, account_by_id, account_by_key, check_name
from worldmail.directory.source import CATCH_ALL, find_account
from worldmail.errors import AlreadyThere, BadValue, NoSuchThing
from worldmail.interfaces.auth import PasswordCredentials
from worldmail.interfaces.database import Cursor
from worldmail.interfaces.directory import Account
from worldmail.interfaces.store import IAccountParticipant
from worldmail.mail.address import Address


def required_account(cursor: Cursor, address: Address) -> Account:
    """The account of this address. Raises `NoSuchThing`."""
    account = find_account(cursor, address)
    if account is None:
        raise NoSuchThing(f"there is no account {address}")
    return account


def check_new(cursor: Cursor, address: Address) -> int:
    """The id of the domain in which an account of this address can be made.

    Raises: `NoSuchThing`, `AlreadyThere`, `BadValue`.
    """
    domain = required_local(cursor, address.domain_key)
    if domain.name != address.domain_key:
        raise BadValue(f"accounts stand in a local domain itself; here that is {domain.name}")
    check_name(address)
    if address.local_key == CATCH_ALL:
        raise BadValue('"*" stands for the catch-all; an account needs another name')
    if account_by_key(cursor, address.key) is not None:
        raise AlreadyThere(f"the account {address} is there already")
    alias = (domain.id, address.local_key)
    if cursor.one("SELECT 1 FROM address WHERE domain_id = ? AND local_part = ? LIMIT 1", alias) is not None:
        raise AlreadyThere(f"{address} is an alias; remove that first")
    return domain.id


def add_account(
    cursor: Cursor,
    address: Address,
    name: str,
    created: int,
    credentials: PasswordCredentials,
    participants: Sequence[IAccountParticipant],
) -> Account:
    """Add an account and all that the participants keep for it."""
    domain_id = check_new(cursor, address)
    row = cursor.one(
        "INSERT INTO account (domain_id, address, name, enabled, generation, created, password, settings)"
        " VALUES (?, ?, ?, 1, 1, ?, ?, '{}') RETURNING id",
        (domain_id, address.key, name, created, credentials.hash),
    )
    assert row is not None
    _put_scram_keys(cursor, row[0], credentials)
    for participant in participants:
        participant.account_added(cursor, row[0])
    cursor.notice("account", row[0])
    return _read_back(cursor, row[0])


def close_account(cursor: Cursor, address: Address, participants: Sequence[IAccountParticipant]) -> Account:
    """Begin to remove an account: nobody finds it any more, its address is free. Its row stays until `clear_account`.

    Raises `NoSuchThing`.
    """
    account = required_account(cursor, address)
    for participant in participants:
        participant.account_closed(cursor, account.id)
    cursor.run("DELETE FROM scram_key WHERE account_id = ?", (account.id,))
    cursor.run(
        "UPDATE account SET address = ?, enabled = ?, password = '', legacy_secret = NULL WHERE id = ?",
        (f"#{account.id}", CLOSED, account.id),  # what holds no "@" is no address's key
    )
    _changed(cursor, account.id)
    return account


def clear_account(cursor: Cursor, account_id: int, participants: Sequence[IAccountParticipant]) -> bool:
    """Remove a slice of what hangs on a closed account; True once all of it, and the account's row, is gone."""
    if not all(participant.account_removed(cursor, account_id) for participant in participants):
        return False
    cursor.run("DELETE FROM known_network WHERE account_id = ?", (account_id,))
    cursor.run("DELETE FROM account WHERE id = ? AND enabled = ?", (account_id, CLOSED))
    return True


def closed_accounts(cursor: Cursor) -> list[int]:
    """The ids of the accounts that are closed and not cleared yet."""
    return [row[0] for row in cursor.all("SELECT id FROM account WHERE enabled = ? ORDER BY id", (CLOSED,))]


def set_password(cursor: Cursor, address: Address, credentials: PasswordCredentials) -> None:
    """Replace what is kept of the password. Raises `NoSuchThing`."""
    account = required_account(cursor, address)
    cursor.run("UPDATE account SET password = ? WHERE id = ?", (credentials.hash, account.id))
    cursor.run("DELETE FROM scram_key WHERE account_id = ?", (account.id,))
    _put_scram_keys(cursor, account.id, credentials)
    _changed(cursor, account.id)


def set_legacy_secret(cursor: Cursor, account_id: int, sealed: bytes) -> None:
    """Allow CRAM-MD5 and APOP with this secret. Raises `NoSuchThing` if the account is gone."""
    if not cursor.run("UPDATE account SET legacy_secret = ? WHERE id = ? AND enabled >= 0", (sealed, account_id)):
        raise NoSuchThing("there is no such account")
    _changed(cursor, account_id)


def set_account(cursor: Cursor, address: Address, values: Sequence[tuple[AccountKey, Value]]) -> Account:
    """Store the values under their keys. Raises `NoSuchThing`, `BadValue`."""
    account = required_account(cursor, address)
    for row, value in values:
        row.store(cursor, account.id, value)
    if any(row.ends_sessions for row, _ in values):
        _changed(cursor, account.id)
    elif values:
        cursor.notice("account", account.id)
    return _read_back(cursor, account.id)


def _put_scram_keys(cursor: Cursor, account_id: int, credentials: PasswordCredentials) -> None:
    cursor.run_many(
        "INSERT INTO scram_key (account_id, hash, salt, iterations, stored_key, server_key) VALUES (?, ?, ?, ?, ?, ?)",
        [(account_id, key.hash, key.salt, key.iterations, key.stored_key, key.server_key) for key in credentials.scram],
    )


def _changed(cursor: Cursor, account_id: int) -> None:
    cursor.run("UPDATE account SET generation = generation + 1 WHERE id = ?", (account_id,))
    cursor.notice("account", account_id)


def _read_back(cursor: Cursor, account_id: int) -> Account:
    account = account_by_id(cursor, account_id)
    assert account is not None
    return account
