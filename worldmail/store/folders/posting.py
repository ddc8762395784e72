"""Mail for user+tag: it goes to the mailbox of that name, if its rights let the sender post there (RFC 4314 §2.1)."""

from __future__ import annotations

from worldmail.errors import BadName
from worldmail.interfaces.database import Cursor
from worldmail.interfaces.folders import ANYONE
from worldmail.mail.address import Address
from worldmail.store.folders.names import normal
from worldmail.store.folders.rights import effective

_LOWER = str.maketrans({chr(letter): chr(letter + 32) for letter in range(ord("A"), ord("Z") + 1)})
# Both engines fold ASCII alone here.
_NAMED = "SELECT id, name FROM mailbox WHERE account_id = ? AND lower(name) = ? ORDER BY name LIMIT 10"
_RIGHTS = "SELECT identifier, rights FROM acl WHERE mailbox_id = ? AND identifier IN (?, ?, ?, ?)"


def delivery_folder(cursor: Cursor, account_id: int, tag: str, sender: Address | None) -> str | None:
    """The mailbox for this tag: the one of exactly this name before those that differ in case."""
    try:
        wanted = normal(tag)
    except BadName:
        return None
    who = ANYONE if sender is None else sender.key
    rows = cursor.all(_NAMED, (account_id, wanted.translate(_LOWER)))
    for mailbox_id, name in sorted(rows, key=lambda row: (row[1] != wanted, row[1])):
        if "p" in effective(cursor.all(_RIGHTS, (mailbox_id, ANYONE, f"-{ANYONE}", who, f"-{who}"))):
            return str(name)
    return None
