"""Reads: what is in a mailbox, and what happened there."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import accumulate
from operator import itemgetter

from worldmail.interfaces.database import Cursor, Row
from worldmail.interfaces.messages import Marked, Stored, Uids
from worldmail.store.content import BINARY
from worldmail.store.messages.asked import (
    AT_ONCE,
    all_asked,
    clipped,
    common,
    first_asked,
    united,
    without,
)
from worldmail.store.messages.looks import shown
from worldmail.store.messages.marks import marks_over, merged, pieces

_TAIL = "SELECT uid, arrived FROM message WHERE mailbox_id = ? AND uid >= ? AND uid < ? ORDER BY uid"
_LAST_ARRIVED = (
    "SELECT uid FROM message WHERE mailbox_id = ? AND uid BETWEEN ? AND ? AND arrived <= ? ORDER BY uid DESC LIMIT 1"
)
_AMONG = (
    "SELECT m.uid, m.arrived FROM asked CROSS JOIN message m"
    " WHERE m.mailbox_id = ? AND m.uid BETWEEN asked.low AND asked.high"
)
_MARK = "SELECT k.first, k.last, k.flags, k.keywords, k.modseq FROM mark k WHERE k.mailbox_id = ?"
# The signs say which index is not to be taken: that of few changes, or that of the UIDs.
_FEW_CHANGED = f"{_MARK} AND k.modseq > ? AND +k.first <= ? LIMIT ?"
_CHANGED = (
    f"{_MARK} AND +k.modseq > ? AND k.first <= ? AND k.last >= ? AND k.first >="
    " coalesce((SELECT max(p.first) FROM mark p WHERE p.mailbox_id = ? AND p.first <= ?), 0)"
    " ORDER BY k.first LIMIT ?"
)
_NOW = "SELECT highestmodseq, uidnext, messages, forgotten FROM mailbox WHERE id = ? AND name >= ' '"
_EXPUNGED = "SELECT uid FROM expunged WHERE mailbox_id = ? AND modseq > ? AND uid >= ? AND uid < ? ORDER BY uid"
_STORED = "m.uid, m.content_id, m.size, m.received, m.saved"
_PARTS = "m.uid, m.size, m.prefix"
_INLINE = (
    "SELECT m.uid, c.inline, c.flags FROM asked CROSS JOIN message m CROSS JOIN content c WHERE m.mailbox_id = ?"
    " AND m.uid BETWEEN asked.low AND asked.high AND c.id = m.content_id"
)
_IN_MAILBOX = "m.mailbox_id = ?"
_CONTENTS = (
    "SELECT m.uid, m.content_id FROM asked CROSS JOIN message m WHERE m.mailbox_id = ?"
    " AND m.uid BETWEEN asked.low AND asked.high"
)
_PREFIXES = (
    "SELECT m.uid, m.prefix FROM asked CROSS JOIN message m WHERE m.mailbox_id = ?"
    " AND m.uid BETWEEN asked.low AND asked.high"
)
# Numbers that follow each other have one and the same distance to their row numbers.
_EXISTING = (
    "SELECT min(uid), max(uid) FROM (SELECT m.uid AS uid, m.uid - row_number() OVER (ORDER BY m.uid) AS island"
    " FROM asked CROSS JOIN message m WHERE m.mailbox_id = ? AND m.uid BETWEEN asked.low AND asked.high) x"
    " GROUP BY island"
)
_BELOW = (
    "SELECT asked.high, (SELECT count(*) FROM message m WHERE m.mailbox_id = ? AND m.uid >= asked.low"
    " AND m.uid < asked.high) FROM asked WHERE asked.low < asked.high"
)
_BETWEEN = "SELECT count(*) FROM message WHERE mailbox_id = ? AND uid >= ? AND uid < ?"
_UIDS = "SELECT uid FROM message WHERE mailbox_id = ? AND uid >= ? AND uid < ? ORDER BY uid"
_SEEN = "SELECT first, last FROM mark WHERE mailbox_id = ? AND first > ? AND (flags & 1) <> 0 ORDER BY first LIMIT ?"
_FIRST_IN = (
    "SELECT asked.low, (SELECT m.uid FROM message m WHERE m.mailbox_id = ? AND m.uid BETWEEN asked.low AND asked.high"
    " ORDER BY m.uid LIMIT 1) FROM asked"
)
_UNSEEN_BY = (
    "SELECT m.uid FROM message m LEFT JOIN seen s ON s.account_id = ? AND s.mailbox_id = m.mailbox_id AND s.uid = m.uid"
    " WHERE m.mailbox_id = ? AND m.uid <= ? AND s.uid IS NULL ORDER BY m.uid LIMIT 1"
)
_NTH = "SELECT uid FROM message WHERE mailbox_id = ? ORDER BY uid LIMIT 1 OFFSET ?"
_NUMBER = "SELECT count(*) FROM message WHERE mailbox_id = ? AND uid <= ?"
_COUNTS = "SELECT messages, seen FROM mailbox WHERE id = ?"

LOOKED_AT = 10_000
"""Messages among which the first unseen one is looked for."""

_size = itemgetter(1)
_STEPS = (16, *[AT_ONCE] * (LOOKED_AT // AT_ONCE))
_HIGHEST = 1 << 62
_DENSE = 8
"""UIDs for each that is asked for."""


def tail(
    cursor: Cursor, mailbox_id: int, first_uid: int, below: int, count: int | None, reader: int | None
) -> list[Marked]:
    """See `IMessages.tail`."""
    if count is None:
        rows = cursor.all(_TAIL, (mailbox_id, first_uid, below))
    else:
        rows = cursor.all(f"{_TAIL} DESC LIMIT ?", (mailbox_id, first_uid, below, count))
        rows.reverse()
    return _merged(cursor, mailbox_id, rows, [(rows[0][0], rows[-1][0])] if rows else [], reader)


def _merged(cursor: Cursor, mailbox_id: int, rows: Sequence[Row], uids: Uids, reader: int | None) -> list[Marked]:
    """The messages of these rows, which are among these UIDs, as that reader (None: the owner) sees them."""
    found = marks_over(cursor, mailbox_id, uids)
    if reader is not None:
        found = shown(cursor, mailbox_id, [*pieces(found, uids)], reader)
    return merged(rows, found)


def last_arrived(cursor: Cursor, mailbox_id: int, modseq: int, uids: Uids) -> int:
    """A UID up to which those among these came with a MODSEQ up to this one, and later ones did not: both grow."""
    if not uids:
        return 0
    low, high = uids[0][0], uids[-1][1]
    (uid,) = cursor.one(_LAST_ARRIVED, (mailbox_id, low, high, modseq)) or (low - 1,)
    return int(uid)


def since(cursor: Cursor, mailbox_id: int, modseq: int, uids: Uids, reader: int | None, limit: int) -> list[Marked]:
    """See `IMessages.since`. What arrived since is at the end; if it was changed, then since, too."""
    older = last_arrived(cursor, mailbox_id, modseq, uids)
    found: list[Marked] = []
    while uids and len(found) < limit:
        marks, end = _changed(cursor, mailbox_id, modseq, uids[0][0], older)
        asked = common(clipped(uids, end + 1), united([*marks, (older + 1, _HIGHEST)]))
        rows = first_asked(cursor, asked, "m.uid, m.arrived", _IN_MAILBOX, (mailbox_id,), limit - len(found))
        if rows:
            found += _merged(cursor, mailbox_id, rows, clipped(asked, rows[-1][0] + 1), reader)
        uids = without(uids, [(1, end)])
    return found


def _changed(
    cursor: Cursor, mailbox_id: int, modseq: int, first_uid: int, last_uid: int
) -> tuple[list[tuple[int, int]], int]:
    """Where flags were changed after a MODSEQ, from a UID to another; and how far that is known."""
    marks = cursor.all(_FEW_CHANGED, (mailbox_id, modseq, last_uid, AT_ONCE + 1))
    end = _HIGHEST
    if len(marks) > AT_ONCE:
        asked = (mailbox_id, modseq, last_uid, first_uid, mailbox_id, first_uid, AT_ONCE)
        marks = cursor.all(_CHANGED, asked)
        if len(marks) == AT_ONCE:
            end = marks[-1][1]
    return sorted((first, min(last, last_uid)) for first, last, *_ in marks), end


def stored(cursor: Cursor, mailbox_id: int, uids: Uids, limit: int) -> list[Stored]:
    """See `IMessages.stored`."""
    rows = first_asked(cursor, uids, _STORED, _IN_MAILBOX, (mailbox_id,), limit)
    return [*map(_as_stored, rows)]


# `Stored._make` in C; each row has as many values as were asked for.
_as_stored: Callable[[Row], Stored] = partial(tuple.__new__, Stored)


def contents(cursor: Cursor, mailbox_id: int, uids: Uids) -> list[tuple[int, int]]:
    """See `IMessages.contents`."""
    return [(uid, content_id) for uid, content_id in all_asked(cursor, uids, _CONTENTS, (mailbox_id,))]


def prefixes(cursor: Cursor, mailbox_id: int, uids: Uids) -> list[tuple[int, bytes]]:
    """See `IMessages.prefixes`."""
    return [(uid, prefix) for uid, prefix in all_asked(cursor, uids, _PREFIXES, (mailbox_id,))]


def existing(cursor: Cursor, mailbox_id: int, uids: Uids) -> list[tuple[int, int]]:
    """See `IMessages.existing`."""
    joined: list[tuple[int, int]] = []
    for low, high in all_asked(cursor, uids, _EXISTING, (mailbox_id,)):
        if joined and joined[-1][1] == low - 1:
            joined[-1] = (joined[-1][0], high)
        else:
            joined.append((low, high))
    return joined


def below(cursor: Cursor, mailbox_id: int, uids: Sequence[int], since: int, first_uid: int) -> list[int] | None:
    """See `IMessages.below`: those between each and the one before it are counted, and added up."""
    row = cursor.one(_NOW, (mailbox_id,))
    if row is None or since < row[3]:
        return None
    if not uids:
        return []
    gone = [uid for (uid,) in cursor.all(_EXPUNGED, (mailbox_id, since, first_uid, uids[-1]))]
    _, uidnext, messages, _ = row
    if messages == uidnext - 1:  # nothing ever went, so there is a message of each UID
        there: Iterable[int] = (max(0, min(uid, uidnext) - first_uid) for uid in uids)
    else:
        there = _counted(cursor, mailbox_id, uids, first_uid)
    return [count + bisect_left(gone, uid) for uid, count in zip(uids, there, strict=True)]


def _counted(cursor: Cursor, mailbox_id: int, uids: Sequence[int], first_uid: int) -> Iterable[int]:
    """How many messages there are now from a UID on before each of these."""
    if uids[-1] - uids[0] < _DENSE * len(uids):  # to list them takes less than to count each time
        (before,) = cursor.one(_BETWEEN, (mailbox_id, first_uid, uids[0])) or (0,)
        there = [uid for (uid,) in cursor.all(_UIDS, (mailbox_id, uids[0], uids[-1]))]
        return [before + bisect_left(there, uid) for uid in uids]
    between = list(zip((first_uid, *uids), uids, strict=False))
    counts: dict[int, int] = dict(all_asked(cursor, between, _BELOW, (mailbox_id,)))
    return accumulate(counts.get(uid, 0) for uid in uids)


def octets(
    cursor: Cursor, mailbox_id: int, uids: Uids, limit: int, most: int
) -> list[tuple[int, int, bytes | None, bool]]:
    """See `IMessages.octets`; no further message once there are `most` octets."""
    rows = first_asked(cursor, uids, _PARTS, _IN_MAILBOX, (mailbox_id,), limit)
    count = bisect_left([*accumulate(map(_size, rows), initial=0)], most)
    rows = rows[:count]
    contents = all_asked(cursor, common(uids, [(rows[0][0], rows[-1][0])]) if rows else (), _INLINE, (mailbox_id,))
    return [
        (uid, size, None if inline is None else prefix + inline, flags & BINARY != 0)
        for (uid, size, prefix), (_, inline, flags) in zip(rows, contents, strict=True)
    ]


def first_unseen(cursor: Cursor, mailbox_id: int, reader: int | None) -> tuple[int, int] | None:
    """See `IMessages.first_unseen`."""
    messages, seen = cursor.one(_COUNTS, (mailbox_id,)) or (0, 0)
    if reader is None and messages == seen:
        return None
    (last,) = (cursor.one(_NTH, (mailbox_id, LOOKED_AT)) if messages > LOOKED_AT else None) or (_HIGHEST,)
    if reader is None:
        uid = _first_without_seen(cursor, mailbox_id)
    else:
        (uid,) = cursor.one(_UNSEEN_BY, (reader, mailbox_id, last)) or (None,)
    if uid is None or uid > last:
        return None
    (number,) = cursor.one(_NUMBER, (mailbox_id, uid)) or (0,)
    return number, uid


def _first_without_seen(cursor: Cursor, mailbox_id: int) -> int | None:
    """The first message that no mark with \\Seen is about; None if too many of those are before it."""
    end = 0
    for most in _STEPS:
        marks = cursor.all(_SEEN, (mailbox_id, end, most))
        is_end = len(marks) < most
        others = without([(end + 1, _HIGHEST if is_end else marks[-1][1])], marks)
        for _, uid in all_asked(cursor, others, _FIRST_IN, (mailbox_id,)):
            if uid is not None:
                return int(uid)
        if is_end:
            break
        end = marks[-1][1]
    return None
