"""Sets of message numbers: sequence numbers or UIDs, as IMAP has them (RFC 9051 §9: sequence-set).

A set is kept as ranges and never expanded into single numbers: `1:4294967295` costs as much as `1`. What is
told of a mailbox is clipped to what can be there; the results are closed ranges, ascending, apart from each other.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence

from attrs import frozen

Ranges = Sequence[tuple[int, int]]
"""Closed ranges, ascending and apart from each other."""

LARGEST = 0xFFFFFFFF
"""The largest number and UID (RFC 9051 §9: nz-number)."""

# sequence-set = (seq-number / seq-range) ["," sequence-set]; seq-number = nz-number / "*"; never begins with 0
_RANGE = rb"(?:[1-9][0-9]{0,9}|\*)(?::(?:[1-9][0-9]{0,9}|\*))?+"
_SET = re.compile(rb"%s(?:,%s)*+" % (_RANGE, _RANGE))

_STAR = 0  # stands for "*" among the pairs: no message has the number 0


@frozen
class Numbers:
    """A set as a client wrote it.

    Attributes:
        pairs: the ends of each range, in any order; 0 is "*", the largest number there is.
        saved: it is "$", the result of the last search (RFC 5182); `pairs` is empty then.
    """

    pairs: tuple[tuple[int, int], ...]
    saved: bool = False

    @classmethod
    def parse(cls, text: bytes) -> Numbers:
        """Read a whole set, "$" included.

        Raises: ValueError if it is none, or a number in it is beyond 32 bits.
        """
        if text == b"$":
            return SAVED
        if not _SET.fullmatch(text):
            raise ValueError("no set of numbers")
        pairs = []
        for item in text.replace(b"*", b"0").split(b","):
            first, _, last = item.partition(b":")
            one = int(first)
            other = int(last) if last else one
            if one > LARGEST or other > LARGEST:
                raise ValueError("a number beyond 32 bits")
            pairs.append((one, other))
        return cls(tuple(pairs))

    @property
    def star(self) -> bool:
        """Is there a "*" in it?"""
        return any(_STAR in pair for pair in self.pairs)

    def beyond(self, total: int) -> bool:
        """Does it name a sequence number that a mailbox of `total` messages does not have, or "*" in an empty one?

        (RFC 9051 §9, at seq-number: the answer is BAD then.) Of a UID set this is not asked.
        """
        return any(one > total or other > total for one, other in self.pairs) or (not total and bool(self.pairs))

    def clipped(self, highest: int) -> list[tuple[int, int]]:
        """The ranges within 1 to `highest`, which is what "*" stands for; none if `highest` is 0.

        A range with "*" at one end always holds `highest`, even where its other end is beyond it (RFC 9051 §9).
        """
        if highest <= 0:
            return []
        found = []
        for one, other in self.pairs:
            low, high = one or highest, other or highest
            if low > high:
                low, high = high, low
            if low <= highest:
                found.append((low, min(high, highest)))
        return found if len(found) < 2 else merged(found)


SAVED = Numbers((), saved=True)


def merged(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Ranges in any order, overlapping or not, as `Ranges`."""
    whole: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if whole and low <= whole[-1][1] + 1:
            if high > whole[-1][1]:
                whole[-1] = (whole[-1][0], high)
        else:
            whole.append((low, high))
    return whole


def ranges_of(ascending: Iterable[int]) -> list[tuple[int, int]]:
    """Single numbers, ascending, as `Ranges`."""
    whole: list[tuple[int, int]] = []
    low = high = 0
    for number in ascending:
        if number == high + 1 and high:
            high = number
            continue
        if high:
            whole.append((low, high))
        low = high = number
    if high:
        whole.append((low, high))
    return whole


def common(one: Ranges, other: Ranges) -> list[tuple[int, int]]:
    """What is in both."""
    found = []
    first = second = 0
    while first < len(one) and second < len(other):
        low = max(one[first][0], other[second][0])
        high = min(one[first][1], other[second][1])
        if low <= high:
            found.append((low, high))
        if one[first][1] < other[second][1]:
            first += 1
        else:
            second += 1
    return found


def without(one: Ranges, other: Ranges) -> list[tuple[int, int]]:
    """What is in `one` and not in `other`."""
    found = []
    second = 0
    for low, high in one:
        at = low
        while second < len(other) and other[second][1] < at:
            second += 1
        place = second
        while at <= high and place < len(other) and other[place][0] <= high:
            if other[place][0] > at:
                found.append((at, other[place][0] - 1))
            at = other[place][1] + 1
            place += 1
        second = max(second, place - 1)
        if at <= high:
            found.append((at, high))
    return found


def holds(ranges: Ranges, number: int) -> bool:
    """Is the number in one of them? Takes the logarithm of their count."""
    place = bisect_right(ranges, (number, LARGEST + 1)) - 1
    return place >= 0 and ranges[place][1] >= number


def count(ranges: Ranges) -> int:
    """How many numbers are in them."""
    return sum(high - low + 1 for low, high in ranges)


def render(ranges: Ranges) -> bytes:
    """As a sequence-set of the wire; b"" for none."""
    return b",".join([b"%d" % low if low == high else b"%d:%d" % (low, high) for low, high in ranges])
