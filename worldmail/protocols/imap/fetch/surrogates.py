"""Headers in ASCII for clients that did not ask for UTF-8, where the site wants it (RFC 6855 §7, §8; RFC 9755 §8, §9).

A plan has `Surrogates` or it has none; that is decided once, when it is made. Everything that a FETCH gives of a
message whose headers are not ASCII is then that of one other message, its surrogate, so that all agrees and pieces of
it can be joined: ENVELOPE and BODYSTRUCTURE, each section, its partials and sizes.

RFC822.SIZE alone is that of the message itself, as RFC 6858 §3 permits. SEARCH, SORT and STATUS count the same octets
(RFC 9051 §6.3.11: STATUS SIZE may not be less than all RFC822.SIZE together), and to know a surrogate's size every
message would have to be read. Which messages were replaced is told in the response code DOWNGRADED (RFC 6858 §3).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from attrs import define, evolve, field

from worldmail.errors import MessageGone
from worldmail.interfaces.derived import Summary
from worldmail.mail.mime.envelope import render_envelope
from worldmail.mail.mime.given import Text
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
from worldmail.protocols.imap.fetch.sections import Extent
from worldmail.protocols.imap.view.selected import Selected

if TYPE_CHECKING:
    from worldmail.protocols.imap.session import Session

T = TypeVar("T")

KEPT = 4
"""Large messages of which a session knows what makes their headers ASCII."""

MOST_TOLD = 20_000
"""Messages that DOWNGRADED mentions; it does not have to mention all (RFC 6858 §3)."""

_AT_ONCE = 8 * 1024  # octets of messages; what is more is done in a thread
_OF_HEADER = frozenset((Kind.HEADER, Kind.HEADER_FIELDS, Kind.HEADER_FIELDS_NOT))
_NESTED = b'"message" "'


@define(eq=False)
class Surrogates:
    """Those of one FETCH.

    Args:
        describes: what is asked for is in summaries.
        only_headers: of their octets, nothing but their own headers.

    Attributes:
        uids: of the messages that were replaced so far, not more than are told.
    """

    selected: Selected
    describes: bool
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
        rows = [row for row, summary in enumerate(batch.summaries) if summary and _may_differ(summary)]
        if not rows or not self.describes:
            return batch
        asked = batch.only(rows)
        asked.ranges = ranges_of(asked.uids)
        summaries = dict(zip(batch.uids, batch.summaries, strict=True))
        left = set(asked.uids)
        async for part in octets.with_octets(self.selected, asked):
            for uid, summary in await self._described(part):
                summaries[uid] = summary
                left.discard(uid)
        batch.summaries = list(summaries.values())
        return batch.only([row for row, uid in enumerate(batch.uids) if uid not in left]) if left else batch

    async def _described(self, batch: Batch) -> list[tuple[int, Summary | None]]:
        raws = list(batch.raws)
        for row, raw in enumerate(raws):
            if raw is None:
                with suppress(MessageGone):
                    chunks = self.selected.messages.read(self.selected.id, batch.uids[row])
                    raws[row] = b"".join([chunk async for chunk in chunks])
        there = [row for row, raw in enumerate(raws) if raw is not None]
        given = [raws[row] for row in there]
        made = await self._work(given, lambda: list(map(_described, given)))
        found: list[tuple[int, Summary | None]] = []
        for row, parts in zip(there, made, strict=True):
            uid, summary = batch.uids[row], batch.summaries[row]
            if parts is not None and summary is not None:
                self._note(uid)
                summary = evolve(summary, envelope=parts[0], structure=parts[1])
            found.append((uid, summary))
        return found

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
    describes = any(item in items for item in (ENVELOPE, BODY, BODYSTRUCTURE))
    only_headers = all(_is_of_header(item.extent) for item in items if item.extent is not None)
    return Surrogates(selected, describes, only_headers)


def headers_as_they_are(session: Session) -> None:
    """The client enabled UTF-8: where parts of surrogates were is of no use any more."""
    if session.selected is not None:
        session.selected.trees.clear()
        session.selected.patches.clear()


def _is_of_header(extent: Extent) -> bool:
    """Is it within the message's own header?"""
    return extent.section is not None and not extent.section.path and extent.section.kind in _OF_HEADER


def _may_differ(summary: Summary) -> bool:
    """A string in it is not ASCII; or the size of a message in the message may be another one."""
    return not (summary.envelope.isascii() and summary.structure.isascii()) or _NESTED in summary.structure


def _described(raw: bytes) -> tuple[bytes, bytes] | None:
    """ENVELOPE and BODYSTRUCTURE of the message's surrogate; None if it has none."""
    made = surrogate_message(raw)
    if made is raw:
        return None
    root = Text(made).root
    return render_envelope(root.fields), render_structure(root)
