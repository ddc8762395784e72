"""Making and removing mailboxes, within the units that make and remove accounts."""

from __future__ import annotations

from worldmail.interfaces.database import Cursor
from worldmail.store.quota import charge

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
# Row by row, so that it is quick however a server would join them.
_THOSE = (
    "FROM message m WHERE m.mailbox_id = ? AND m.uid BETWEEN k.first AND CASE WHEN k.last < ? THEN k.last ELSE ? END"
)
_FLAGGED = (
    "SELECT coalesce(sum((flags & 1) * messages), 0), coalesce(sum((flags & 8) / 8 * messages), 0),"
    " coalesce(sum((flags & 8) / 8 * octets), 0) FROM (SELECT k.flags AS flags,"
    f" (SELECT count(*) {_THOSE}) AS messages, (SELECT coalesce(sum(m.size), 0) {_THOSE}) AS octets"
    " FROM mark k WHERE k.mailbox_id = ? AND k.first <= ? AND (k.flags & 9) <> 0) AS flagged"
)
# The last row may be about messages that are left, or end behind the last message.
_FORGET_MARKS = (
    "DELETE FROM mark WHERE mailbox_id = ? AND first <= ? AND (last <= ? OR NOT EXISTS"
    " (SELECT 1 FROM message m WHERE m.mailbox_id = mark.mailbox_id AND m.uid BETWEEN mark.first AND mark.last))"
)
_FIRST_EXPUNGED = (
    "SELECT modseq, uid FROM expunged WHERE mailbox_id = ? AND modseq <= ? ORDER BY modseq, uid LIMIT 1 OFFSET ?"
)
_FIRST_SEEN = "SELECT mailbox_id, uid FROM seen WHERE account_id = ? ORDER BY mailbox_id, uid LIMIT 1 OFFSET ?"
_FORGET_SEEN = "DELETE FROM seen WHERE account_id = ? AND (mailbox_id, uid) < (?, ?)"
_ORPHANS = (
    "INSERT INTO orphan (content_id, since) SELECT content_id, ? FROM message"
    " WHERE mailbox_id = ? AND uid <= ? GROUP BY content_id ORDER BY content_id"
    " ON CONFLICT (content_id) DO UPDATE SET since = excluded.since"
)
_FORGET_EXPUNGED = "DELETE FROM expunged WHERE mailbox_id = ? AND (modseq, uid) < (?, ?)"
_COUNTED = (
    "UPDATE mailbox SET messages = messages - ?, octets = octets - ?, seen = seen - ?, deleted = deleted - ?,"
    " deleted_octets = deleted_octets - ? WHERE id = ? RETURNING account_id"
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
    return _forget_account(cursor, account_id, left) < left


def remove_mailbox(cursor: Cursor, mailbox_id: int, now: int, most: int = SLICE) -> int:
    """Remove up to so many messages and records of expunged ones, and if that was all (less than `most`) the mailbox.

    Their content may be an orphan then. How many were removed.
    """
    removed = _remove_messages(cursor, mailbox_id, now, most)
    if removed < most:
        removed += forget_expunged(cursor, mailbox_id, most - removed)
    if removed < most:
        cursor.run("DELETE FROM keyword WHERE mailbox_id = ?", (mailbox_id,))
        cursor.run("DELETE FROM mailbox WHERE id = ?", (mailbox_id,))
        cursor.notice("mailbox", mailbox_id)
    return removed


def _remove_messages(cursor: Cursor, mailbox_id: int, now: int, most: int) -> int:
    row = cursor.one(_FIRST_MESSAGES, (mailbox_id, most))
    if row is None or row[0] == 0:
        return 0
    messages, octets, last = row
    flagged = cursor.one(_FLAGGED, (*(mailbox_id, last, last) * 2, mailbox_id, last)) or (0, 0, 0)
    cursor.run(_ORPHANS, (now, mailbox_id, last))
    for table in ("seen", "message"):
        cursor.run(f"DELETE FROM {table} WHERE mailbox_id = ? AND uid <= ?", (mailbox_id, last))
    cursor.run(_FORGET_MARKS, (mailbox_id, last, last))
    account = cursor.one(_COUNTED, (messages, octets, *flagged, mailbox_id))
    if account is not None:
        charge(cursor, {account[0]: -octets})
    return int(messages)


def forget_expunged(cursor: Cursor, mailbox_id: int, most: int, up_to: int = 1 << 62) -> int:
    """Forget up to so many expunged messages, those of the lowest MODSEQs first, none above `up_to`; how many."""
    modseq, uid = cursor.one(_FIRST_EXPUNGED, (mailbox_id, up_to, most)) or (up_to + 1, 0)
    return cursor.run(_FORGET_EXPUNGED, (mailbox_id, modseq, uid))


def _forget_account(cursor: Cursor, account_id: int, most: int) -> int:
    """Forget what the account has read elsewhere, up to so many messages; how many."""
    mailbox_id, uid = cursor.one(_FIRST_SEEN, (account_id, most)) or (1 << 62, 0)
    return cursor.run(_FORGET_SEEN, (account_id, mailbox_id, uid))
