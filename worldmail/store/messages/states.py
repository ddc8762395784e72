"""What flags and keywords messages have, and writing what they come to have."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from worldmail.interfaces.database import Cursor
from worldmail.interfaces.messages import Flag, Uids
from worldmail.store.messages.asked import all_asked, ranges, run_asked

_FROM = (
    " FROM asked CROSS JOIN message m LEFT JOIN mark k ON k.mailbox_id = m.mailbox_id AND k.uid = m.uid{own}"
    " WHERE m.mailbox_id = ? AND m.uid BETWEEN asked.low AND asked.high"
)
_OWN = " LEFT JOIN seen s ON s.account_id = ? AND s.mailbox_id = m.mailbox_id AND s.uid = m.uid"
_COLUMNS = "SELECT m.uid, coalesce(k.flags, 0), k.keywords, coalesce(k.modseq, m.arrived), m.size, "
_STATES = f"{_COLUMNS} 0{_FROM.format(own='')}"
_STATES_OF_READER = f"{_COLUMNS} s.uid IS NOT NULL{_FROM.format(own=_OWN)}"
_MARK = (
    "INSERT INTO mark (mailbox_id, uid, flags, modseq, keywords) SELECT m.mailbox_id, m.uid, ?, ?, ?"
    " FROM asked CROSS JOIN message m WHERE m.mailbox_id = ? AND m.uid BETWEEN asked.low AND asked.high"
    " ON CONFLICT (mailbox_id, uid)"
    " DO UPDATE SET flags = excluded.flags, modseq = excluded.modseq, keywords = excluded.keywords"
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


SEEN = int(Flag.SEEN)


class State(NamedTuple):
    """A message's changing part as it is kept.

    `flags` are those of all; `own` is 1 if the reader that was asked for has seen it, 0 if not or without a reader.
    """

    uid: int
    flags: int
    keywords: str | None
    modseq: int
    size: int
    own: int


class Look(NamedTuple):
    """What a message shows: its flags as kept, its keywords, and whether a reader has seen it."""

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


def states(cursor: Cursor, mailbox_id: int, uids: Uids, reader: int | None) -> list[State]:
    """Of the messages that are there, by UID."""
    if reader is None:
        rows = all_asked(cursor, uids, _STATES, (mailbox_id,))
    else:
        rows = all_asked(cursor, uids, _STATES_OF_READER, (reader, mailbox_id))
    return [*map(State._make, rows)]


class Change(NamedTuple):
    """Messages that showed alike, and what they are to show."""

    before: Look
    after: Look
    uids: list[int]


def write_looks(cursor: Cursor, mailbox_id: int, changes: Iterable[Change], modseq: int, reader: int | None) -> None:
    """Write what changes, all under this MODSEQ; messages that show alike after it in one statement."""
    marks: defaultdict[tuple[int, str | None], list[int]] = defaultdict(list)
    own: tuple[list[int], list[int]] = ([], [])
    for before, after, uids in changes:
        marks[after.flags, after.keywords] += uids
        if before.own != after.own:
            own[after.own].extend(uids)
    for (flags, keywords), uids in marks.items():
        run_asked(cursor, ranges(sorted(uids)), _MARK, (flags, modseq, keywords, mailbox_id))
    unread, read = map(sorted, own)
    run_asked(cursor, ranges(read), _READ, (reader, mailbox_id))
    run_asked(cursor, ranges(unread), _UNREAD, (reader, mailbox_id, reader, mailbox_id))
