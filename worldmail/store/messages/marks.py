"""Flags and keywords as they are kept: a row for all messages of a range of UIDs that were changed alike.

Rows of a mailbox do not overlap; each is about one message at least, so there are never more rows than messages. What
is between them has no flags, and the MODSEQ of its arrival.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, starmap

from worldmail.interfaces.database import Cursor, Row
from worldmail.interfaces.messages import Alike, Marked, Uids
from worldmail.store.messages.asked import all_asked, run_asked, united, without
from worldmail.store.messages.found import places

_COLUMNS = "k.first, k.last, k.flags, k.keywords, k.modseq"
# The row before a UID is about it too if it is long enough.
_OVER = (
    f"SELECT {_COLUMNS} FROM asked CROSS JOIN mark k WHERE k.mailbox_id = ? AND k.first <= asked.high AND k.first >="
    " coalesce((SELECT max(p.first) FROM mark p WHERE p.mailbox_id = ? AND p.first <= asked.low), asked.low)"
    " AND k.last >= asked.low"
)
_INHABITED = (
    "SELECT asked.low FROM asked WHERE EXISTS"
    " (SELECT 1 FROM message m WHERE m.mailbox_id = ? AND m.uid BETWEEN asked.low AND asked.high)"
)
_REMOVE = (
    "DELETE FROM mark WHERE mailbox_id = ? AND first IN (SELECT k.first FROM asked CROSS JOIN mark k"
    " WHERE k.mailbox_id = ? AND k.first BETWEEN asked.low AND asked.high)"
)
_SIZES = (1, 4, 32, 256)
"""Rows in one statement."""

_WRITE = {
    size: f"WITH row (first, last, flags, keywords, modseq) AS (VALUES {', '.join(['(?, ?, ?, ?, ?)'] * size)})"
    " INSERT INTO mark (mailbox_id, first, last, flags, keywords, modseq)"
    " SELECT ?, row.first, row.last, row.flags, row.keywords, row.modseq FROM row WHERE row.first <= row.last"
    " ON CONFLICT (mailbox_id, first) DO UPDATE SET last = excluded.last, flags = excluded.flags,"
    " keywords = excluded.keywords, modseq = excluded.modseq"
    for size in _SIZES
}
_NONE: str | None = None
_NO_ROW = Alike(1, 0, 0, None, 0)


def marks_over(cursor: Cursor, mailbox_id: int, uids: Uids, most: int | None = None) -> list[Alike]:
    """The rows that are about any of these UIDs, as they are; no further ones once there are more than `most`."""
    if most is None:
        rows = all_asked(cursor, uids, _OVER, (mailbox_id, mailbox_id))
    else:
        rows = all_asked(cursor, uids, f"{_OVER} LIMIT ?", (mailbox_id, mailbox_id, most + 1))
    return [*starmap(Alike, dict.fromkeys(rows) if len(uids) > 1 else rows)]


def pieces(marks: Sequence[Alike], uids: Uids) -> Iterator[Alike]:
    """What marks say of these UIDs, each of which is in one piece."""
    at = 0
    for low, high in uids:
        while at < len(marks) and marks[at].last < low:
            at += 1
        place = at
        while low <= high:
            if place == len(marks) or marks[place].first > high:
                yield Alike(low, high, 0, None, 0)
                break
            mark = marks[place]
            if mark.first > low:
                yield Alike(low, mark.first - 1, 0, None, 0)
                low = mark.first
            last = min(mark.last, high)
            yield mark if mark.first == low and mark.last == last else mark._replace(first=low, last=last)
            low, place = last + 1, place + 1


def merged(rows: Sequence[Row], found: Sequence[Alike]) -> list[Marked]:
    """Messages, given by UID and the MODSEQ of their arrival, with what `found` says of them."""
    uids = [uid for uid, _ in rows]
    flags, keywords, modseqs = [0] * len(uids), [_NONE] * len(uids), [arrived for _, arrived in rows]
    for (_, _, bits, words, modseq), (start, end) in zip(found, places(uids, found), strict=True):
        if end == start + 1:
            flags[start], keywords[start] = bits, words
            modseqs[start] = modseq or modseqs[start]
        elif start < end:
            flags[start:end] = [bits] * (end - start)
            keywords[start:end] = [words] * (end - start)
            if modseq:
                modseqs[start:end] = [modseq] * (end - start)
    return [*map(Marked._make, zip(uids, flags, keywords, modseqs, strict=True))]


def add_mark(marks: list[Alike], mark: Alike) -> None:
    """Add one to the ascending rows that are to be written; it may go on where the last one ends."""
    if marks and marks[-1].last + 1 == mark.first and marks[-1][2:] == mark[2:]:
        marks[-1] = marks[-1]._replace(last=mark.last)
    else:
        marks.append(mark)


def write_marks(cursor: Cursor, mailbox_id: int, new: Sequence[Alike], over: Sequence[Alike] = ()) -> None:
    """Write rows, ascending and each about a message, instead of what was said of those messages.

    Args:
        over: all rows that were about any of those UIDs, and maybe others.
    """
    taken = [(mark.first, mark.last) for mark in new]
    kept = {*taken}
    rests, replaced = _rests([mark for mark in over if (mark.first, mark.last) not in kept], taken)
    rows = [*new, *_inhabited(cursor, mailbox_id, rests)]
    written = {mark.first for mark in rows}
    remove_marks(cursor, mailbox_id, [mark for mark in replaced if mark.first not in written])
    for start in range(0, len(rows), _SIZES[-1]):
        part = rows[start : start + _SIZES[-1]]
        size = next(size for size in _SIZES if size >= len(part))
        part += [_NO_ROW] * (size - len(part))
        cursor.run(_WRITE[size], (*chain.from_iterable(part), mailbox_id))


def _rests(marks: Sequence[Alike], taken: Uids) -> tuple[list[Alike], list[Alike]]:
    """What is left of marks without these UIDs, and the marks of which something is taken."""
    rests: dict[int, list[Alike]] = {at: [] for at in range(len(marks))}
    at = 0
    for low, high in without([(mark.first, mark.last) for mark in marks], taken):
        while marks[at].last < low:
            at += 1
        rests[at].append(marks[at]._replace(first=low, last=high))
    replaced = [at for at, left in rests.items() if left != [marks[at]]]
    return [rest for at in replaced for rest in rests[at]], [marks[at] for at in replaced]


def remove_marks(cursor: Cursor, mailbox_id: int, marks: Iterable[Alike]) -> None:
    """Remove these rows."""
    run_asked(cursor, united((mark.first, mark.last) for mark in marks), _REMOVE, (mailbox_id, mailbox_id))


def remove_empty(cursor: Cursor, mailbox_id: int, marks: Sequence[Alike], gone: Iterable[Alike]) -> None:
    """Remove those of these rows that are about no message any more, after these pieces of them went."""
    whole = {*gone}
    there = {mark.first for mark in _inhabited(cursor, mailbox_id, [mark for mark in marks if mark not in whole])}
    remove_marks(cursor, mailbox_id, [mark for mark in marks if mark.first not in there])


def _inhabited(cursor: Cursor, mailbox_id: int, marks: Sequence[Alike]) -> list[Alike]:
    """Those of them that are about a message."""
    rows = all_asked(cursor, [(mark.first, mark.last) for mark in marks], _INHABITED, (mailbox_id,))
    there = {low for (low,) in rows}
    return [mark for mark in marks if mark.first in there]
