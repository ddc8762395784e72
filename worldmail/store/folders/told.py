"""Who is told of changes: topic "mailbox" for the mailbox, topic "folders" for every account whose list changes."""

from __future__ import annotations

from collections.abc import Iterable

from worldmail.interfaces.database import Cursor
from worldmail.interfaces.folders import ANYONE

MANY = 50
"""More accounts than this are not told one by one: every list may have changed."""

EVERYBODY = 0
_IDENTIFIERS = "SELECT identifier FROM acl WHERE mailbox_id = ? AND identifier NOT LIKE '-%' LIMIT ?"


def tell_lists(cursor: Cursor, owner_id: int, mailbox_ids: Iterable[int]) -> None:
    """The owner's list changes, and those of all who have rights on one of these mailboxes."""
    cursor.notice("folders", owner_id)
    found: set[str] = set()
    for mailbox_id in mailbox_ids:
        found.update(row[0] for row in cursor.all(_IDENTIFIERS, (mailbox_id, MANY)))
        if ANYONE in found or len(found) >= MANY:
            cursor.notice("folders", EVERYBODY)
            return
    tell_identifiers(cursor, found)


def tell_identifiers(cursor: Cursor, identifiers: Iterable[str]) -> None:
    """The lists of those change whom the identifiers name."""
    for identifier in sorted(identifiers):
        name = identifier.removeprefix("-")
        row = (EVERYBODY,) if name == ANYONE else cursor.one("SELECT id FROM account WHERE address = ?", (name,))
        if row is not None:
            cursor.notice("folders", row[0])
