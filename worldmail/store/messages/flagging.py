"""STORE: the unit that changes flags."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen

from worldmail.interfaces.database import Cursor
from worldmail.interfaces.messages import FlagChange, FlagsChanged, Marked, Uids
from worldmail.store.messages.box import Box, lock
from worldmail.store.messages.keywords import joined, spelled
from worldmail.store.messages.states import Change, Look, State, states, write_looks


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


def change_flags(cursor: Cursor, mailbox_id: int, uids: Uids, change: FlagChange) -> FlagsChanged:
    """Raises `NoSuchMailbox`, `LimitReached`."""
    box = lock(cursor, mailbox_id)
    found = states(cursor, mailbox_id, uids, change.reader)
    modified: list[int] = []
    if change.unchanged_since is not None:
        modified = [state.uid for state in found if state.modseq > change.unchanged_since]
        found = [state for state in found if state.modseq <= change.unchanged_since]
    keywords = change.keywords if change.keywords_allowed and found else ()
    known = spelled(cursor, mailbox_id, keywords, add=change.how != "remove")
    now, changes = _apply(box, found, _Rule(change, frozenset(known)))
    if changes:
        write_looks(cursor, mailbox_id, changes, box.modseq, change.reader)
        box.keep(cursor)
    return FlagsChanged(modseq=box.modseq if changes else box.highest, previous=box.highest, now=now, modified=modified)


def _apply(box: Box, found: Sequence[State], rule: _Rule) -> tuple[list[Marked], list[Change]]:
    """The messages as they are then, and those that change."""
    modseq = box.modseq
    known: dict[tuple[int, str | None, int], tuple[Change, int, bool]] = {}
    now: list[Marked] = []
    for uid, flags, keywords, modseq_before, size, own in found:
        to = known.get((flags, keywords, own))
        if to is None:
            to = known[flags, keywords, own] = _change(rule, Look(flags, keywords, own))
        (_, after, uids), shows, changes = to
        if changes:
            now.append(Marked(uid, shows, after.keywords, modseq))
            uids.append(uid)
            box.flagged(flags, after.flags, size)
        else:
            now.append(Marked(uid, shows, keywords, modseq_before))
    return now, [change for change, _, changes in known.values() if changes]


def _change(rule: _Rule, before: Look) -> tuple[Change, int, bool]:
    """What becomes of messages with this look, the flags that they show then, and whether that is another look."""
    after = rule(before)
    return Change(before, after, []), after.shown(rule.change.reader), before != after
