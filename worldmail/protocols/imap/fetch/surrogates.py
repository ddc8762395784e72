"""Headers in ASCII for clients that did not ask for UTF-8, where the site wants it (RFC 6855 §7, §8; RFC 9755 §8, §9).

A plan has `Surrogates` or it has none; that is decided once, when it is made. Everything that a FETCH gives of a
message whose headers are not ASCII is then that of one other message, its surrogate, so that all agrees and pieces of
it can be joined: ENVELOPE and BODYSTRUCTURE, each section, its partials and sizes.

RFC822.SIZE alone is that of the message itself, as RFC 6858 §3 permits. SEARCH, SORT and STATUS count the same octets
(RFC 9051 §6.3.11: STATUS SIZE may not be less than all RFC822.SIZE together), and to know a surrogate's size every
message would have to be read. Which messages were replaced is told in the response code DOWNGRADED (RFC 6858 §3).
"""

from __future__ import annotations

import enum
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from attrs import define, evolve, field

from worldmail.errors import MessageGone
from worldmail.interfaces.derived import Summary
from worldmail.mail.mime.envelope import render_envelope
from worldmail.mail.mime.fields import read_fields
from worldmail.mail.mime.given import Text, header_of
from worldmail.mail.mime.scan import scan
from worldmail.mail.mime.sections import Kind
from worldmail.mail.mime.structure import render_structure
from worldmail.mail.mime.surrogates import (
    Patches,
    header_patch,
    patches_of,
    surrogate_message,
    with_surrogate_header,
)
from worldmail.mail.numbers import ranges_of, render
from worldmail.protocols.imap.fetch import octets
from worldmail.protocols.imap.fetch.batch import Batch, Item
from worldmail.protocols.imap.fetch.items import BODY, BODYSTRUCTURE, ENVELOPE
from worldmail.protocols.imap.fetch.large import beginning
from worldmail.protocols.imap.fetch.sections import Extent
from worldmail.protocols.imap.view.selected import Selected

if TYPE_CHECKING:
    from worldmail.protocols.imap.session import Session

T = TypeVar("T")
Described = tuple[bytes, bytes | None]

KEPT = 4
"""Large messages of which a session knows what makes their headers ASCII."""

MOST_TOLD = 20_000
"""Messages that DOWNGRADED mentions; it does not have to mention all (RFC 6858 §3)."""

_AT_ONCE = 8 * 1024  # octets of messages; what is more is done in a thread
_OF_HEADER = frozenset((Kind.HEADER, Kind.HEADER_FIELDS, Kind.HEADER_FIELDS_NOT))
_NESTED = b'"message" "'


class _Part(enum.Enum):
    """How much of a message has to be looked at."""

    NOTHING = 0
    HEADER = 1
    WHOLE = 2

    def __bool__(self) -> bool:
        return self is not _Part.NOTHING


