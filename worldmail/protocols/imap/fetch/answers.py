"""The answers to a FETCH, batch by batch."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from itertools import chain
from operator import attrgetter
from typing import Any

from attrs import define, field

from worldmail.errors import Refusal, TemporaryFailure
from worldmail.interfaces.derived import ISummaries
from worldmail.interfaces.messages import Flag, FlagChange
from worldmail.mail.numbers import ranges_of
from worldmail.protocols.imap.afterwards import refused
from worldmail.protocols.imap.fetch import octets
from worldmail.protocols.imap.fetch.batch import NAMED, Batch, Need
from worldmail.protocols.imap.fetch.plan import Plan
from worldmail.protocols.imap.replies import No
from worldmail.protocols.imap.view import untagged
from worldmail.protocols.imap.view.selected import Selected
from worldmail.protocols.imap.view.untagged import Style
from worldmail.protocols.imap.view.view import Slices
from worldmail.protocols.imap.work import Work
from worldmail.wire.effects import Effects, Stream

BATCH_OCTETS = 256 * 1024
"""What a batch should come to."""

MOST_MESSAGES = 1024
FIRST_MESSAGES = 256
FIRST_WITH_OCTETS = 16

_content_id = attrgetter("content_id")


class Gone(No):
    """Messages were expunged meanwhile, which the client was not told yet (RFC 9051 §7.1, RFC 2180 §4.1)."""

    def __init__(self, response: bytes = b"EXPUNGEISSUED") -> None:
        super().__init__("Some of the messages are gone", response)


@define(eq=False)
class Answers:
    """Answers one FETCH.

    Args:
        slices: which messages; they are loaded.
        lenient: messages that are gone are no error (RFC 9051 §6.4.9: of a UID command).
        limit: what is told if there were more messages than one command works on; these are answered for from the
            last one down then (RFC 9738 §3.1).
        work: is told how far it is.
    """

    selected: Selected
    summaries: ISummaries
    plan: Plan
    slices: Slices
    lenient: bool
    limit: bytes | None = None
    work: Work | None = None
    _missing: bool = field(default=False, init=False)
    _unreadable: bool = field(default=False, init=False)
    _untold: Sequence[int] = field(default=(), init=False)

    @property
    def count(self) -> int:
        """How many messages there are to answer for."""
        return sum(end - start for start, end in self.slices)

    async def effects(self) -> Effects:
        """All of it at once where it is little, else as it is taken."""
        if self.count > FIRST_MESSAGES or Need.OCTETS in self.plan.need:
            if self.work is not None:
                self.work.streams = True
                self.work.expect(self.count)
            return (Stream(self.chunks()),)
        answer = b"".join([chunk async for chunk in self._all()])
        refusal = self._refusal()
        return (answer,) if refusal is None else refused(answer + (self.limit or b""), refusal)

    async def chunks(self) -> AsyncIterator[bytes]:
        """All of it, as it is taken.

        Raises: a `Refusal` at the end, if not all could be answered.
        """
        async for chunk in self._all():
            yield chunk
        refusal = self._refusal()
        if refusal is not None:
            if self.limit is not None:
                yield self.limit
            raise refusal

    def _refusal(self) -> Refusal | None:
        if self._unreadable:
            return TemporaryFailure("Some of the messages cannot be read now")
        return Gone() if self._missing and not self.lenient else None

    async def _all(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._batches():
                yield chunk
        except Refusal:  # what was set is told, though the octets cannot be given: the view has learnt it
            view, style = self.selected.view, Style(modseq=self.plan.tells_modseq, uid_only=self.plan.uid_only)
            yield b"".join(untagged.flags(view, view.places(self._untold), style))
            raise

    async def _batches(self) -> AsyncIterator[bytes]:
        plan = self.plan
        most, size = FIRST_MESSAGES, BATCH_OCTETS
        if Need.OCTETS in plan.need:
            most, size = max(1, FIRST_WITH_OCTETS // plan.copies), octets.AT_ONCE
        downwards = self.limit is not None
        waiting = list(self.slices) if downwards else list(reversed(self.slices))
        while waiting:
            batch = await self._batch(take_last(waiting, most) if downwards else _take(waiting, most))
            taken = 0
            async for part in self._parts(batch):
                sent = 0
                async for chunk in self._answer(part):
                    sent += len(chunk)
                    yield chunk
                taken += max(sent, octets.held(part))
            self._untold = ()
            if self.work is not None:
                self.work.done += len(batch)
            if taken:
                most = max(1, min(MOST_MESSAGES, 4 * most, len(batch) * size // taken))

    async def _parts(self, batch: Batch) -> AsyncIterator[Batch]:
        """The batch, in parts where octets have to be read; in the order in which it is answered for."""
        if Need.OCTETS not in self.plan.need:
            yield batch if self.limit is None else _downwards(batch)
            return
        later: list[Batch] = []
        found = 0
        async for part in octets.with_octets(self.selected, batch):
            found += len(part)
            if self.plan.surrogates is not None:
                await self.plan.surrogates.replace(part)
            if self.limit is None:
                yield part
            else:
                later.append(part)
        self._missing = self._missing or found < len(batch)
        for part in reversed(later):
            yield _downwards(part)

    async def _answer(self, batch: Batch) -> AsyncIterator[bytes]:
        if Need.OCTETS in self.plan.need:
            async for chunk in octets.answers(self.plan, batch, self.selected, self._amid, self._gone):
                yield chunk
        elif len(batch):
            yield self.plan.render(batch)

    def _gone(self) -> None:
        self._missing = True

    def _amid(self, amid: bool) -> None:
        if self.work is not None:
            self.work.amid = amid

    # --- gathering ---

    async def _batch(self, slices: Slices) -> Batch:
        """These messages, as far as they are still there, with all that the plan needs."""
        batch = self._known(slices)
        if self.selected.view.pending:
            batch = self._kept(batch, set(batch.uids) - self.selected.view.pending)
        if self.plan.sees:
            batch = await self._see(batch)
        need = self.plan.need
        if need and len(batch):
            if need & NAMED:
                batch = await (self._with_stored(batch) if Need.STORED in need else self._with_contents(batch))
            if need & (Need.SUMMARY | Need.PREVIEW):
                batch = await self._with_summaries(batch)
            if self.plan.surrogates is not None and Need.SUMMARY in need:
                there = len(batch)
                batch = await self.plan.surrogates.describe(batch)
                self._missing = self._missing or len(batch) < there
        return batch

    def _known(self, slices: Slices) -> Batch:
        view = self.selected.view
        if len(slices) == 1:
            start, end = slices[0]
            places: Sequence[int] = range(start, end)
            numbers: Sequence[int] = range(view.before + start + 1, view.before + end + 1)
            columns: list[Sequence[int]] = [view.uids[start:end], view.states[start:end], view.modseqs[start:end]]
        else:
            places = list(chain.from_iterable(range(start, end) for start, end in slices))
            columns = [_picked(column, places) for column in (view.uids, view.states, view.modseqs)]
            numbers = list(map((view.before + 1).__add__, places))
        uids, states, modseqs = columns
        if self.plan.uid_only:
            numbers = uids
        return Batch(numbers, places, uids, states, modseqs, view.uid_ranges(slices), view.flag_states)

    def _kept(self, batch: Batch, there: Any) -> Batch:
        """Without the messages that are gone."""
        if len(there) >= len(batch):
            return batch
        self._missing = True
        return batch.only([at for at, uid in enumerate(batch.uids) if uid in there])

    async def _with_stored(self, batch: Batch) -> Batch:
        selected = self.selected
        rows = await selected.messages.stored(selected.id, batch.ranges, limit=len(batch))
        batch = self._kept(batch, {row.uid for row in rows} if len(rows) < len(batch) else rows)
        batch.stored = rows
        batch.content_ids = list(map(_content_id, rows))
        return batch

    async def _with_contents(self, batch: Batch) -> Batch:
        """The same where nothing else of what is stored is asked for."""
        rows = await self.selected.messages.contents(self.selected.id, batch.ranges)
        batch = self._kept(batch, {uid for uid, _ in rows} if len(rows) < len(batch) else rows)
        batch.content_ids = [content_id for _, content_id in rows]
        return batch

    async def _with_summaries(self, batch: Batch) -> Batch:
        content_ids = batch.content_ids
        if Need.SUMMARY not in self.plan.need:
            batch.summaries = list(map(self.summaries.kept, content_ids))
            return batch
        made = await self.summaries.summaries(content_ids)
        batch.summaries = list(map(made.get, content_ids))
        if all(batch.summaries):
            return batch
        self._unreadable = True
        return batch.only([at for at, summary in enumerate(batch.summaries) if summary is not None])

    async def _see(self, batch: Batch) -> Batch:
        """Set \\Seen where it is not, before the octets go out (RFC 9051 §6.4.5)."""
        flags = batch.flag_states.flags
        unseen = [uid for uid, state in zip(batch.uids, batch.states, strict=True) if not flags[state] & Flag.SEEN]
        if not unseen:
            return batch
        selected = self.selected
        seen = Flag.SEEN.value
        change = FlagChange(how="add", flags=seen, allowed=seen, keywords_allowed=False, reader=selected.reader)
        done = await selected.messages.change_flags(selected.id, ranges_of(unseen), change)
        selected.learn(done)
        self._untold = done.uids
        view = selected.view
        batch.states, batch.modseqs = _picked(view.states, batch.places), _picked(view.modseqs, batch.places)
        batch.changed = frozenset(done.uids)
        return batch


def _downwards(batch: Batch) -> Batch:
    return batch.only(range(len(batch) - 1, -1, -1))


def _picked(column: Sequence[int], places: Iterable[int]) -> list[int]:
    return list(map(column.__getitem__, places))


def _take(waiting: list[tuple[int, int]], most: int) -> list[tuple[int, int]]:
    """The next messages off a list of slices, whose last one comes first."""
    taken: list[tuple[int, int]] = []
    while waiting and most:
        start, end = waiting.pop()
        if end - start > most:
            waiting.append((start + most, end))
            end = start + most
        taken.append((start, end))
        most -= end - start
    return taken


def take_last(waiting: list[tuple[int, int]], most: int) -> list[tuple[int, int]]:
    """The last messages off a list of slices."""
    taken: list[tuple[int, int]] = []
    while waiting and most:
        start, end = waiting.pop()
        if end - start > most:
            waiting.append((start, end - most))
            start = end - most
        taken.append((start, end))
        most -= end - start
    return taken[::-1]
