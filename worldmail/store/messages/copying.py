"""COPY and MOVE: the unit that puts messages into another mailbox."""

from __future__ import annotations

from worldmail.interfaces.database import Cursor
from worldmail.interfaces.messages import Alike, Copied, FlagChange, Uids
from worldmail.store.messages.asked import AT_ONCE, run_asked
from worldmail.store.messages.box import Box, keep_all, lock_two
from worldmail.store.messages.found import Found
from worldmail.store.messages.keywords import translation
from worldmail.store.messages.looks import BARE, Look, with_own, write_own
from worldmail.store.messages.marks import add_mark, marks_over, pieces, write_marks
from worldmail.store.messages.removing import take

ALL = FlagChange(how="replace")
"""Every flag, for the owner of both mailboxes."""

_COPY = (
    "INSERT INTO message (mailbox_id, uid, content_id, arrived, size, received, saved, acceptance, prefix)"
    " SELECT ?, ? + row_number() OVER (ORDER BY m.uid), m.content_id, ?, m.size, m.received, ?, m.acceptance, m.prefix"
    " FROM asked CROSS JOIN message m WHERE m.mailbox_id = ? AND m.uid BETWEEN asked.low AND asked.high"
)


def copy(
    cursor: Cursor, mailbox_id: int, uids: Uids, target_id: int, flags: FlagChange, now: int, *, move: bool
) -> Copied:
    """Copy with flags, keywords, received; save date is now. Then, to `move`, remove them where they were.

    Raises `NoSuchMailbox`, `OverQuota`, `LimitReached`.
    """
    source, target = lock_two(cursor, mailbox_id, target_id)
    found = Found.among(cursor, mailbox_id, uids)
    first, those = target.uidnext, found.ranges()
    _insert(cursor, source, target, those, now)
    target.came(len(found.uids), found.octets[-1])
    _mark(cursor, source, target, found, uids, flags)
    if found.uids and move:
        take(cursor, source, those, now, orphan=False)
    if found.uids:
        target.uidnext += len(found.uids)
        keep_all(cursor, *(source, target) if move else (target,))
    return Copied(
        uidvalidity=target.uidvalidity, source=those, target=[(first, target.uidnext - 1)] if found.uids else []
    )


def _insert(cursor: Cursor, source: Box, target: Box, uids: Uids, now: int) -> None:
    """The rows, with consecutive UIDs in the order of those they have."""
    before = target.uidnext - 1
    for start in range(0, len(uids), AT_ONCE):  # each statement counts its rows
        part = uids[start : start + AT_ONCE]
        before += run_asked(cursor, part, _COPY, (target.id, before, target.modseq, now, source.id))


def _mark(cursor: Cursor, source: Box, target: Box, found: Found, uids: Uids, flags: FlagChange) -> None:
    """Flags and keywords of the copies, as far as they may be set."""
    reader, shows_own = target.reader(flags.reader), source.reader(flags.reader)
    parts = with_own(cursor, source.id, pieces(marks_over(cursor, source.id, uids), uids), shows_own)
    kept = {alike.keywords for alike, _ in parts} if flags.keywords_allowed else ()
    translate = translation(cursor, target.id, kept)
    marks: list[Alike] = []
    read: list[tuple[int, int]] = []
    known: dict[Look, Look] = {}
    for (_, _, bits, keywords, _), own, start, end in found.places(parts):
        before = Look(bits, keywords, own)
        look = known.get(before)
        if look is None:
            shown = before.shown(shows_own) & int(flags.allowed)
            words = translate(keywords) if flags.keywords_allowed else None
            look = known[before] = BARE.showing(shown, words, reader)
        first, last = target.uidnext + start, target.uidnext + end - 1
        if start < end and look != BARE:
            target.flagged(0, look.flags, end - start, found.octets[end] - found.octets[start])
            if look.own:
                read.append((first, last))
            add_mark(marks, Alike(first, last, look.flags, look.keywords, target.modseq))
    write_marks(cursor, target.id, marks)
    write_own(cursor, target.id, reader, read)
