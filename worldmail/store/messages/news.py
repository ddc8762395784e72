"""Reads: what happened in a mailbox after a MODSEQ. Each is of bounded size, or says that it would not be."""

from __future__ import annotations

from collections.abc import Sequence

from worldmail.interfaces.database import Cursor
from worldmail.interfaces.messages import Alike, Changed, Place, Removed, Uids
from worldmail.store.messages.asked import among, clipped, ranges, span, without
from worldmail.store.messages.looking import existing, tail
from worldmail.store.messages.looks import shown

FEW = 1000
"""Of more arrivals, marks or removals than this somebody else than the reactor's thread has to tell."""

MARKS_AT_ONCE = 4000
MOST_ARRIVED = 3000
"""Of more messages that arrived, the last ones are listed."""

_NOW = "SELECT highestmodseq, uidnext, messages, forgotten FROM mailbox WHERE id = ? AND name >= ' '"
_EXPUNGED = "SELECT uid FROM expunged WHERE mailbox_id = ? AND modseq > ? AND uid >= ? AND uid < ? LIMIT ?"
_CHANGED = (
    "SELECT k.first, k.last, k.flags, k.keywords, k.modseq FROM mark k WHERE k.mailbox_id = ? AND k.modseq >= ?"
    " AND k.modseq <= ? AND (k.modseq, k.first) > (?, ?)"
    " AND +k.first < ?"  # the sign keeps it from choosing the primary key
    " ORDER BY k.modseq, k.first LIMIT ?"
)
_ARRIVED = "SELECT count(*) FROM message WHERE mailbox_id = ? AND uid >= ? AND uid < ?"
_ALL = 1 << 62


def changes(
    cursor: Cursor, mailbox_id: int, since: int, uidnext: int, reader: int | None, *, few: bool
) -> tuple[bool, Changed | None]:
    """See `IMessages.changes`; False if `few` was wanted and it is more."""
    row = cursor.one(_NOW, (mailbox_id,))
    if row is None or since < row[3]:
        return True, None
    highest, next_uid, messages, _ = row
    came, arrived, further = 0, [], None
    marks: Sequence[Alike] = ()
    gone: list[int] = []
    if highest > since:
        if next_uid > uidnext:
            arrived = tail(cursor, mailbox_id, uidnext, next_uid, MOST_ARRIVED, reader)
            came = len(arrived)
            if came == MOST_ARRIVED and not few:
                (came,) = cursor.one(_ARRIVED, (mailbox_id, uidnext, next_uid)) or (0,)
        marks, further = changed(cursor, mailbox_id, (since, _ALL), highest, uidnext, reader, few=few)
        gone = _expunged(cursor, mailbox_id, since, 1, uidnext, FEW + 1 if few else _ALL)
    if few and (further is not None or max(came, len(gone)) > FEW):
        return False, None
    return True, Changed(
        highestmodseq=highest,
        uidnext=next_uid,
        messages=messages,
        came=came,
        arrived=arrived,
        changed=marks,
        further=further,
        expunged=gone,
    )


def changed(
    cursor: Cursor, mailbox_id: int, after: Place, upto: int, below: int, reader: int | None, *, few: bool = False
) -> tuple[Sequence[Alike], Place | None]:
    """See `IMessages.changed`; if `few` are wanted and there are more, only that."""
    most = FEW if few else MARKS_AT_ONCE
    rows = cursor.all(_CHANGED, (mailbox_id, after[0], upto, *after, below, most + 1))
    further = None
    if len(rows) > most:
        del rows[most:]
        further = (rows[-1][4], rows[-1][0])
    marks = sorted(map(Alike._make, rows))
    if marks and marks[-1].last >= below:
        marks[-1] = marks[-1]._replace(last=below - 1)
    if reader is not None:
        if few and span([mark[:2] for mark in marks]) > FEW:
            return [], after
        marks = shown(cursor, mailbox_id, marks, reader)
    return marks, further


def removed(
    cursor: Cursor, mailbox_id: int, since: int, first_uid: int, below: int, *, few: bool
) -> tuple[bool, Removed | None]:
    """See `IMessages.removed`; False if `few` are wanted and there are more."""
    row = cursor.one(_NOW, (mailbox_id,))
    if row is None or since < row[3]:
        return True, None
    gone = _expunged(cursor, mailbox_id, since, first_uid, below, FEW + 1 if few else _ALL)
    return not few or len(gone) <= FEW, Removed(highestmodseq=row[0], uids=gone)


def vanished(cursor: Cursor, mailbox_id: int, modseq: int, uids: Uids, *, few: bool) -> tuple[bool, Uids]:
    """See `IMessages.vanished`; False if `few` are wanted and there are more."""
    row = cursor.one(_NOW, (mailbox_id,))
    if row is None or not uids:
        return True, []
    _, uidnext, _, forgotten = row
    if modseq >= forgotten:
        gone = _expunged(cursor, mailbox_id, modseq, uids[0][0], uids[-1][1] + 1, FEW + 1 if few else _ALL)
        return not few or len(gone) <= FEW, ranges(among(gone, uids))
    asked = clipped(uids, uidnext)
    if few and span(asked) > FEW:
        return False, []
    return True, without(asked, existing(cursor, mailbox_id, asked))


def _expunged(cursor: Cursor, mailbox_id: int, modseq: int, first_uid: int, below: int, most: int) -> list[int]:
    """UIDs of that range that were expunged after a MODSEQ, up to so many of them, ascending."""
    return sorted(uid for (uid,) in cursor.all(_EXPUNGED, (mailbox_id, modseq, first_uid, below, most)))
