"""Sets of UIDs: as ranges, and as a table within a statement."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from operator import itemgetter

from worldmail.interfaces.database import Cursor, Parameters, Row
from worldmail.interfaces.messages import Uids

_SIZES = (1, 16, 128, 1024)
"""Ranges in one statement. Few different ones, so that each statement is prepared once; what is left over is empty."""

AT_ONCE = _SIZES[-1]

_EMPTY = (1, 0)
_TABLES = {size: f"WITH asked (low, high) AS (VALUES {', '.join(['(?, ?)'] * size)}) " for size in _SIZES}
_first = itemgetter(0)


def _slices(uids: Uids) -> Iterator[tuple[str, list[int]]]:
    """The table `asked` for each slice of the ranges, with its parameters."""
    for start in range(0, len(uids), AT_ONCE):
        part = uids[start : start + AT_ONCE]
        size = next(size for size in _SIZES if size >= len(part))
        values = [bound for low_high in part for bound in low_high]
        yield _TABLES[size], values + [*_EMPTY] * (size - len(part))


def all_asked(cursor: Cursor, uids: Uids, sql: str, parameters: Parameters = ()) -> list[Row]:
    """The rows of a SELECT from `asked`, ascending by their first column, which is the UID."""
    found: list[Row] = []
    for table, values in _slices(uids):
        found += cursor.all(table + sql, (*values, *parameters))
    found.sort(key=_first)
    return found


def first_asked(cursor: Cursor, uids: Uids, select: str, where: str, parameters: Parameters, limit: int) -> list[Row]:
    """Up to `limit` rows, ascending by the UID; costs what it gives, however large the ranges are.

    Args:
        select: what of `message m`, the UID first.
        where: the rest after `FROM message m WHERE`, without the UIDs.
    """
    many = f"SELECT {select} FROM asked CROSS JOIN message m WHERE {where} AND m.uid BETWEEN asked.low AND asked.high"
    one = f"SELECT {select} FROM message m WHERE {where} AND m.uid BETWEEN ? AND ? ORDER BY m.uid LIMIT ?"
    found: list[Row] = []
    narrow: list[tuple[int, int]] = []
    for low, high in uids:
        is_wide = high - low >= limit
        if not is_wide:
            narrow.append((low, high))
        if is_wide or span(narrow) >= limit:
            found += all_asked(cursor, narrow, many, parameters)
            narrow = []
        if is_wide and len(found) < limit:
            found += cursor.all(one, (*parameters, low, high, limit - len(found)))
        if len(found) >= limit:
            return found[:limit]
    return (found + all_asked(cursor, narrow, many, parameters))[:limit]


def run_asked(cursor: Cursor, uids: Uids, sql: str, parameters: Parameters = ()) -> int:
    """Execute a statement that changes what is `asked`; the number of rows changed."""
    return sum(cursor.run(table + sql, (*values, *parameters)) for table, values in _slices(uids))


def ranges(uids: Iterable[int]) -> list[tuple[int, int]]:
    """Ascending UIDs as ranges."""
    found: list[tuple[int, int]] = []
    low = high = -1
    for uid in uids:
        if uid == high + 1:
            high = uid
            continue
        if low >= 0:
            found.append((low, high))
        low = high = uid
    if low >= 0:
        found.append((low, high))
    return found


def united(uids: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Ranges, of which those that touch become one."""
    found: list[tuple[int, int]] = []
    for low, high in uids:
        if found and found[-1][1] + 1 == low:
            low = found.pop()[0]
        found.append((low, high))
    return found


def expanded(uids: Uids) -> Iterator[int]:
    """Every UID in the ranges."""
    for low, high in uids:
        yield from range(low, high + 1)


def span(uids: Uids) -> int:
    """How many UIDs there are in the ranges."""
    return sum(high - low + 1 for low, high in uids)


def among(found: Iterable[int], uids: Uids) -> list[int]:
    """Those of some UIDs that are in the ranges."""
    lows = [low for low, _ in uids]

    def is_there(uid: int) -> bool:
        place = bisect_right(lows, uid)
        return place > 0 and uid <= uids[place - 1][1]

    return [uid for uid in found if is_there(uid)]


def common(one: Uids, other: Uids) -> list[tuple[int, int]]:
    """What is in both."""
    found: list[tuple[int, int]] = []
    at = 0
    for low, high in one:
        while at < len(other) and other[at][1] < low:
            at += 1
        place = at
        while place < len(other) and other[place][0] <= high:
            found.append((max(low, other[place][0]), min(high, other[place][1])))
            place += 1
    return found


def clipped(uids: Uids, below: int) -> list[tuple[int, int]]:
    """The part of the ranges below a UID."""
    return [(low, min(high, below - 1)) for low, high in uids if low < below]


def without(uids: Uids, taken: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The part of the ranges that is not in other ranges."""
    left: list[tuple[int, int]] = []
    place = 0
    for low, high in uids:
        while place < len(taken) and taken[place][1] < low:
            place += 1
        at = place
        while low <= high and at < len(taken) and taken[at][0] <= high:
            if taken[at][0] > low:
                left.append((low, taken[at][0] - 1))
            low = max(low, taken[at][1] + 1)
            at += 1
        if low <= high:
            left.append((low, high))
    return left
