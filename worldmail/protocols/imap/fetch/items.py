"""What FETCH can give of a message, apart from its octets: a row each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any

from attrs import frozen

from worldmail.interfaces.messages import Stored
from worldmail.mail.objectids import email_id, thread_id
from worldmail.protocols.imap.fetch.batch import Batch, Columns, Item, Need
from worldmail.protocols.imap.fetch.body import as_in_rfc_3501, without_extensions
from worldmail.protocols.imap.fetch.moments import date_time
from worldmail.protocols.imap.replies import quoted_or_literal


@frozen
class FetchItem:
    """A name that may be asked for, and what it gives. Items with arguments of their own are in `sections`."""

    name: bytes
    item: Item
    rfc: str


def _stored(get: Callable[[Stored], Any]) -> Columns:
    return lambda batch: (list(map(get, batch.stored)),)


def _summary(get: Callable[[Any], Any]) -> Columns:
    """Of the summaries, each of which is there (`Need.SUMMARY`)."""
    return lambda batch: (list(map(get, batch.summaries)),)


def _moments(get: Callable[[Stored], int]) -> Columns:
    return lambda batch: (list(map(date_time, map(get, batch.stored))),)


def _flags(batch: Batch) -> Sequence[Sequence[Any]]:
    return (list(map(batch.flag_states.rendered.__getitem__, batch.states)),)


def _threads(batch: Batch) -> Sequence[Sequence[Any]]:
    return (
        [
            thread_id(content_id, summary.message_id, summary.references)
            for content_id, summary in zip(batch.content_ids, batch.summaries, strict=True)
            if summary is not None
        ],
    )


def _previews(batch: Batch) -> Sequence[Sequence[Any]]:
    """NIL for what is not at hand (RFC 8970 §3.2); "" for a message that has nothing to show."""
    return (
        [
            b"NIL" if summary is None else quoted_or_literal(summary.preview.encode("utf-8", "replace"))
            for summary in batch.summaries
        ],
    )


UID = Item(b"UID %d", lambda batch: (batch.uids,))
FLAGS = Item(b"FLAGS (%b)", _flags)
MODSEQ = Item(b"MODSEQ (%d)", lambda batch: (batch.modseqs,))
PREVIEW = Item(b"PREVIEW %b", _previews, Need.SUMMARY)
PREVIEW_LAZY = Item(b"PREVIEW %b", _previews, Need.PREVIEW)
INTERNALDATE = Item(b'INTERNALDATE "%b"', _moments(attrgetter("received")), Need.STORED)
SIZE = Item(b"RFC822.SIZE %d", _stored(attrgetter("size")), Need.STORED)
ENVELOPE = Item(b"ENVELOPE %b", _summary(attrgetter("envelope")), Need.SUMMARY)
BODY = Item(b"BODY %b", _summary(lambda summary: without_extensions(summary.structure)), Need.SUMMARY)
BODYSTRUCTURE = Item(b"BODYSTRUCTURE %b", _summary(attrgetter("structure")), Need.SUMMARY)

IN_RFC_3501: Mapping[Item, Item] = {
    BODY: Item(BODY.form, _summary(lambda summary: as_in_rfc_3501(without_extensions(summary.structure))), BODY.need),
    BODYSTRUCTURE: Item(
        BODYSTRUCTURE.form, _summary(lambda summary: as_in_rfc_3501(summary.structure)), BODYSTRUCTURE.need
    ),
}
"""What clients get in their place that know neither UTF8=ACCEPT nor IMAP4rev2 (RFC 9755 §6)."""

ROWS: tuple[FetchItem, ...] = (
    FetchItem(b"UID", UID, "RFC 9051 §6.4.5"),
    FetchItem(b"FLAGS", FLAGS, "RFC 9051 §6.4.5"),
    FetchItem(b"INTERNALDATE", INTERNALDATE, "RFC 9051 §6.4.5"),
    FetchItem(b"RFC822.SIZE", SIZE, "RFC 9051 §6.4.5"),
    FetchItem(b"ENVELOPE", ENVELOPE, "RFC 9051 §6.4.5"),
    FetchItem(b"BODY", BODY, "RFC 9051 §6.4.5"),
    FetchItem(b"BODYSTRUCTURE", BODYSTRUCTURE, "RFC 9051 §6.4.5"),
    FetchItem(b"MODSEQ", MODSEQ, "RFC 7162 §3.1.5"),
    FetchItem(
        b"EMAILID",
        Item(b"EMAILID (%b)", lambda batch: (list(map(email_id, batch.content_ids)),), Need.CONTENT),
        "RFC 8474 §5.1",
    ),
    FetchItem(b"THREADID", Item(b"THREADID (%b)", _threads, Need.SUMMARY), "RFC 8474 §5.2"),
    FetchItem(b"SAVEDATE", Item(b'SAVEDATE "%b"', _moments(attrgetter("saved")), Need.STORED), "RFC 8514 §4.3"),
    FetchItem(b"PREVIEW", PREVIEW, "RFC 8970 §3.1"),
)


def by_name(rows: Iterable[FetchItem]) -> Mapping[bytes, Item]:
    """Items by their names."""
    return {row.name: row.item for row in rows}


ITEMS = by_name(ROWS)

MACROS: Mapping[bytes, tuple[bytes, ...]] = {
    b"FAST": (b"FLAGS", b"INTERNALDATE", b"RFC822.SIZE"),
    b"ALL": (b"FLAGS", b"INTERNALDATE", b"RFC822.SIZE", b"ENVELOPE"),
    b"FULL": (b"FLAGS", b"INTERNALDATE", b"RFC822.SIZE", b"ENVELOPE", b"BODY"),
}
"""RFC 9051 §6.4.5. They stand alone, never in a list."""
