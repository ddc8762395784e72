"""Making and removing mailboxes, within the units that make and remove accounts."""

from __future__ import annotations

from worldmail.interfaces.database import Cursor
from worldmail.store.content import release_mailbox

FIRST_MAILBOXES: tuple[tuple[str, str | None], ...] = (
    ("INBOX", None),
    ("Sent", "\\Sent"),
    ("Drafts", "\\Drafts"),
    ("Trash", "\\Trash"),
    ("Junk", "\\Junk"),
)
"""What a new account has: name and special use (RFC 6154 §2)."""

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


def remove_mailbox(cursor: Cursor, mailbox_id: int, now: int) -> None:
    """Remove a mailbox with all that is in it; content that nothing else refers to becomes an orphan."""
    release_mailbox(cursor, mailbox_id, now)
    cursor.run("DELETE FROM message WHERE mailbox_id = ?", (mailbox_id,))
    cursor.run("DELETE FROM expunged WHERE mailbox_id = ?", (mailbox_id,))
    cursor.run("DELETE FROM mailbox WHERE id = ?", (mailbox_id,))
    cursor.notice("mailbox", mailbox_id)
