"""What is left to be told of changed flags, when it is too much for one turn.

It was asked for at one moment and is told by and by. Meanwhile a message may change once more: that is told another
time, and what the view knows already of a message is never replaced by what is older.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterator, Sequence

from attrs import define

from worldmail.interfaces.messages import Alike, Marked, Place

MARKS_AT_ONCE = 500
"""Of messages that are not loaded."""


@define(kw_only=True, eq=False)
class Rest:
    """Messages whose flags changed.

    Args:
        since: all changes up to this MODSEQ were told.
        upto: changes up to this one are among these.
        below: no message from this UID on is.
        marks: some of them, the first ones last.
        further: where the store has others, if it has.
    """

    since: int
    upto: int
    below: int
    marks: list[Alike]
    further: Place | None

    @property
    def over(self) -> bool:
        """Everything was told."""
        return not self.marks and self.further is None

    def take(self, uids: Sequence[int], modseqs: Sequence[int], gone: Collection[int], most: int) -> list[Marked]:
        """The next ones among these messages, if they are otherwise than is known; looks at `most` messages."""
        found: list[Marked] = []
        while self.marks and most > 0:
            mark = self.marks.pop()
            start, end = bisect_left(uids, mark.first), bisect_right(uids, mark.last)
            if end - start > most:
                end = start + most
                self.marks.append(mark._replace(first=uids[end]))
            _, _, flags, keywords, modseq = mark
            found += [
                Marked(uids[at], flags, keywords, modseq)
                for at in range(start, end)
                if modseqs[at] <= modseq and uids[at] not in gone
            ]
            most -= max(1, end - start)
        return sorted(found)

    def before(self, uid: int) -> list[Alike]:
        """Some of the next ones below a UID. They stay."""
        found = []
        for mark in self.marks[: -MARKS_AT_ONCE - 1 : -1]:
            if mark.first >= uid:
                break
            found.append(mark if mark.last < uid else mark._replace(last=uid - 1))
        return found

    def skip(self, uid: int) -> None:
        """Those up to this UID are told."""
        while self.marks and self.marks[-1].first <= uid:
            mark = self.marks.pop()
            if mark.last > uid:
                self.marks.append(mark._replace(first=uid + 1))


def spread(marks: Sequence[Alike], uids: Sequence[int]) -> Iterator[Marked]:
    """What marks, by UID, say of these messages, each of which one of them is about."""
    at = 0
    for uid in uids:
        while marks[at].last < uid:
            at += 1
        _, _, flags, keywords, modseq = marks[at]
        yield Marked(uid, flags, keywords, modseq)
