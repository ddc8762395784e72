"""The messages of a selected mailbox as one session knows them: numbers, UIDs, flags."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from worldmail.interfaces.messages import Alike, Marked, There, Uids
from worldmail.protocols.imap.view.rest import Rest
from worldmail.protocols.imap.view.states import RECENT, FlagStates

Slices = Sequence[tuple[int, int]]
"""Messages of a view by their places in its suffix: [start, end), ascending and apart from each other.

All messages of the mailbox between the first and the last UID of a slice are in it, so a slice is also one closed range
of UIDs.
"""

NEVER_RECENT = 1 << 32
"""No UID is as high (RFC 9051 §2.3.1.1: 32 bits)."""

_STATES_KEPT = 4096


class View:
    """What a session was told.

    Args:
        total: EXISTS.
        uidnext: all UIDs below it were told of, if only by number.
        modseq: changes up to this one were told, or are `pending`, or in the `rest`.
        first_recent: from this UID on messages are \\Recent in this session.

    Attributes:
        uids, states, modseqs: the suffix, in the order of the messages; `states` are numbers of `flag_states`.
        pending: UIDs that are gone, which the client was not told yet.
        leaving: the same, ascending.
        rest: changes of flags which the client was not told yet.
        untold: UIDs of messages that were loaded as they are after `told`, which the client has to be told.
        dirty: the mailbox may have changed since `modseq`.
    """

    __slots__ = (
        "dirty",
        "first_recent",
        "flag_states",
        "leaving",
        "modseq",
        "modseqs",
        "pending",
        "rest",
        "states",
        "total",
        "uidnext",
        "uids",
        "untold",
    )

    def __init__(self, *, total: int, uidnext: int, modseq: int, first_recent: int = NEVER_RECENT) -> None:
        self.total = total
        self.uidnext = uidnext
        self.modseq = modseq
        self.first_recent = first_recent
        self.uids = array("I")
        self.states = array("I")
        self.modseqs = array("Q")
        self.flag_states = FlagStates()
        self.pending: set[int] = set()
        self.leaving: list[int] = []
        self.rest: Rest | None = None
        self.untold: set[int] = set()
        self.dirty = False

    @property
    def before(self) -> int:
        """How many messages there are before the suffix."""
        return self.total - len(self.uids)

    @property
    def first_uid(self) -> int:
        """The suffix has all messages from this UID on."""
        return self.uids[0] if self.uids else self.uidnext

    @property
    def told(self) -> int:
        """All changes of flags up to this MODSEQ were told."""
        return self.modseq if self.rest is None else self.rest.since

    # --- finding ---

    def place(self, uid: int) -> int:
        """The place of a UID in the suffix, -1 if it has none."""
        uids = self.uids
        at = bisect_left(uids, uid)
        return at if at < len(uids) and uids[at] == uid else -1

    def places(self, uids: Iterable[int]) -> list[int]:
        """Those places of these UIDs that there are."""
        found = map(self.place, uids)
        return [at for at in found if at >= 0]

    def by_number(self, numbers: Uids) -> Slices:
        """The messages with these sequence numbers. They have to be loaded."""
        before = self.before
        return [(first - 1 - before, last - before) for first, last in numbers]

    def by_uid(self, uids: Uids) -> Slices:
        """The messages with these UIDs. They have to be loaded."""
        known = self.uids
        found = ((bisect_left(known, first), bisect_right(known, last)) for first, last in uids)
        return [(start, end) for start, end in found if start < end]

    def uid_ranges(self, slices: Slices) -> list[tuple[int, int]]:
        """The same messages as closed ranges of UIDs."""
        uids = self.uids
        return [(uids[start], uids[end - 1]) for start, end in slices]

    def there(self, slices: Slices) -> There | None:
        """What is known of these messages; None if some of them are gone, of which the client was not told."""
        if self.pending:
            return None
        pieces = [self.uids[start:end] for start, end in slices]
        return There(modseq=self.modseq, uids=pieces[0] if len(pieces) == 1 else [*chain.from_iterable(pieces)])

    def newer(self, slices: Slices, modseq: int) -> Slices:
        """Those of these messages with a higher MODSEQ."""
        modseqs = self.modseqs
        found = (at for start, end in slices for at in range(start, end) if modseqs[at] > modseq)
        return slices_of(found)

    def state(self, flags: int, keywords: str | None, uid: int) -> int:
        """The number of a message's state in this session."""
        return self.flag_states.number(flags | RECENT if uid >= self.first_recent else flags, keywords)

    # --- loading ---

    def prepend(self, rows: Sequence[Marked], gone: Iterable[int]) -> None:
        """Put messages in front of the suffix: `rows` by UID, and those of `gone`, of which nothing is known any more.

        They are all the messages of the view from the first of them on.
        """
        self.untold.update(row.uid for row in rows if row.modseq > self.told)
        known = {row.uid for row in rows}
        lost = [Marked(uid, 0, None, 0) for uid in gone if uid not in known]
        joined = sorted((*rows, *lost)) if lost else rows
        uids, states, modseqs = self._columns(joined)
        self.uids, self.states, self.modseqs = uids + self.uids, states + self.states, modseqs + self.modseqs

    def append(self, rows: Sequence[Marked], count: int | None = None) -> None:
        """Put new messages behind it: `count`, of which `rows` are the last ones.

        If there are others, the suffix begins with these rows, as does what is \\Recent.
        """
        self.total += len(rows) if count is None else count
        if count is not None and len(rows) < count:
            self.uids, self.states, self.modseqs = self._columns(())
            self.first_recent = max(self.first_recent, rows[0].uid)
        uids, states, modseqs = self._columns(rows)
        self.uids += uids
        self.states += states
        self.modseqs += modseqs

    def _columns(self, rows: Sequence[Marked]) -> tuple[array[int], array[int], array[int]]:
        if not rows:
            return array("I"), array("I"), array("Q")
        uids, flags, keywords, modseqs = zip(*rows, strict=True)
        number, recent = self.flag_states.number, self.first_recent
        if uids[-1] < recent:
            states = map(number, flags, keywords)
        else:
            states = map(self.state, flags, keywords, uids)
        return array("I", uids), array("I", states), array("Q", modseqs)

    # --- changing ---

    def lose(self, gone: Sequence[int]) -> None:
        """These UIDs (ascending) are gone: the client has to be told."""
        if gone:
            self.pending.update(gone)
            self.leaving = sorted(self.pending) if self.leaving else list(gone)

    def take(self, rows: Iterable[Marked], *, newer: bool = False) -> list[int]:
        """Take over the flags of these messages; the places of those that are otherwise than before.

        Args:
            newer: a higher MODSEQ alone is otherwise enough.
        """
        uids, states, modseqs, number = self.uids, self.states, self.modseqs, self.flag_states.number
        recent, size, untold, at = self.first_recent, len(self.uids), self.untold, -1
        otherwise: list[int] = []
        for uid, flags, keywords, modseq in rows:
            at += 1  # mostly they are neighbours
            if at >= size or uids[at] != uid:
                at = bisect_left(uids, uid)
                if at >= size or uids[at] != uid:
                    at -= 1
                    continue
            state = number(flags if uid < recent else flags | RECENT, keywords)
            if states[at] != state:
                states[at] = state
                otherwise.append(at)
            elif (newer and modseq > modseqs[at]) or uid in untold:
                otherwise.append(at)
            modseqs[at] = modseq
        return otherwise

    def know(self, found: Iterable[Alike]) -> None:
        """Take over the flags of messages, many at once if they are alike."""
        uids = self.uids
        for first, last, flags, keywords, modseq in found:
            start, end = bisect_left(uids, first), bisect_right(uids, last)
            recent = min(max(bisect_left(uids, self.first_recent), start), end)
            for low, high, state in ((start, recent, flags), (recent, end, flags | RECENT)):
                if low < high:
                    self.states[low:high] = array("I", [self.flag_states.number(state, keywords)]) * (high - low)
            if modseq:
                self.modseqs[start:end] = array("Q", [modseq]) * (end - start)

    def remove_last(self, count: int) -> None:
        """Take the last so many of those that leave out; those before the suffix only count."""
        gone = self.leaving[len(self.leaving) - count :]
        del self.leaving[len(self.leaving) - count :]
        self.pending.difference_update(gone)
        self.untold.difference_update(gone)
        self.total -= count
        places = self.places(gone)
        if not places:
            return
        cuts = [0, *chain.from_iterable((at, at + 1) for at in places), len(self.uids)]
        self.uids = _kept(self.uids, cuts)
        self.states = _kept(self.states, cuts)
        self.modseqs = _kept(self.modseqs, cuts)
        if len(self.flag_states) > _STATES_KEPT + 2 * len(self.uids):
            self._forget_states()

    def _forget_states(self) -> None:
        """Keep those states only that a message has: keywords come and go."""
        old, new = self.flag_states, FlagStates()
        self.states = array("I", (new.number(old.flags[state], old.keywords[state]) for state in self.states))
        self.flag_states = new


def slices_of(places: Iterable[int]) -> Slices:
    """Places, ascending, as slices."""
    slices: list[tuple[int, int]] = []
    start = end = -1
    for at in places:
        if at != end:
            if end >= 0:
                slices.append((start, end))
            start = at
        end = at + 1
    if end >= 0:
        slices.append((start, end))
    return slices


def _kept(column: array[int], cuts: Sequence[int]) -> array[int]:
    """The parts of a column between cuts[0] and cuts[1], cuts[2] and cuts[3] and so on."""
    kept = array(column.typecode)
    for start, end in _pairs(cuts):
        kept += column[start:end]
    return kept


def _pairs(cuts: Sequence[int]) -> Iterator[tuple[int, int]]:
    return zip(cuts[::2], cuts[1::2], strict=True)
