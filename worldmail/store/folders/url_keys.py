"""Mailbox access keys (RFC 4467 §4): of each account for each mailbox, made when first needed."""

from __future__ import annotations

from worldmail.interfaces.database import Cursor
from worldmail.interfaces.directory import Account
from worldmail.store.folders.names import locate
from worldmail.store.folders.rights import known
from worldmail.store.folders.rows import see

OCTETS = 32
_KEY = "SELECT key FROM url_key WHERE account_id = ? AND mailbox_id = ?"


def key(cursor: Cursor, account: Account, name: str) -> bytes | None:
    """The key, if there is one. Raises `NoSuchMailbox`."""
    row = cursor.one(_KEY, (account.id, _id(cursor, account, name)))
    return None if row is None else bytes(row[0])


def make_key(cursor: Cursor, account: Account, name: str, fresh: bytes) -> bytes:
    """The key, which is `fresh` if there was none."""
    mailbox_id = _id(cursor, account, name)
    cursor.run("INSERT INTO url_key VALUES (?, ?, ?) ON CONFLICT DO NOTHING", (account.id, mailbox_id, fresh))
    row = cursor.one(_KEY, (account.id, mailbox_id))
    assert row is not None, "it was there or was added"
    return bytes(row[0])


def reset(cursor: Cursor, account: Account, name: str | None) -> None:
    """Forget the key of one mailbox or all keys of the account: what was signed with them is void (RFC 4467 §5).

    Whoever has such a mailbox selected is told, though none of those keys was his.
    """
    if name is None:
        rows = cursor.all("DELETE FROM url_key WHERE account_id = ? RETURNING mailbox_id", (account.id,))
        mailboxes = [mailbox_id for (mailbox_id,) in rows]
    else:
        mailboxes = [_id(cursor, account, name)]
        cursor.run("DELETE FROM url_key WHERE account_id = ? AND mailbox_id = ?", (account.id, mailboxes[0]))
    for mailbox_id in mailboxes:
        cursor.notice("url-key", mailbox_id)


def _id(cursor: Cursor, account: Account, name: str) -> int:
    return known(see(cursor, account, locate(name, account))).id
