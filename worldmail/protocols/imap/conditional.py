"""STORE with UNCHANGEDSINCE: what became of other flags of a message is no reason to refuse (RFC 7162 §3.1.3, §3.1.12).

A message has one MODSEQ for all of its flags. If that is too high, the flags which the client named may be as they were
all the same: the view knows what it was told of them, and the store what they are. Where both agree, the change is
tried again, against the MODSEQ that the message was seen with.
"""

from __future__ import annotations

from collections.abc import Iterable

from attrs import evolve

from worldmail.interfaces.messages import FlagChange, FlagsChanged
from worldmail.mail.numbers import ranges_of
from worldmail.protocols.imap.view.selected import Selected
from worldmail.protocols.imap.view.view import Slices, View

_Named = tuple[int, frozenset[str]]


async def change_flags(selected: Selected, slices: Slices, change: FlagChange) -> FlagsChanged:
    """Change them, and learn what became of it."""
    view = selected.view
    done = await selected.messages.change_flags(selected.id, view.uid_ranges(slices), change, view.there(slices))
    selected.learn(done)
    known = _known(view, done.modified, change)
    return done if not known else await _again(selected, change, done, known)


def _known(view: View, modified: Iterable[int], change: FlagChange) -> dict[int, _Named]:
    """What the client knew of the flags that it names, of those messages of which it had not missed anything then."""
    since = change.unchanged_since
    if since is None or change.how == "replace":
        return {}
    flags, keywords = view.flag_states.flags, view.flag_states.keywords
    places = [at for at in view.places(modified) if view.modseqs[at] <= since]
    states = {view.uids[at]: view.states[at] for at in places}
    return {uid: _named(flags[state], keywords[state], change) for uid, state in states.items()}


async def _again(selected: Selected, change: FlagChange, done: FlagsChanged, known: dict[int, _Named]) -> FlagsChanged:
    """Once: whoever changes them now, too, is heard of as of any other change."""
    rows = await selected.messages.since(
        selected.id, modseq=change.unchanged_since or 0, uids=ranges_of(known), reader=selected.reader
    )
    same = {row.uid: row.modseq for row in rows if _named(row.flags, row.keywords, change) == known[row.uid]}
    if not same:
        return done
    # Whoever changes one of them from now on gives it a higher MODSEQ than any of these.
    change = evolve(change, unchanged_since=max(same.values()))
    more = await selected.messages.change_flags(selected.id, ranges_of(same), change)
    selected.learn(more)
    return evolve(
        done,
        modseq=more.modseq,
        uids=sorted((*done.uids, *more.uids)),
        now=[*done.now, *more.now],
        modified=sorted((*(uid for uid in done.modified if uid not in same), *more.modified)),
    )


def _named(flags: int, keywords: str | None, change: FlagChange) -> _Named:
    """The state of those flags that a change names."""
    wanted = {name.lower() for name in change.keywords}
    return flags & int(change.flags), frozenset(wanted.intersection((keywords or "").lower().split(" ")))
