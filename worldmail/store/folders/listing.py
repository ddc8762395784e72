"""All folders that an account may list, in a handful of statements however many there are."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import evolve

from worldmail.interfaces.database import Cursor, Row
from worldmail.interfaces.directory import Account
from worldmail.interfaces.folders import OTHERS, PUBLIC, Folder
from worldmail.store.folders.names import INBOX, above, public_owner
from worldmail.store.folders.rights import effective, identifiers
from worldmail.store.folders.rows import COLUMNS, READ_BY, SHARED, VISIBLE, others_folder, own_folder

LAST = "\U0010ffff"
"""Sorts behind every character that a name can have."""

# Whether it is subscribed to and has children is found out for all at once.
_OWN = f"SELECT {COLUMNS}, 0, 0, {SHARED} FROM mailbox m WHERE m.account_id = ? AND m.name >= ? AND m.name < ?"
_OTHERS = (
    f"SELECT {COLUMNS}, o.address, {READ_BY}, x.identifier, x.rights"
    " FROM acl x JOIN mailbox m ON m.id = x.mailbox_id JOIN account o ON o.id = m.account_id"
    f" WHERE x.identifier IN (?, ?, ?, ?) AND m.account_id <> ? AND {VISIBLE}"
    " AND o.enabled >= 0 AND (o.kind = 'person' OR o.address = ?)"
)
_SUBSCRIBED = "SELECT name FROM subscription WHERE account_id = ?"


def folders(cursor: Cursor, account: Account, pattern: str) -> list[Folder]:
    """All folders whose name begins with `pattern`, levels above others among them, INBOX first."""
    found = {}
    if not (pattern.startswith((OTHERS, PUBLIC))):
        rows = cursor.all(_OWN, (account.id, pattern or " ", pattern + LAST))
        found = {row[2]: own_folder(row) for row in rows}
    if pattern.startswith((OTHERS, PUBLIC)) or OTHERS.startswith(pattern) or PUBLIC.startswith(pattern):
        for folder in _of_others(cursor, account):
            if folder.name.startswith(pattern):
                found[folder.name] = folder
    subscribed = {row[0] for row in cursor.all(_SUBSCRIBED, (account.id,))}
    parents = {level for name in found if "/" in name for level in above(name)}
    for level in parents - found.keys():
        if level.startswith(pattern):
            found[level] = Folder(id=0, owner=account.id, name=level, exists=False, rights="")
    marked = (_marked(folder, folder.name in subscribed, folder.name in parents) for folder in found.values())
    return sorted(marked, key=_order)


def subscribed(cursor: Cursor, account: Account) -> list[str]:
    """The names subscribed to, by name."""
    return [row[0] for row in cursor.all(f"{_SUBSCRIBED} ORDER BY name", (account.id,))]


def _of_others(cursor: Cursor, account: Account) -> Iterator[Folder]:
    rows: dict[int, list[Row]] = {}
    parameters = (account.id, *identifiers(account), account.id, public_owner(account))
    for row in cursor.all(_OTHERS, parameters):
        rows.setdefault(row[0], []).append(row)
    for several in rows.values():
        rights = effective(row[15:17] for row in several)
        if "l" in rights:
            yield others_folder(several[0], rights, subscribed=False, has_children=False)


def _marked(folder: Folder, subscribed: bool, has_children: bool) -> Folder:
    if subscribed or has_children:
        return evolve(folder, subscribed=subscribed, has_children=has_children)
    return folder


def _order(folder: Folder) -> tuple[bool, str]:
    return folder.name != INBOX, folder.name