@define(eq=False)
class Surrogates:
    """Those of one FETCH.

    Args:
        envelopes, structures: these are asked for.
        only_headers: nothing else of their octets is.

    Attributes:
        uids: of the messages that were replaced so far, not more than are told.
    """

    selected: Selected
    envelopes: bool
    structures: bool
    only_headers: bool
    uids: set[int] = field(factory=set, init=False)

    def code(self) -> bytes | None:
        """The response code that tells which were replaced, by UID (RFC 6858 §3)."""
        return b"DOWNGRADED " + render(ranges_of(sorted(self.uids))) if self.uids else None

    async def replace(self, batch: Batch) -> None:
        """Put surrogates in the place of octets; of messages that are not in memory nothing is known here."""
        rows = [row for row, raw in enumerate(batch.raws) if raw is not None and not raw.isascii()]
        if not rows:
            return
        given = [batch.raws[row] for row in rows]
        way = with_surrogate_header if self.only_headers else surrogate_message
        made = await self._work(given, lambda: list(map(way, given)))
        raws = list(batch.raws)
        for row, before, after in zip(rows, given, made, strict=True):
            if after is not before:
                raws[row] = after
                self._note(batch.uids[row])
        batch.raws = raws

    async def describe(self, batch: Batch) -> Batch:
        """The messages with summaries of their surrogates, without those that went meanwhile."""
        parts = list(map(self._differing, batch.summaries))
        rows = [row for row, part in enumerate(parts) if part]
        if not rows:
            return batch
        asked = batch.only(rows)
        asked.ranges = ranges_of(asked.uids)
        wanted = {uid: part for uid, part in zip(batch.uids, parts, strict=True) if part}
        summaries = dict(zip(batch.uids, batch.summaries, strict=True))
        async for part in octets.with_octets(self.selected, asked):
            async for uid, described in self._described(part, wanted):
                summary = summaries[uid]
                del wanted[uid]
                if described is not None and summary is not None:
                    self._note(uid)
                    envelope, structure = described
                    summaries[uid] = evolve(summary, envelope=envelope, structure=structure or summary.structure)
        batch.summaries = list(summaries.values())
        return batch.only([row for row, uid in enumerate(batch.uids) if uid not in wanted]) if wanted else batch

    def _differing(self, summary: Summary | None) -> _Part:
        """What of a message its surrogate has to be made of for what is told of it."""
        if summary is None:
            return _Part.NOTHING
        if self.structures and (not summary.structure.isascii() or _NESTED in summary.structure):
            return _Part.WHOLE
        return _Part.HEADER if self.envelopes and not summary.envelope.isascii() else _Part.NOTHING

    async def _described(
        self, batch: Batch, wanted: Mapping[int, _Part]
    ) -> AsyncIterator[tuple[int, Described | None]]:
        """What is told of each surrogate, by UID; large messages are in memory one at a time, if at all."""
        given = [(uid, raw, wanted[uid]) for uid, raw in zip(batch.uids, batch.raws, strict=True) if raw is not None]
        raws = [raw for _, raw, _ in given]
        made = await self._work(raws, lambda: [_describe(raw, part) for _, raw, part in given])
        for (uid, _, _), described in zip(given, made, strict=True):
            yield uid, described
        for row, uid in enumerate(batch.uids):
            if batch.raws[row] is None:
                data = await self._large(uid, batch.large[row][0], wanted[uid])
                if data is not None:
                    yield uid, await self.selected.aside(partial(_describe, data, wanted[uid]))

    async def _large(self, uid: int, size: int, part: _Part) -> bytes | None:
        """As much as is needed of a message that is not in memory; None if it went meanwhile."""
        messages, mailbox_id = self.selected.messages, self.selected.id
        try:
            if part is _Part.HEADER:
                return await beginning(lambda start, end: messages.read(mailbox_id, uid, start, end - start), size)
            return b"".join([chunk async for chunk in messages.read(mailbox_id, uid)])
        except MessageGone:
            return None

    async def patches(self, uid: int, header: bytes, whole: Callable[[], Awaitable[bytes]]) -> Patches:
        """What makes a surrogate of a large message, as far as has to be known for this FETCH.

        Args:
            header: its own.
            whole: reads it.
        """
        if self.only_headers:
            patch = header_patch(header)
            found: Patches = () if patch is None else (patch,)
        else:
            found = await self._patches(uid, whole)
        if found:
            self._note(uid)
        return found

    async def _patches(self, uid: int, whole: Callable[[], Awaitable[bytes]]) -> Patches:
        """Clients take large messages in many small portions, one FETCH each: it is read for the first of them."""
        kept = self.selected.patches
        found = kept.get(uid)
        if found is None:
            data = await whole()
            found = () if data.isascii() else await self.selected.aside(lambda: patches_of(data, scan(data)))
            while len(kept) >= KEPT:
                del kept[next(iter(kept))]
            kept[uid] = found
        return found

    def _note(self, uid: int) -> None:
        if len(self.uids) < MOST_TOLD:
            self.uids.add(uid)

    async def _work(self, given: Sequence[bytes], work: Callable[[], list[T]]) -> list[T]:
        if sum(map(len, given)) <= _AT_ONCE:
            return work()
        made: list[T] = await self.selected.aside(work)
        return made


def surrogates_for(session: Session, selected: Selected, items: Sequence[Item]) -> Surrogates | None:
    """For a client that enabled neither UTF8=ACCEPT nor IMAP4rev2, where the site wants that; else None."""
    if session.utf8 or not session.settings.utf8_surrogates:
        return None
    only_headers = all(_is_of_header(item.extent) for item in items if item.extent is not None)
    return Surrogates(selected, ENVELOPE in items, BODY in items or BODYSTRUCTURE in items, only_headers)


def headers_as_they_are(session: Session) -> None:
    """The client enabled UTF-8: where parts of surrogates were is of no use any more."""
    if session.selected is not None:
        session.selected.trees.clear()
        session.selected.patches.clear()


def _is_of_header(extent: Extent) -> bool:
    """Is it within the message's own header?"""
    return extent.section is not None and not extent.section.path and extent.section.kind in _OF_HEADER


def _describe(raw: bytes, part: _Part) -> Described | None:
    """ENVELOPE of the message's surrogate, and BODYSTRUCTURE if all of it is asked for; None if it has none."""
    if part is _Part.HEADER:
        header = header_of(raw)
        made = with_surrogate_header(header)
        return None if made is header else (render_envelope(read_fields(made, 0, len(made))), None)
    made = surrogate_message(raw)
    if made is raw:
        return None
    root = Text(made).root
    return render_envelope(root.fields), render_structure(root)
