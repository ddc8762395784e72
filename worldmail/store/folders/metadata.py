"""Annotations of mailboxes and of the server (RFC 5464)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from worldmail.errors import AnnotationTooLarge, BadName, NoRight, TooManyAnnotations
from worldmail.interfaces.database import Cursor
from worldmail.interfaces.directory import Account
from worldmail.store.folders.names import locate
from worldmail.store.folders.rights import require
from worldmail.store.folders.rows import see

MOST = 64
"""Entries of a mailbox that all share, and as many of each account's own."""

LARGEST = 64 * 1024
"""Octets of a value."""

SERVER = 0
"""In the place of a mailbox's id."""

EVERYBODY = 0
"""In the place of an account's id: what is shared."""

_ANY = frozenset("rswip")
_PRIVATE, _SHARED = "/private/", "/shared/"
_ENTRY = re.compile(r"/(?:private|shared)(?:/[^/%*\x00-\x1f\x7f-\U0010ffff]+)*")
_LONGEST = 1000
_NAMES = "SELECT entry FROM annotation WHERE mailbox_id = ? AND account_id IN (?, ?) ORDER BY entry"
_VALUE = "SELECT value FROM annotation WHERE mailbox_id = ? AND account_id = ? AND entry = ?"
_SET = (
    "INSERT INTO annotation (mailbox_id, account_id, entry, value) VALUES (?, ?, ?, ?)"
    " ON CONFLICT (mailbox_id, account_id, entry) DO UPDATE SET value = excluded.value"
)
_REMOVE = "DELETE FROM annotation WHERE mailbox_id = ? AND account_id = ? AND entry = ?"
_CHANGED = "UPDATE mailbox SET highestmodseq = highestmodseq + 1 WHERE id = ?"
_COUNT = "SELECT count(*) FROM annotation WHERE mailbox_id = ? AND account_id = ?"


def entry_name(entry: str) -> str:
    """An entry's name as it is kept: they differ in more than case (§3.2.1). Raises `BadName`."""
    name = entry.lower()
    if len(name) > _LONGEST or _ENTRY.fullmatch(name) is None:
        raise BadName("No annotation can have this name")
    return name


def values_of(
    cursor: Cursor, account: Account, name: str, entries: Iterable[str], depth: int | None
) -> Mapping[str, bytes]:
    """The values of these entries, and of those up to `depth` levels below them.

    Needs the right l and one of r, s, w, i, p (§3.3); what is said of the server is for everybody.
    """
    mailbox_id = _subject(cursor, account, name)
    found: dict[str, bytes] = {}
    asked = set(entries)
    for (entry,) in cursor.all(_NAMES, (mailbox_id, EVERYBODY, account.id)):
        if _asked_for(entry, asked, depth):
            row = cursor.one(_VALUE, (mailbox_id, _whose(entry, account), entry))
            if row is not None:
                found[entry] = bytes(row[0])
    return found


def annotate(cursor: Cursor, account: Account, name: str, values: Mapping[str, bytes | None]) -> None:
    """Set values, None to remove.

    Needs the rights that reading needs, for what is shared w as well: who may only read does not change what all see
    (§4.1 lets annotations be read-only). Nobody sets what is shared of the server.
    """
    shared = any(entry.startswith(_SHARED) for entry in values)
    if shared and not name:
        raise NoRight
    mailbox_id = _subject(cursor, account, name, "w" if shared else "")
    for entry, value in values.items():
        owner_id = _whose(entry, account)
        if value is None:
            cursor.run(_REMOVE, (mailbox_id, owner_id, entry))
        else:
            cursor.run(_SET, (mailbox_id, owner_id, entry, value))
    for owner_id in {_whose(entry, account) for entry in values}:
        (number,) = cursor.one(_COUNT, (mailbox_id, owner_id)) or (0,)
        if number > MOST:
            raise TooManyAnnotations
    if mailbox_id == SERVER:
        cursor.notice("folders", account.id)
    else:
        cursor.run(_CHANGED, (mailbox_id,))  # RFC 7162 §3.2
        cursor.notice("mailbox", mailbox_id)


def check_values(values: Mapping[str, bytes | None]) -> dict[str, bytes | None]:
    """The values under their normalised entries. Raises `BadName`, `AnnotationTooLarge`."""
    checked: dict[str, bytes | None] = {}
    for entry, value in values.items():
        if value is not None and len(value) > LARGEST:
            raise AnnotationTooLarge
        name = entry_name(entry)
        if not name.startswith((_PRIVATE, _SHARED)):
            raise BadName("No annotation can have this name")
        checked[name] = value
    return checked


def check_entries(entries: Sequence[str]) -> list[str]:
    """The normalised entries. Raises `BadName`."""
    return [entry_name(entry) for entry in entries]


def _subject(cursor: Cursor, account: Account, name: str, needed: str = "") -> int:
    """The id of the mailbox, if the account may annotate it and has these rights as well; `SERVER` for no name."""
    if not name:
        return SERVER
    folder = require(see(cursor, account, locate(name, account)), f"l{needed}")
    if not _ANY & set(folder.rights):
        raise NoRight
    return folder.id


def _whose(entry: str, account: Account) -> int:
    return account.id if entry.startswith(_PRIVATE) else EVERYBODY


def _asked_for(entry: str, asked: set[str], depth: int | None) -> bool:
    """Whether the entry is one of `asked`, or at most `depth` levels below one."""
    name = entry
    while name and (depth is None or depth >= 0):
        if name in asked:
            return True
        name = name.rpartition("/")[0]
        depth = None if depth is None else depth - 1
    return False
