"""What messages show to whom: the flags of all, and the \\Seen of one reader in a mailbox that is not its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from worldmail.interfaces.database import Cursor
from worldmail.interfaces.messages import Alike, Flag, Uids
from worldmail.store.messages.asked import all_asked, ranges, run_asked
from worldmail.store.messages.marks import pieces

SEEN = int(Flag.SEEN)

_SEEN_BY = (
    "SELECT s.uid FROM asked CROSS JOIN seen s"
    " WHERE s.account_id = ? AND s.mailbox_id = ? AND s.uid BETWEEN asked.low AND asked.high"
)
_READ = (
    "INSERT INTO seen (account_id, mailbox_id, uid) SELECT ?, m.mailbox_id, m.uid"
    " FROM asked CROSS JOIN message m WHERE m.mailbox_id = ? AND m.uid BETWEEN asked.low AND asked.high"
    " ON CONFLICT DO NOTHING"
)
_UNREAD = (
    "DELETE FROM seen WHERE account_id = ? AND mailbox_id = ? AND uid IN (SELECT s.uid FROM asked CROSS JOIN seen s"
    " WHERE s.account_id = ? AND s.mailbox_id = ? AND s.uid BETWEEN asked.low AND asked.high)"
)


class Look(NamedTuple):
    """What a message shows: its flags as kept, its keywords, and whether a reader has seen it (1, else 0)."""

    flags: int
    keywords: str | None
    own: int

    def shown(self, reader: int | None) -> int:
        """The flags as that reader (None: the owner) sees them."""
        return self.flags if reader is None else self.flags & ~SEEN | self.own

    def showing(self, flags: int, keywords: str | None, reader: int | None) -> Look:
        """The look that shows these flags to that reader."""
        if reader is None:
            return Look(flags, keywords, self.own)
        return Look(flags & ~SEEN | self.flags & SEEN, keywords, flags & SEEN)


BARE = Look(0, None, 0)
"""That of a message without anything."""


def with_own(cursor: Cursor, mailbox_id: int, found: Iterable[Alike], reader: int | None) -> list[tuple[Alike, int]]:
    """Messages that are alike, in parts: those that the reader has seen (1), and the others (0)."""
    if reader is None:
        return [(alike, 0) for alike in found]
    found = [*found]
    bounds = [(alike.first, alike.last) for alike in found]
    rows = all_asked(cursor, bounds, _SEEN_BY, (reader, mailbox_id))
    seen = [Alike(low, high, SEEN, None, 0) for low, high in ranges(uid for (uid,) in rows)]
    return [*_cut(found, pieces(seen, bounds))]


def _cut(found: Sequence[Alike], parts: Iterable[Alike]) -> Iterator[tuple[Alike, int]]:
    at = 0
    for first, last, own, _, _ in parts:
        while found[at].last < first:
            at += 1
        yield found[at]._replace(first=first, last=last), own


def shown(cursor: Cursor, mailbox_id: int, found: list[Alike], reader: int | None) -> list[Alike]:
    """These messages as that reader (None: the owner) sees them."""
    if reader is None:
        return found
    return [
        alike._replace(flags=alike.flags & ~SEEN | own) for alike, own in with_own(cursor, mailbox_id, found, reader)
    ]


def write_own(cursor: Cursor, mailbox_id: int, reader: int | None, read: Uids, unread: Uids = ()) -> None:
    """Note what a reader has seen, and what not."""
    run_asked(cursor, read, _READ, (reader, mailbox_id))
    run_asked(cursor, unread, _UNREAD, (reader, mailbox_id, reader, mailbox_id))
