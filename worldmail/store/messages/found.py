"""Messages that are there, of those that a change is about."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate

from attrs import frozen

from worldmail.interfaces.database import Cursor
from worldmail.interfaces.messages import Alike, Uids
from worldmail.store.messages.asked import all_asked, ranges

_FOUND = (
    "SELECT m.uid, m.size FROM asked CROSS JOIN message m"
    " WHERE m.mailbox_id = ? AND m.uid BETWEEN asked.low AND asked.high"
)


@frozen
class Found:
    """Messages by UID.

    Args:
        octets: how many the messages before each have together; the last is that of all. Nothing but zeros if
            nobody asks.
    """

    uids: Sequence[int]
    octets: Sequence[int]

    @classmethod
    def known(cls, uids: Sequence[int]) -> Found:
        """Those of which it is known that they are there."""
        return cls(uids, bytes(len(uids) + 1))

    @classmethod
    def among(cls, cursor: Cursor, mailbox_id: int, uids: Uids) -> Found:
        """Look them up."""
        rows = all_asked(cursor, uids, _FOUND, (mailbox_id,))
        return cls([uid for uid, _ in rows], [*accumulate((size for _, size in rows), initial=0)])

    def ranges(self) -> Uids:
        """Their UIDs."""
        uids = self.uids
        return [(uids[0], uids[-1])] if uids and uids[-1] - uids[0] == len(uids) - 1 else ranges(uids)

    def places(self, parts: Iterable[tuple[Alike, int]]) -> Iterator[tuple[Alike, int, int, int]]:
        """Ascending parts, each with where its messages are, [start, end): start is end if there are none."""
        parts = [*parts]
        for (alike, own), (start, end) in zip(parts, places(self.uids, [alike for alike, _ in parts]), strict=True):
            yield alike, own, start, end


def places(uids: Sequence[int], found: Iterable[Alike]) -> Iterator[tuple[int, int]]:
    """Where in `uids` those are that these (ascending) are about: [start, end), start is end if there are none."""
    end, most = 0, len(uids)
    for first, last, _, _, _ in found:
        start = end  # mostly they are neighbours
        if start < most and uids[start] < first:
            start = bisect_left(uids, first, start)
        end = start
        if end < most and uids[end] <= last:
            end = start + 1 if first == last else bisect_right(uids, last, start)
        yield start, end
