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
    reader, modseq = rule.change.reader, box.modseq
    after: dict[tuple[int, str | None, int], tuple[Look, Look, int]] = {}
    now: list[Marked] = []
    changes: list[Change] = []
    for uid, flags, keywords, modseq_before, size, own in found:
        key = (flags, keywords, own)
        known = after.get(key)
        if known is None:
            look = Look(flags, keywords, own)
            new = rule(look)
            known = after[key] = (look, new, new.shown(reader))
        before, new, shown = known
        if before == new:
            now.append(Marked(uid, shown, keywords, modseq_before))
            continue
        now.append(Marked(uid, shown, new.keywords, modseq))
        changes.append(Change(uid, before, new))
        if flags != new.flags:
            box.flagged(flags, new.flags, size)
    return now, changes
