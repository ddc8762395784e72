"""Removing messages: what a unit does for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

from worldmail.interfaces.database import Cursor
from worldmail.store.content import release_content

_TAKE = "DELETE FROM message WHERE mailbox_id = ? AND uid = ? RETURNING content_id, size"
_COUNT = (
    "UPDATE mailbox SET messages = messages - ?, octets = octets - ?, highestmodseq = highestmodseq + 1"
    " WHERE id = ? RETURNING highestmodseq"
)


def expunge(cursor: Cursor, mailbox_id: int, uids: Collection[int], now: int) -> frozenset[int]:
    """Remove these messages; the UIDs of those that were there.

    They share one new MODSEQ (RFC 7162 §3.1.1: an EXPUNGE raises HIGHESTMODSEQ), under which `expunged` remembers them.
    """
    gone, octets = [], 0
    released: Counter[int] = Counter()
    for uid in sorted(set(uids)):
        row = cursor.one(_TAKE, (mailbox_id, uid))
        if row is not None:
            content_id, size = row
            gone.append(uid)
            octets += size
            released[content_id] += 1
    for content_id, refs in sorted(released.items()):  # rows are locked in this order
        release_content(cursor, content_id, refs, now)
    if gone:
        row = cursor.one(_COUNT, (len(gone), octets, mailbox_id))
        assert row is not None, "a mailbox with messages exists"
        cursor.run_many(
            "INSERT INTO expunged (mailbox_id, uid, modseq) VALUES (?, ?, ?)",
            [(mailbox_id, uid, row[0]) for uid in gone],
        )
        cursor.notice("mailbox", mailbox_id)
    return frozenset(gone)
