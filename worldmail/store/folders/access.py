"""Units of work on rights (RFC 4314 §3) and subscriptions."""

from __future__ import annotations

from collections.abc import Mapping

from worldmail.errors import LimitReached
from worldmail.interfaces.database import Cursor
from worldmail.interfaces.directory import Account
from worldmail.interfaces.folders import OWNER_RIGHTS
from worldmail.store.folders.names import PUBLIC_OWNER, canonical, locate
from worldmail.store.folders.rights import expand, identifier_key, ordered, require
from worldmail.store.folders.rows import see
from worldmail.store.folders.told import tell_identifiers

MOST_IDENTIFIERS = 500
"""Of one mailbox."""

MOST_SUBSCRIPTIONS = 20_000
"""Of one account: names stay when mailboxes go."""

_SET = (
    "INSERT INTO acl (mailbox_id, identifier, rights) VALUES (?, ?, ?)"
    " ON CONFLICT (mailbox_id, identifier) DO UPDATE SET rights = excluded.rights"
)


def rights_of(cursor: Cursor, account: Account, name: str) -> Mapping[str, str]:
    """Rights by identifier, the owner's first; a domain's public mailboxes have no owner that could be named."""
    folder = require(see(cursor, account, locate(name, account)), "a")
    owner = _owner(cursor, folder.owner)
    found = {} if owner.startswith(PUBLIC_OWNER) else {owner: OWNER_RIGHTS}
    rows = cursor.all("SELECT identifier, rights FROM acl WHERE mailbox_id = ? ORDER BY identifier", (folder.id,))
    return found | {row[0]: row[1] for row in rows}


def set_rights(cursor: Cursor, account: Account, name: str, identifier: str, rights: str, how: str) -> None:
    """Change the rights of one identifier. Those of the owner are all of them, whatever is asked for (§3.7)."""
    letters = set(expand(rights))
    key = identifier_key(identifier, account.address.domain_key)
    folder = require(see(cursor, account, locate(name, account)), "a")
    if key.removeprefix("-") == _owner(cursor, folder.owner):
        return
    row = cursor.one("SELECT rights FROM acl WHERE mailbox_id = ? AND identifier = ?", (folder.id, key))
    before = set() if row is None else set(row[0])
    after = {"=": letters, "+": before | letters, "-": before - letters}[how]
    if after == before:
        return
    if not after:
        cursor.run("DELETE FROM acl WHERE mailbox_id = ? AND identifier = ?", (folder.id, key))
    else:
        if row is None:
            _check_number(cursor, folder.id)
        cursor.run(_SET, (folder.id, key, ordered(after)))
    cursor.notice("mailbox", folder.id)
    cursor.notice("folders", folder.owner)
    tell_identifiers(cursor, (key,))


def subscribe(cursor: Cursor, account: Account, name: str) -> None:
    """Subscribe to what the account may list."""
    folder = require(see(cursor, account, locate(name, account)), "l")
    row = cursor.one("SELECT count(*) FROM subscription WHERE account_id = ?", (account.id,))
    if row is not None and row[0] >= MOST_SUBSCRIPTIONS:
        raise LimitReached("There are too many subscriptions")
    if cursor.run("INSERT INTO subscription VALUES (?, ?) ON CONFLICT DO NOTHING", (account.id, folder.name)):
        cursor.notice("folders", account.id)


def unsubscribe(cursor: Cursor, account: Account, name: str) -> None:
    """Take a name off the list, if it is on it."""
    names = (account.id, name, canonical(name, account))
    if cursor.run("DELETE FROM subscription WHERE account_id = ? AND name IN (?, ?)", names):
        cursor.notice("folders", account.id)


def _owner(cursor: Cursor, account_id: int) -> str:
    row = cursor.one("SELECT address FROM account WHERE id = ?", (account_id,))
    return "" if row is None else str(row[0])


def _check_number(cursor: Cursor, mailbox_id: int) -> None:
    row = cursor.one("SELECT count(*) FROM acl WHERE mailbox_id = ?", (mailbox_id,))
    if row is not None and row[0] >= MOST_IDENTIFIERS:
        raise LimitReached("Too many have rights on the mailbox")
