"""Reads: what is in a mailbox, and what happened there."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from worldmail.interfaces.database import Cursor
from worldmail.interfaces.messages import Changed, Marked, Stored, Uids
from worldmail.store.messages.asked import all_asked, among, clipped, first_asked, ranges, without

_LOOK = " m.uid, coalesce(k.flags, 0), k.keywords, coalesce(k.modseq, m.arrived) "
_LOOK_OF_READER = (
    " m.uid, (coalesce(k.flags, 0) & ~1) | (CASE WHEN s.uid IS NULL THEN 0 ELSE 1 END), k.keywords,"
    " coalesce(k.modseq, m.arrived) "
)
_MARKS = " LEFT JOIN mark k ON k.mailbox_id = m.mailbox_id AND k.uid = m.uid "
_OWN = " LEFT JOIN seen s ON s.account_id = ? AND s.mailbox_id = m.mailbox_id AND s.uid = m.uid "

_TAIL = " WHERE m.mailbox_id = ? AND m.uid >= ? AND m.uid < ? ORDER BY m.uid"
_ARRIVED = (
    " WHERE m.mailbox_id = ? AND m.uid > coalesce((SELECT uid FROM message WHERE mailbox_id = ? AND arrived <= ?"
    " ORDER BY uid DESC LIMIT 1), 0) ORDER BY m.uid"
)
_NOW = "SELECT highestmodseq, uidnext, messages, forgotten FROM mailbox WHERE id = ? AND name >= ' '"
_EXPUNGED = "SELECT uid FROM expunged WHERE mailbox_id = ? AND modseq > ? ORDER BY uid"
_STORED = "m.uid, m.content_id, m.size, m.received, m.saved"
_PARTS = "m.uid, m.size, m.prefix, m.content_id"
_INLINE = (
    "SELECT c.id, c.inline FROM asked CROSS JOIN content c WHERE c.id BETWEEN asked.low AND asked.high"
    " AND c.inline IS NOT NULL"
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
_UNSEEN = {
    is_owner: f"SELECT m.uid FROM message m{_MARKS}{own} WHERE m.mailbox_id = ? AND m.uid <= ? AND {is_unseen}"
    " ORDER BY m.uid LIMIT 1"
    for is_owner, is_unseen, own in ((True, "(coalesce(k.flags, 0) & 1) = 0", ""), (False, "s.uid IS NULL", _OWN))
}
_NTH = "SELECT uid FROM message WHERE mailbox_id = ? ORDER BY uid LIMIT 1 OFFSET ?"
_NUMBER = "SELECT count(*) FROM message WHERE mailbox_id = ? AND uid <= ?"
_COUNTS = "SELECT messages, seen FROM mailbox WHERE id = ?"

LOOKED_AT = 10_000
"""Messages among which the first unseen one is looked for."""


def _looks(reader: int | None, where: str) -> str:
    """A SELECT of what messages show to a reader; whose parameter comes first."""
    if reader is None:
        return f"SELECT{_LOOK}FROM message m{_MARKS}{where}"
    return f"SELECT{_LOOK_OF_READER}FROM message m{_MARKS}{_OWN}{where}"


def _changed(reader: int | None) -> str:
    own = "" if reader is None else _OWN
    look = _LOOK if reader is None else _LOOK_OF_READER
    look = look.replace("m.", "k.").replace("k.arrived", "0")
    return f"SELECT{look}FROM mark k{own.replace('m.', 'k.')} WHERE k.mailbox_id = ? AND k.modseq > ?"


_BY_READER = (None, 0)
_TAILS, _ARRIVALS, _CHANGES = (
    {known is None: make(known) for known in _BY_READER}
    for make in (lambda r: _looks(r, _TAIL), lambda r: _looks(r, _ARRIVED), _changed)
)


def _marked(cursor: Cursor, sql: str, reader: int | None, *parameters: int) -> list[Marked]:
    rows = cursor.all(sql, parameters if reader is None else (reader, *parameters))
    return [*map(Marked._make, rows)]


def tail(
    cursor: Cursor, mailbox_id: int, first_uid: int, below: int, count: int | None, reader: int | None
) -> list[Marked]:
    """See `IMessages.tail`."""
    sql = _TAILS[reader is None]
    if count is None:
        return _marked(cursor, sql, reader, mailbox_id, first_uid, below)
    found = _marked(cursor, f"{sql} DESC LIMIT ?", reader, mailbox_id, first_uid, below, count)
    found.reverse()
    return found


def changes(cursor: Cursor, mailbox_id: int, since: int, uidnext: int, reader: int | None) -> Changed | None:
    """See `IMessages.changes`."""
    row = cursor.one(_NOW, (mailbox_id,))
    if row is None or since < row[3]:
        return None
    highest, next_uid, messages, _ = row
    arrived: list[Marked] = []
    changed: list[Marked] = []
    gone: list[int] = []
    if highest > since:
        if next_uid > uidnext:
            arrived = tail(cursor, mailbox_id, uidnext, next_uid, None, reader)
        changed = [mark for mark in _marks_since(cursor, mailbox_id, since, reader) if mark.uid < uidnext]
        gone = [uid for (uid,) in cursor.all(_EXPUNGED, (mailbox_id, since)) if uid < uidnext]
    return Changed(
        highestmodseq=highest, uidnext=next_uid, messages=messages, arrived=arrived, changed=changed, expunged=gone
    )


def _marks_since(cursor: Cursor, mailbox_id: int, modseq: int, reader: int | None) -> list[Marked]:
    found = _marked(cursor, _CHANGES[reader is None], reader, mailbox_id, modseq)
    found.sort()
    return found


def since(cursor: Cursor, mailbox_id: int, modseq: int, uids: Uids, reader: int | None) -> list[Marked]:
    """See `IMessages.since`. UIDs and the MODSEQs of arrivals grow together, so what arrived since is at the end."""
    found = {mark.uid: mark for mark in _marks_since(cursor, mailbox_id, modseq, reader)}
    for mark in _marked(cursor, _ARRIVALS[reader is None], reader, mailbox_id, mailbox_id, modseq):
        found[mark.uid] = mark
    return [found[uid] for uid in among(sorted(found), uids)]


def vanished(cursor: Cursor, mailbox_id: int, modseq: int, uids: Uids) -> list[tuple[int, int]]:
    """See `IMessages.vanished`."""
    row = cursor.one(_NOW, (mailbox_id,))
    if row is None:
        return []
    _, uidnext, _, forgotten = row
    if modseq >= forgotten:
        return ranges(among([uid for (uid,) in cursor.all(_EXPUNGED, (mailbox_id, modseq))], uids))
    asked = clipped(uids, uidnext)
    return without(asked, existing(cursor, mailbox_id, asked))


def stored(cursor: Cursor, mailbox_id: int, uids: Uids, limit: int) -> list[Stored]:
    """See `IMessages.stored`."""
    return [*map(Stored._make, first_asked(cursor, uids, _STORED, _IN_MAILBOX, (mailbox_id,), limit))]


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


def below(cursor: Cursor, mailbox_id: int, uids: Sequence[int]) -> list[int]:
    """See `IMessages.below`: those between each and the one before it are counted, and added up."""
    between = list(zip((0, *uids), uids, strict=False))
    found = all_asked(cursor, between, _BELOW, (mailbox_id,))
    return list(accumulate(count for _, count in found))


def octets(cursor: Cursor, mailbox_id: int, uids: Uids, limit: int, most: int) -> list[tuple[int, int, bytes | None]]:
    """See `IMessages.octets`; no further message once there are `most` octets."""
    rows = first_asked(cursor, uids, _PARTS, _IN_MAILBOX, (mailbox_id,), limit)
    before = accumulate((size for _, size, _, _ in rows), initial=0)
    rows = [row for row, total in zip(rows, before, strict=False) if total < most]
    ids = sorted({row[3] for row in rows})
    inline: dict[int, bytes] = dict(all_asked(cursor, ranges(ids), _INLINE))
    return [
        (uid, size, prefix + inline[content_id] if content_id in inline else None)
        for uid, size, prefix, content_id in rows
    ]


def first_unseen(cursor: Cursor, mailbox_id: int, reader: int | None) -> tuple[int, int] | None:
    """See `IMessages.first_unseen`."""
    messages, seen = cursor.one(_COUNTS, (mailbox_id,)) or (0, 0)
    if reader is None and messages == seen:
        return None
    (last,) = (cursor.one(_NTH, (mailbox_id, LOOKED_AT)) if messages > LOOKED_AT else None) or (1 << 62,)
    parameters = (mailbox_id, last)
    row = cursor.one(_UNSEEN[reader is None], parameters if reader is None else (reader, *parameters))
    if row is None:
        return None
    (number,) = cursor.one(_NUMBER, (mailbox_id, row[0])) or (0,)
    return number, row[0]
