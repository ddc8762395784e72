"""STORE: the unit that changes flags."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import define, field, frozen

from worldmail.interfaces.database import Cursor
from worldmail.interfaces.messages import Alike, Flag, FlagChange, FlagsChanged, There, Uids
from worldmail.store.messages.asked import all_asked, clipped, united
from worldmail.store.messages.box import Box, lock
from worldmail.store.messages.found import Found
from worldmail.store.messages.keywords import joined, spelled
from worldmail.store.messages.looking import last_arrived
from worldmail.store.messages.looks import Look, with_own, write_own
from worldmail.store.messages.marks import marks_over, pieces, write_marks

_UIDS = "SELECT m.uid FROM asked CROSS JOIN message m WHERE m.mailbox_id = ? AND m.uid BETWEEN asked.low AND asked.high"


@frozen
class _Rule:
    """What a change makes of a look.

    Args:
        keywords: in the mailbox's spelling.
    """

    change: FlagChange
    keywords: frozenset[str]

    def __call__(self, look: Look) -> Look:
        change = self.change
        flags, asked = look.shown(change.reader), int(change.flags) & int(change.allowed)
        if change.how == "add":
            flags |= asked
        elif change.how == "remove":
            flags &= ~asked
        else:
            flags = flags & ~int(change.allowed) | asked
        return look.showing(flags, self._keywords(look.keywords), change.reader)

    def _keywords(self, before: str | None) -> str | None:
        if not self.change.keywords_allowed:
            return before
        had = set(before.split(" ")) if before else set()
        if self.change.how == "add":
            return joined(had | self.keywords)
        return joined(had - self.keywords if self.change.how == "remove" else self.keywords)


@define
class _Changes:
    """What a rule makes of messages: all as they are now, the rows to write, what the reader has seen and what not."""

    now: list[Alike] = field(factory=list)
    written: list[Alike] = field(factory=list)
    read: list[tuple[int, int]] = field(factory=list)
    unread: list[tuple[int, int]] = field(factory=list)


def change_flags(
    cursor: Cursor, mailbox_id: int, uids: Uids, change: FlagChange, there: There | None = None
) -> FlagsChanged:
    """Raises `NoSuchMailbox`, `LimitReached`."""
    box = lock(cursor, mailbox_id)
    uids = clipped(uids, box.uidnext)
    return _change(cursor, box, uids, change, there, marks_over(cursor, mailbox_id, uids))


def change_few(
    cursor: Cursor, mailbox_id: int, uids: Uids, change: FlagChange, there: There, most: int
) -> FlagsChanged | None:
    """The same, if that takes no more rows than so many, however many messages it is about; else None."""
    box = lock(cursor, mailbox_id)
    if not _is_known(there, box, change):
        return None
    uids = clipped(uids, box.uidnext)
    marks = marks_over(cursor, mailbox_id, uids, most)
    return _change(cursor, box, uids, change, there, marks) if len(marks) <= most else None


def _change(
    cursor: Cursor, box: Box, uids: Uids, change: FlagChange, known: There | None, marks: Sequence[Alike]
) -> FlagsChanged:
    mailbox_id, found = box.id, [*pieces(marks, uids)]
    modified: list[int] = []
    if _is_divided(box, change):
        found, failed = _divided(cursor, mailbox_id, found, change.unchanged_since or 0)
        modified = [uid for (uid,) in all_asked(cursor, failed, _UIDS, (mailbox_id,))]
    if known is not None and _is_known(known, box, change):
        there = Found.known(known.uids)
    else:
        there = Found.among(cursor, mailbox_id, united((alike.first, alike.last) for alike in found))
    keywords = change.keywords if change.keywords_allowed and there.uids else ()
    spelling = spelled(cursor, mailbox_id, keywords, add=change.how != "remove")
    parts = with_own(cursor, mailbox_id, found, change.reader)
    changes = _apply(box, there, parts, _Rule(change, frozenset(spelling)))
    if changes.written:
        write_marks(cursor, mailbox_id, changes.written, marks)
        write_own(cursor, mailbox_id, change.reader, changes.read, changes.unread)
        box.keep(cursor)
    return FlagsChanged(
        modseq=box.modseq if changes.written else box.highest,
        previous=box.highest,
        uids=there.uids,
        now=changes.now,
        modified=modified,
    )


def _is_divided(box: Box, change: FlagChange) -> bool:
    """May some of them fail UNCHANGEDSINCE?"""
    return change.unchanged_since is not None and change.unchanged_since < box.highest


def _is_known(there: There, box: Box, change: FlagChange) -> bool:
    """Is it what is there now, and is that enough?"""
    return there.modseq == box.highest and not counts_octets(change) and not _is_divided(box, change)


def counts_octets(change: FlagChange) -> bool:
    """Are the sizes of the messages needed? Those of what is marked as deleted are added up."""
    touched = change.allowed if change.how == "replace" else change.flags & change.allowed
    return bool(touched & Flag.DELETED)


def _divided(
    cursor: Cursor, mailbox_id: int, found: Sequence[Alike], limit: int
) -> tuple[list[Alike], list[tuple[int, int]]]:
    """Those with a MODSEQ up to a limit, and the UIDs of the others. MODSEQs of arrivals grow with the UID."""
    older = last_arrived(cursor, mailbox_id, limit, [(alike.first, alike.last) for alike in found])
    left: list[Alike] = []
    failed: list[tuple[int, int]] = []
    for alike in found:
        end = alike.first - 1 if alike.modseq > limit else alike.last if alike.modseq else min(alike.last, older)
        if end >= alike.first:
            left.append(alike._replace(last=end))
        if end < alike.last:
            failed.append((max(end + 1, alike.first), alike.last))
    return left, failed


def _apply(box: Box, there: Found, parts: Sequence[tuple[Alike, int]], rule: _Rule) -> _Changes:
    """Count the changes, too."""
    reader, octets, modseq = rule.change.reader, there.octets, box.modseq
    known: dict[tuple[int, str | None, int], tuple[Look, int]] = {}
    made = _Changes()
    latest, reach = Look(0, None, 0), -1  # the last row is for this look, and no other message is up to this UID
    for (first, last, flags, keywords, modseq_before), own, start, end in there.places(parts):
        goes_on, reach = reach + 1 == first, last
        if start == end:
            reach = last if goes_on else -1
            continue
        if not modseq_before:  # no row was about them
            first, last = there.uids[start], there.uids[end - 1]
        before = (flags, keywords, own)
        to = known.get(before)
        if to is None:
            after = rule(Look(*before))
            to = known[before] = after, after.shown(reader)
        after, shows = to
        if after == before:
            made.now.append(Alike(first, last, shows, keywords, modseq_before))
            reach = -1
            continue
        made.now.append(Alike(first, last, shows, after.keywords, modseq))
        box.flagged(flags, after.flags, end - start, octets[end] - octets[start])
        if own != after.own:
            (made.read if after.own else made.unread).append((first, last))
        if goes_on and after[:2] == latest[:2]:
            first = made.written.pop().first
        made.written.append(Alike(first, last, after.flags, after.keywords, modseq))
        latest = after
    return made
