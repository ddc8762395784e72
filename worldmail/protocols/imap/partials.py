"""PARTIAL: some of many results, from the first or from the last of them on (RFC 9394 §3.1).

partial-range = partial-range-first / partial-range-last
partial-range-first = nz-number ":" nz-number
partial-range-last  = "-" nz-number ":" "-" nz-number
"""

from __future__ import annotations

from worldmail.protocols.imap.grammar.reader import Reader
from worldmail.protocols.imap.replies import BadCommand
from worldmail.protocols.imap.view.view import Slices

Range = tuple[int, int]
"""Counted from 1, or from -1 at the last one backwards; the nearer end first."""


def read(reader: Reader) -> Range:
    """A range of results."""
    last = reader.take(b"-")
    one = reader.nz_number()
    reader.expect(b":")
    if last and not reader.take(b"-"):
        raise BadCommand("Both ends of a range are counted from the same side")
    other = reader.nz_number()
    low, high = sorted((one, other))
    return (-low, -high) if last else (low, high)


def bounds(wanted: Range, count: int) -> tuple[int, int]:
    """Which of `count` results these are: [start, end)."""
    near, far = wanted
    if near < 0:
        return max(0, count + far), max(0, count + near + 1)
    return min(count, near - 1), min(count, far)


def cut(slices: Slices, wanted: Range) -> Slices:
    """Those of these messages."""
    start, end = bounds(wanted, sum(high - low for low, high in slices))
    found = []
    at = 0
    for low, high in slices:
        first, last = max(low, low + start - at), min(high, low + end - at)
        if first < last:
            found.append((first, last))
        at += high - low
    return found
