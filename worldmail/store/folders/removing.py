"""Removing mailboxes: the name at once, what is in them in slices.

So `worldmail.store.provision` removes those of whole accounts.
"""

from __future__ import annotations

from worldmail.errors import NotPermitted
from worldmail.interfaces.database import Cursor
from worldmail.interfaces.directory import Account
from worldmail.store.folders.names import locate
from worldmail.store.folders.rights import require
from worldmail.store.folders.rows import see
from worldmail.store.folders.told import tell_identifiers, tell_lists
from worldmail.store.provision import SLICE, remove_mailbox

_HIDDEN = "SELECT id FROM mailbox WHERE name < ' ' ORDER BY id LIMIT 100"
_OWN = "IN (SELECT id FROM mailbox WHERE account_id = ?)"


def delete(cursor: Cursor, account: Account, name: str) -> int:
    """Take the name away, and all that is said of the mailbox; its id. What is in it is left to `empty_slice`."""
    place = locate(name, account)
    folder = require(see(cursor, account, place), "x")
    if place.is_inbox:
        raise NotPermitted("INBOX cannot be removed")  # RFC 9051 §6.3.5
    tell_lists(cursor, folder.owner, (folder.id,))
    for table in ("acl", "annotation", "url_key"):
        cursor.run(f"DELETE FROM {table} WHERE mailbox_id = ?", (folder.id,))
    cursor.run("UPDATE mailbox SET name = ? WHERE id = ?", (f"\x01{folder.id}", folder.id))
    cursor.notice("mailbox", folder.id)
    return folder.id


def hidden(cursor: Cursor) -> list[int]:
    """The ids of some mailboxes whose name was taken away."""
    return [row[0] for row in cursor.all(_HIDDEN)]


def empty_slice(cursor: Cursor, mailbox_id: int, now: int) -> bool:
    """Remove a slice of what is in a mailbox without a name; True once it is gone."""
    row = cursor.one("SELECT account_id FROM mailbox WHERE id = ? AND name < ' '", (mailbox_id,))
    if row is None:
        return True
    if remove_mailbox(cursor, mailbox_id, now, SLICE) >= SLICE:
        return False
    # The owner of public mailboxes goes with the last of them.
    cursor.run(
        "DELETE FROM account WHERE id = ? AND kind = 'public'"
        " AND NOT EXISTS (SELECT 1 FROM mailbox WHERE account_id = account.id)",
        (row[0],),
    )
    return True


def close_account(cursor: Cursor, account_id: int) -> None:
    """Forget what is said of the account's mailboxes, and of the account elsewhere.

    Its address may soon be another account's.
    """
    address, *_ = cursor.one("SELECT address FROM account WHERE id = ?", (account_id,)) or ("",)
    _tell_of_all(cursor, account_id)
    both = (address, f"-{address}")
    for (mailbox_id,) in cursor.all("SELECT mailbox_id FROM acl WHERE identifier IN (?, ?)", both):
        cursor.notice("mailbox", mailbox_id)
    cursor.run("DELETE FROM acl WHERE identifier IN (?, ?)", both)
    clear_account(cursor, account_id)


def clear_account(cursor: Cursor, account_id: int) -> None:
    """Remove what is kept for the account itself."""
    cursor.run(f"DELETE FROM acl WHERE mailbox_id {_OWN}", (account_id,))
    for table in ("annotation", "url_key"):
        cursor.run(f"DELETE FROM {table} WHERE mailbox_id {_OWN}", (account_id,))
        cursor.run(f"DELETE FROM {table} WHERE account_id = ?", (account_id,))
    cursor.run("DELETE FROM subscription WHERE account_id = ?", (account_id,))


def _tell_of_all(cursor: Cursor, account_id: int) -> None:
    rows = cursor.all(f"SELECT DISTINCT identifier FROM acl WHERE mailbox_id {_OWN}", (account_id,))
    tell_identifiers(cursor, [row[0] for row in rows])
