"""Which messages of a view a search holds for.

A set of messages is a list of places in the view's suffix, ascending. Every node is asked of the candidates that are
left and gives those of them for which it holds. Flags are asked once of each flag state, not of each message.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from itertools import compress

from attrs import define, field

from worldmail.errors import SearchTooLong
from worldmail.interfaces.derived import ISearchIndex, ISummaries, Needle, Summary
from worldmail.interfaces.messages import IMessages, Stored, Uids
from worldmail.interfaces.world import IClock
from worldmail.mail.numbers import Numbers, ranges_of
from worldmail.mail.text.casemap import fold
from worldmail.protocols.imap.search.nodes import (
    AllOf,
    AnyOf,
    Everything,
    Flagged,
    InRow,
    InSummary,
    InText,
    Keyworded,
    Leaf,
    Modified,
    Node,
    Not,
    Nothing,
    Numbered,
)
from worldmail.protocols.imap.view.view import Slices, View
from worldmail.protocols.imap.work import Work

ROWS = 1000
"""Stored rows that one look brings."""

AT_ONCE = 100_000
"""Messages that are asked a question, before others have their turn: some ten milliseconds."""

MOST_CONTENTS = 100_000
"""Content ids that are remembered of one selected mailbox: some ten megabytes. Of more, none is."""

SUMMARIES = 300
"""Summaries that one look brings."""

ENVELOPES = 128 * 1024
"""Octets of envelopes that are read, before others have their turn: some ten milliseconds."""

_OF_EACH = 100

Places = Sequence[int]

Looked = tuple[int, Stored, Summary | None]


@define(kw_only=True)
class Evaluation:
    """One search in one mailbox, with what was looked up for it.

    Args:
        view: loaded as far back as `first_needed` says.
        limit: seconds that the search may take.
        saved: what "$" stands for (RFC 5182).
        contents: content ids by UID that were looked up before; more are added.
        work: is told how far it is.
    """

    mailbox_id: int
    view: View
    store: IMessages
    derived: ISummaries
    index: ISearchIndex
    clock: IClock
    limit: float
    saved: Uids = ()
    contents: dict[int, int] = field(factory=dict)
    work: Work | None = None
    _rows: dict[int, Stored] = field(factory=dict, init=False)
    _summaries: dict[int, Summary] = field(factory=dict, init=False)
    _asked: int = field(default=0, init=False)
    _ends: float = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._ends = self.clock.seconds() + self.limit

    async def holds(self, node: Node, among: Places) -> Places:
        """Those of `among` for which the node holds."""
        if not among:
            return among
        self._asked += len(among)
        if self._asked >= AT_ONCE:
            await self._let_others_run()
        if isinstance(node, AllOf):
            for part in sorted(node.nodes, key=lambda part: part.cost):
                among = await self.holds(part, among)
            return among
        if isinstance(node, AnyOf):
            return await self._any(node, among)
        if isinstance(node, Not):
            gone = frozenset(await self.holds(node.node, among))
            return [place for place in among if place not in gone]
        return await self._leaf(node, among)

    async def _let_others_run(self) -> None:
        """A program may have many keys, and a mailbox many messages. Raises `SearchTooLong`."""
        self._asked = 0
        self._time_left()
        await self.clock.sleep(0)

    def _time_left(self) -> float:
        left = self._ends - self.clock.seconds()
        if left <= 0:
            raise SearchTooLong
        return left

    def _left(self, count: int) -> None:
        if self.work is not None:
            self.work.left(count)

    async def stored(self, among: Places) -> Mapping[int, Stored]:
        """Their rows by place; without those of messages that are gone."""
        rows = self._rows
        missing = [place for place in among if place not in rows]
        for start in range(0, len(missing), ROWS):
            if start:
                await self._let_others_run()
            rows.update(await self._look_up(missing[start : start + ROWS]))
        return rows

    async def summaries(self, among: Places) -> Mapping[int, Summary]:
        """Their summaries by content id."""
        rows, known = await self.stored(among), self._summaries
        await self._summarise({rows[place].content_id for place in among if place in rows} - known.keys(), known)
        return known

    async def each(self, among: Places, *, summaries: bool) -> AsyncIterator[Sequence[Looked]]:
        """Place, row and summary of these, some at once; without messages that are gone.

        For those who look at very many: none of it is remembered, and they should not keep it either. A full collection
        of garbage would take long to look at all.
        """
        for start in range(0, len(among), ROWS):
            if start:
                await self._let_others_run()
            batch = among[start : start + ROWS]
            rows = await self._look_up(batch)
            wanted = {row.content_id for row in rows.values()} if summaries else set()
            made = dict[int, Summary]()
            await self._summarise(wanted, made, len(among) - start - len(batch))
            yield [(place, row, made.get(row.content_id)) for place, row in rows.items()]

    async def _look_up(self, batch: Places) -> dict[int, Stored]:
        uids = self.view.uids
        found = await self.store.stored(self.mailbox_id, ranges_of(uids[place] for place in batch), limit=ROWS)
        by_uid = {row.uid: row for row in found}
        return {place: by_uid[uids[place]] for place in batch if uids[place] in by_uid}

    async def _summarise(self, content_ids: Collection[int], made: dict[int, Summary], left: int = 0) -> None:
        """Add their summaries to those that are there; `left`: how many are asked for afterwards."""
        wanted = sorted(content_ids)
        for start in range(0, len(wanted), SUMMARIES):
            if start:
                await self._let_others_run()
            self._left(len(wanted) - start + left)
            made.update(await self.derived.summaries(wanted[start : start + SUMMARIES]))

    async def _any(self, node: AnyOf, among: Places) -> Places:
        found: set[int] = set()
        left = among
        for part in sorted(node.nodes, key=lambda part: part.cost):
            found.update(await self.holds(part, left))
            left = [place for place in left if place not in found]
        return sorted(found)

    async def _leaf(self, node: Leaf, among: Places) -> Places:
        if isinstance(node, InRow):
            rows = await self.stored(among)
            return [place for place in among if place in rows and node.holds(rows[place])]
        if isinstance(node, InSummary):
            return await self._in_summary(node, among)
        if isinstance(node, InText):
            return await self._in_text(node, among)
        return self._in_view(node, among)

    def _in_view(self, node: Leaf, among: Places) -> Places:
        view = self.view
        match node:
            case Everything():
                return among
            case Nothing():
                return []
            case Flagged(wanted):
                return self._stated(among, (flags & wanted == wanted for flags in view.flag_states.flags))
            case Keyworded(keyword):
                return self._stated(among, (keyword in (k or "").lower().split() for k in view.flag_states.keywords))
            case Modified(modseq):
                modseqs = view.modseqs
                return [place for place in among if modseqs[place] >= modseq]
            case Numbered(numbers, by_uid):
                return clipped(among, self.slices(numbers, by_uid))
        raise TypeError(f"no leaf of the view: {node!r}")

    def slices(self, numbers: Numbers, by_uid: bool) -> Slices:
        """What a set names. A sequence number that there is not names nothing."""
        view = self.view
        if numbers.saved:
            return view.by_uid(self.saved)
        if by_uid:
            return view.by_uid(numbers.clipped(view.uids[-1] if view.uids else 0))
        return view.by_number(numbers.clipped(view.total))

    def _stated(self, among: Places, holds: Iterable[bool]) -> list[int]:
        """Those whose flag state is one of those for which it holds, in the order of the states' numbers."""
        good = bytes(holds)
        states = self.view.states
        return [place for place in among if good[states[place]]]

    async def _in_summary(self, node: InSummary, among: Places) -> Places:
        rows, known = await self.stored(among), await self.summaries(among)
        found, looked = [], 0
        for place in among:
            row = rows.get(place)
            summary = None if row is None else known.get(row.content_id)
            if row is None or summary is None:
                continue
            if node.holds(row.content_id, summary):
                found.append(place)
            looked += _OF_EACH + len(summary.envelope)
            if looked > ENVELOPES:
                looked = 0
                await self._let_others_run()
        return found

    async def content_ids(self, among: Places) -> Sequence[int | None]:
        """The content id of each; None of those that are gone."""
        known, uids = self.contents, self.view.uids
        named: Sequence[int] = uids if len(among) == len(uids) else [uids[place] for place in among]
        found = [*map(known.get, named)]
        if None in found:
            wanted = ranges_of(uid for uid, content in zip(named, found, strict=True) if content is None)
            known.update(await self.store.contents(self.mailbox_id, wanted))
            found = [*map(known.get, named)]
            if len(known) > MOST_CONTENTS:
                known.clear()
        return found

    async def _in_text(self, node: InText, among: Places) -> Places:
        contents = await self.content_ids(among)
        asked = frozenset(filter(None, contents))
        found = await self.index.holding(node.needle, asked, limit=self._time_left(), left=self._left)
        inside = [*compress(among, map(found.__contains__, contents))]
        if not may_be_in_prefix(node.needle):
            return inside
        others = frozenset(inside)
        more = await self._in_prefix(node.needle, [place for place in among if place not in others])
        return sorted((*inside, *more))

    async def _in_prefix(self, needle: Needle, among: Places) -> Iterable[int]:
        """Those whose fields of this mailbox alone (Return-Path, Delivered-To), which are in no index, hold it."""
        if not among:
            return ()
        uids = self.view.uids
        prefixes = await self.store.prefixes(self.mailbox_id, [(uids[among[0]], uids[among[-1]])])
        held = dict.fromkeys(prefix for _, prefix in prefixes)
        good = {prefix for prefix in held if prefix_holds(prefix, needle)}
        holding = {uid for uid, prefix in prefixes if prefix in good}
        return [place for place in among if uids[place] in holding] if holding else ()


def clipped(among: Places, slices: Slices) -> list[int]:
    """Those of the ascending places that lie in one of the slices, [start, end) each and ascending."""
    found: list[int] = []
    for start, end in slices:
        found += among[bisect_left(among, start) : bisect_left(among, end)]
    return found


def may_be_in_prefix(needle: Needle) -> bool:
    """Can the fields that stand before the content hold it?"""
    return needle.field in _PREFIX_FIELDS if needle.where == "field" else needle.where != "body"


def prefix_holds(prefix: bytes, needle: Needle) -> bool:
    """Do the fields before the content hold it? They are whole lines, in UTF-8 and not encoded."""
    text = fold(needle.text)
    for line in prefix.decode("utf-8", "replace").split("\r\n"):
        name, _, value = line.partition(":")
        if needle.where != "field":
            if line and text in fold(line):
                return True
        elif name.lower() == needle.field and text in fold(value.strip()):
            return True
    return False


_PREFIX_FIELDS = ("return-path", "delivered-to")
