"""Making and removing mailboxes, within the units that make and remove accounts."""

from __future__ import annotations

from worldmail.interfaces.database import Cursor
from worldmail.store.content import release_up_to

FIRST_MAILBOXES: tuple[tuple[str, str | None], ...] = (
    ("INBOX", None),
    ("Sent", "\\Sent"),
    ("Drafts", "\\Drafts"),
    ("Trash", "\\Trash"),
    ("Junk", "\\Junk"),
)
"""What a new account has: name and special use (RFC 6154 §2)."""

SLICE = 5000
"""Messages that one unit removes: about a tenth of a second, in which nobody else can write."""

_FIRST_MESSAGES = (
    "SELECT count(*), coalesce(sum(size), 0), max(uid) FROM"
    " (SELECT uid, size FROM message WHERE mailbox_id = ? ORDER BY uid LIMIT ?) AS slice"
)
_FIRST_EXPUNGED = (
    "SELECT count(*), max(modseq) FROM"
    " (SELECT modseq FROM expunged WHERE mailbox_id = ? ORDER BY modseq LIMIT ?) AS slice"
)
_UIDVALIDITY = (
    "INSERT INTO counter (name, value) VALUES ('uidvalidity', ?) ON CONFLICT (name) DO UPDATE"
    " SET value = CASE WHEN counter.value < excluded.value THEN excluded.value ELSE counter.value + 1 END"
    " RETURNING value"
)


def new_uidvalidity(cursor: Cursor, now: int) -> int:
    """A UIDVALIDITY that no mailbox ever had: the time, or one more than the last (RFC 9051 §2.3.1.1)."""
    row = cursor.one(_UIDVALIDITY, (now,))
    assert row is not None, "RETURNING gives the row"
    return int(row[0])


def add_mailbox(cursor: Cursor, account_id: int, name: str, special_use: str | None, now: int) -> int:
    """Add an empty mailbox; its id."""
    row = cursor.one(
        "INSERT INTO mailbox (account_id, name, uidvalidity, uidnext, highestmodseq, messages, octets, special_use,"
        " created) VALUES (?, ?, ?, 1, 1, 0, 0, ?, ?) RETURNING id",
        (account_id, name, new_uidvalidity(cursor, now), special_use, now),
    )
    assert row is not None, "RETURNING gives the row"
    mailbox_id = int(row[0])
    cursor.notice("mailbox", mailbox_id)
    return mailbox_id


def hide_mailboxes(cursor: Cursor, account_id: int) -> None:
    """No name leads to the account's mailboxes any more: nothing can come into them."""
    for (mailbox_id,) in cursor.all("SELECT id FROM mailbox WHERE account_id = ? ORDER BY id", (account_id,)):
        # No mailbox's name holds a control character (RFC 9051 §5.1), so this one is free.
        cursor.run("UPDATE mailbox SET name = ? WHERE id = ?", (f"\x01{mailbox_id}", mailbox_id))
        cursor.notice("mailbox", mailbox_id)


def remove_mailboxes(cursor: Cursor, account_id: int, now: int) -> bool:
    """Remove the account's mailboxes, or a slice of what is in them; True once none is left."""
    left = SLICE
    for (mailbox_id,) in cursor.all("SELECT id FROM mailbox WHERE account_id = ? ORDER BY id", (account_id,)):
        left -= remove_mailbox(cursor, mailbox_id, now, left)
        if left <= 0:
            return False
    return True


def remove_mailbox(cursor: Cursor, mailbox_id: int, now: int, most: int = SLICE) -> int:
    """Remove up to so many messages and records of expunged ones, and if that was all (less than `most`) the mailbox.

    Content that nothing else refers to becomes an orphan. How many were removed.
    """
    removed = _remove_messages(cursor, mailbox_id, now, most)
    if removed < most:
        removed += _forget_expunged(cursor, mailbox_id, most - removed)
    if removed < most:
        cursor.run("DELETE FROM mailbox WHERE id = ?", (mailbox_id,))
        cursor.notice("mailbox", mailbox_id)
    return removed


def _remove_messages(cursor: Cursor, mailbox_id: int, now: int, most: int) -> int:
    row = cursor.one(_FIRST_MESSAGES, (mailbox_id, most))
    if row is None or row[0] == 0:
        return 0
    count, octets, last = row
    release_up_to(cursor, mailbox_id, last, now)
    cursor.run("DELETE FROM message WHERE mailbox_id = ? AND uid <= ?", (mailbox_id, last))
    cursor.run(
        "UPDATE mailbox SET messages = messages - ?, octets = octets - ? WHERE id = ?", (count, octets, mailbox_id)
    )
    return int(count)


def _forget_expunged(cursor: Cursor, mailbox_id: int, most: int) -> int:
    count, last = cursor.one(_FIRST_EXPUNGED, (mailbox_id, most)) or (0, None)
    if count:
        cursor.run("DELETE FROM expunged WHERE mailbox_id = ? AND modseq <= ?", (mailbox_id, last))
    return int(count)
