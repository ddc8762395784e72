"""COPY and MOVE: the unit that puts messages into another mailbox."""

from __future__ import annotations

from collections.abc import Sequence

from worldmail.interfaces.database import Cursor
from worldmail.interfaces.messages import Copied, FlagChange, Uids
from worldmail.store.messages.asked import AT_ONCE, ranges, run_asked
from worldmail.store.messages.box import Box, keep_all, lock_two
from worldmail.store.messages.keywords import translation
from worldmail.store.messages.removing import take
from worldmail.store.messages.states import Change, Look, State, states, write_looks

ALL = FlagChange(how="replace")
"""Every flag, for the owner of both mailboxes."""

_BARE = Look(0, None, 0)
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
    found = states(cursor, mailbox_id, uids, source.reader(flags.reader))
    first = target.uidnext
    _insert(cursor, source, target, ranges(state.uid for state in found), now)
    _mark(cursor, source, target, found, flags)
    if found and move:
        take(cursor, source, ranges(state.uid for state in found), now, orphan=False)
    if found:
        target.uidnext += len(found)
        keep_all(cursor, *(source, target) if move else (target,))
    last = first + len(found) - 1
    return Copied(
        uidvalidity=target.uidvalidity,
        source=ranges(state.uid for state in found),
        target=[(first, last)] if found else [],
    )


def _insert(cursor: Cursor, source: Box, target: Box, uids: Uids, now: int) -> None:
    """The rows, with consecutive UIDs in the order of those they have."""
    before = target.uidnext - 1
    for start in range(0, len(uids), AT_ONCE):  # each statement counts its rows
        part = uids[start : start + AT_ONCE]
        before += run_asked(cursor, part, _COPY, (target.id, before, target.modseq, now, source.id))


def _mark(cursor: Cursor, source: Box, target: Box, found: Sequence[State], flags: FlagChange) -> None:
    """Flags and keywords of the copies, as far as they may be set."""
    reader = target.reader(flags.reader)
    kept = {state.keywords for state in found} if flags.keywords_allowed else ()
    translate = translation(cursor, target.id, kept)
    shows_own = source.reader(flags.reader)
    known: dict[tuple[int, str | None, int], Change] = {}
    for uid, (_, bits, keywords, _, size, own) in enumerate(found, target.uidnext):
        change = known.get((bits, keywords, own))
        if change is None:
            shown = Look(bits, keywords, own).shown(shows_own) & int(flags.allowed)
            words = translate(keywords) if flags.keywords_allowed else None
            change = known[bits, keywords, own] = Change(_BARE, _BARE.showing(shown, words, reader), [])
        target.came(size, change.after.flags)
        change.uids.append(uid)
    changes = [change for change in known.values() if change.after != _BARE]
    write_looks(cursor, target.id, changes, target.modseq, reader)
