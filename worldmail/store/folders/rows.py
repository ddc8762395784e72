"""Rows of the table mailbox as the folders that an account sees."""

from __future__ import annotations

from collections.abc import Sequence

from worldmail.interfaces.database import Cursor, Row
from worldmail.interfaces.directory import Account
from worldmail.interfaces.folders import Folder
from worldmail.store.folders.names import Place, shown
from worldmail.store.folders.rights import identifiers, rights_on

COLUMNS = (
    "m.id, m.account_id, m.name, m.uidvalidity, m.uidnext, m.highestmodseq, m.messages, m.octets, m.seen, m.deleted,"
    " m.deleted_octets, m.recent, m.special_use"
)
VISIBLE = "m.name >= ' '"
"""Names of mailboxes that are being removed begin with a control character."""

SHARED = "EXISTS (SELECT 1 FROM acl s WHERE s.mailbox_id = m.id AND s.identifier NOT LIKE '-%')"
_BELOW = "c.account_id = m.account_id AND c.name > m.name || '/' AND c.name < m.name || '0'"  # "0" comes after "/"
_OWN = (
    f"SELECT {COLUMNS},"
    " EXISTS (SELECT 1 FROM subscription s WHERE s.account_id = m.account_id AND s.name = m.name),"
    f" EXISTS (SELECT 1 FROM mailbox c WHERE {_BELOW}), {SHARED},"
    " EXISTS (SELECT 1 FROM keyword w WHERE w.mailbox_id = m.id) FROM mailbox m WHERE"
)
OWN_BY_NAME = f"{_OWN} m.account_id = ? AND m.name = ?"
_KEYWORDS = "SELECT name FROM keyword WHERE mailbox_id = ? ORDER BY folded"
_OWN_BY_ID = f"{_OWN} m.id = ?"
READ_BY = "(SELECT count(*) FROM seen r WHERE r.mailbox_id = m.id AND r.account_id = ?)"
_OF_OTHERS = f"SELECT {COLUMNS}, o.address, {READ_BY} FROM mailbox m JOIN account o ON o.id = m.account_id WHERE"
_OTHERS_BY_NAME = f"{_OF_OTHERS} o.address = ? AND o.enabled >= 0 AND m.name = ?"
_OTHERS_BY_ID = f"{_OF_OTHERS} m.id = ? AND o.enabled >= 0 AND {VISIBLE}"
_SUBSCRIBED = "SELECT 1 FROM subscription WHERE account_id = ? AND name = ?"
_LISTED_BELOW = (
    "SELECT x.identifier, x.rights FROM mailbox m JOIN mailbox c ON"
    f" {_BELOW} JOIN acl x ON x.mailbox_id = c.id WHERE m.id = ? AND x.identifier IN (?, ?) AND x.rights LIKE '%l%'"
    " LIMIT 1"
)


def own_folder(row: Row, keywords: Sequence[str] | None = None) -> Folder:
    """A folder of the account itself, from `COLUMNS` and whether it is subscribed to, has children, is shared."""
    return Folder(
        id=row[0],
        owner=row[1],
        name=row[2],
        uidvalidity=row[3],
        uidnext=row[4],
        highestmodseq=row[5],
        messages=row[6],
        octets=row[7],
        seen=row[8],
        deleted=row[9],
        deleted_octets=row[10],
        recent=row[11],
        special_use=row[12],
        subscribed=bool(row[13]),
        has_children=bool(row[14]),
        shared=bool(row[15]),
        keywords=keywords,
    )


def own_with_keywords(cursor: Cursor, key: tuple[int, str]) -> Folder | None:
    """The account's own folder of this name."""
    row = cursor.one(OWN_BY_NAME, key)
    if row is None:
        return None
    return own_folder(row, tuple(name for (name,) in cursor.all(_KEYWORDS, (row[0],))) if row[16] else ())


def others_folder(row: Row, rights: str, *, subscribed: bool, has_children: bool) -> Folder:
    """A folder of somebody else, from `COLUMNS`, the owner's address and how much of it the account has read.

    What the owner uses it for means nothing to others (RFC 6154 §2).
    """
    return Folder(
        id=row[0],
        owner=row[1],
        name=shown(row[13], row[2]),
        rights=rights,
        uidvalidity=row[3],
        uidnext=row[4],
        highestmodseq=row[5],
        messages=row[6],
        octets=row[7],
        seen=row[14],
        deleted=row[9],
        deleted_octets=row[10],
        recent=row[11],
        subscribed=subscribed,
        has_children=has_children,
        shared=True,
    )


def see(cursor: Cursor, account: Account, place: Place) -> Folder | None:
    """The mailbox at this place; None if there is none, or the account has no right at all there."""
    if place.owner is None:
        row = cursor.one(OWN_BY_NAME, (account.id, place.path))
        return None if row is None else own_folder(row)
    return _seen(cursor, account, cursor.one(_OTHERS_BY_NAME, (account.id, place.owner, place.path)))


def see_id(cursor: Cursor, account: Account, mailbox_id: int) -> Folder | None:
    """As `see`, for the mailbox of this id."""
    row = cursor.one(_OTHERS_BY_ID, (account.id, mailbox_id))
    if row is None or row[1] != account.id:
        return _seen(cursor, account, row)
    own = cursor.one(_OWN_BY_ID, (mailbox_id,))
    return None if own is None else own_folder(own)


def _seen(cursor: Cursor, account: Account, row: Row | None) -> Folder | None:
    if row is None:
        return None
    rights = rights_on(cursor, row[0], account)
    if not rights:
        return None
    subscribed = cursor.one(_SUBSCRIBED, (account.id, shown(row[13], row[2]))) is not None
    below = cursor.one(_LISTED_BELOW, (row[0], *identifiers(account)[:2])) is not None
    return others_folder(row, rights, subscribed=subscribed, has_children=below)
