"""EXPUNGE: the unit that removes messages, for every protocol."""

from __future__ import annotations

from worldmail.interfaces.database import Cursor
from worldmail.interfaces.messages import Uids
from worldmail.store.messages.asked import common, run_asked, united
from worldmail.store.messages.box import Box, keep_all, lock
from worldmail.store.messages.found import Found, places
from worldmail.store.messages.marks import marks_over, pieces, remove_empty

_DELETED = (
    "SELECT k.first, k.last FROM mark k WHERE k.mailbox_id = ? AND (k.flags & 8) <> 0 AND k.first <= ? AND k.last >= ?"
    " ORDER BY k.first"
)
_ORPHANS = (
    "INSERT INTO orphan (content_id, since) SELECT m.content_id, ? FROM asked CROSS JOIN message m"
    " WHERE m.mailbox_id = ? AND m.uid BETWEEN asked.low AND asked.high GROUP BY m.content_id ORDER BY m.content_id"
    " ON CONFLICT (content_id) DO UPDATE SET since = excluded.since"
)
_REMEMBER = (
    "INSERT INTO expunged (mailbox_id, modseq, uid) SELECT m.mailbox_id, ?, m.uid FROM asked CROSS JOIN message m"
    " WHERE m.mailbox_id = ? AND m.uid BETWEEN asked.low AND asked.high"
)
_REMOVE = (
    "DELETE FROM {table} WHERE mailbox_id = ? AND uid IN (SELECT x.uid FROM asked CROSS JOIN {table} x"
    " WHERE x.mailbox_id = ? AND x.uid BETWEEN asked.low AND asked.high)"
)
_REMOVALS = [_REMOVE.format(table=table) for table in ("seen", "message")]


def expunge(cursor: Cursor, mailbox_id: int, uids: Uids, now: int, *, deleted_only: bool) -> list[int]:
    """Remove these messages; the UIDs of those that were there (`deleted_only`: and have \\Deleted).

    They share one new MODSEQ (RFC 7162 §3.1.1: an EXPUNGE raises HIGHESTMODSEQ), under which `expunged` remembers
    them. Raises `NoSuchMailbox`.
    """
    box = lock(cursor, mailbox_id)
    if deleted_only and uids:
        uids = united(common(uids, cursor.all(_DELETED, (mailbox_id, uids[-1][1], uids[0][0]))))
    gone = take(cursor, box, uids, now)
    if gone:
        keep_all(cursor, box)
    return gone


def take(cursor: Cursor, box: Box, uids: Uids, now: int, *, orphan: bool = True) -> list[int]:
    """Remove them from a locked mailbox, whose counts are changed and have to be kept.

    Args:
        orphan: False if each has come to another mailbox in this unit.
    """
    found = Found.among(cursor, box.id, uids)
    those = found.ranges()
    marks = marks_over(cursor, box.id, uids)
    box.came(-len(found.uids), -found.octets[-1])
    parts = [*pieces(marks, uids)]
    for alike, (start, end) in zip(parts, places(found.uids, parts), strict=True):
        box.flagged(alike.flags, 0, end - start, found.octets[end] - found.octets[start])
    if orphan:
        run_asked(cursor, those, _ORPHANS, (now, box.id))
    run_asked(cursor, those, _REMEMBER, (box.modseq, box.id))
    for statement in _REMOVALS:
        run_asked(cursor, those, statement, (box.id, box.id))
    remove_empty(cursor, box.id, marks, parts)
    return [*found.uids]
