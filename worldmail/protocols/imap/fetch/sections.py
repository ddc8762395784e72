"""The items of a message's octets: BODY[...], BINARY[...], and their older names (RFC 9051 §6.4.5, RFC 3501 §6.4.5)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial as bound
from typing import Any

from attrs import frozen

from worldmail.mail.mime.decoding import UnknownEncoding
from worldmail.mail.mime.given import header_of, text_of
from worldmail.mail.mime.sections import Kind, Section, chosen_fields
from worldmail.protocols.imap.fetch.batch import Batch, Item, Need
from worldmail.protocols.imap.replies import No

Partial = tuple[int, int] | None
"""The first octet and how many of them."""


class UnknownTransferEncoding(No):
    """RFC 3516 §4.3."""

    def __init__(self) -> None:
        super().__init__("A part has a transfer encoding that is not known here", b"UNKNOWN-CTE")


@frozen
class Extent:
    """Which octets of a message an item gives; for messages that are sent while they are read.

    Args:
        label: what the item is called in the answer.
        section: None for BINARY.
        path: of BINARY the part.
        size_only: BINARY.SIZE.
    """

    label: bytes
    section: Section | None = None
    path: tuple[int, ...] = ()
    partial: Partial = None
    size_only: bool = False

    @property
    def of_message(self) -> bool:
        """It can be told without the message's parts."""
        return not self.path if self.section is None else not self.section.path

    @property
    def by_offsets(self) -> bool:
        """Once the message's parts are known, it can be told without the message's octets."""
        return self.section is not None and self.section.kind not in _CHOSEN


_CHOSEN = frozenset((Kind.HEADER_FIELDS, Kind.HEADER_FIELDS_NOT))


def body_item(label: bytes, section: Section, partial: Partial = None, *, sees: bool) -> Item:
    """BODY[section]<partial>, whatever it is called."""
    extent = Extent(label, section, section.path, partial)
    name = label.replace(b"%", b"%%")
    if not section.path:
        return Item(name + b" {%d}\r\n", bound(_of_message, section, partial), Need.OCTETS, sees, True, extent)

    def columns(batch: Batch) -> Sequence[Sequence[Any]]:
        heads, given = [], []
        for text in batch.texts:
            found = text.found(section)
            if found is not None and partial is not None:
                found = found.partial(*partial)
            heads.append(b"NIL" if found is None else b"{%d}\r\n" % found.size)
            given.append(b"" if found is None else found.octets(text.octets))
        return heads, given

    return Item(name + b" %b", columns, Need.OCTETS, sees, True, extent)


def _of_message(section: Section, partial: Partial, batch: Batch) -> Sequence[Sequence[Any]]:
    """Sections that have no need of a message's parts."""
    octets = batch.octets
    if section.kind is Kind.TEXT:
        octets = list(map(text_of, octets))
    elif section.kind is not Kind.WHOLE:
        octets = list(map(header_of, octets))
        if section.kind is not Kind.HEADER:
            octets = [chosen_fields(header, section) for header in octets]
    if partial is not None:
        start, end = partial[0], sum(partial)
        octets = [given[start:end] for given in octets]
    return list(map(len, octets)), octets


def binary_item(label: bytes, path: tuple[int, ...], partial: Partial = None, *, sees: bool) -> Item:
    """BINARY[path]<partial> (RFC 3516 §4.2)."""

    def columns(batch: Batch) -> Sequence[Sequence[Any]]:
        octets = [part_of(text, path) for text in batch.texts]
        if partial is not None:
            start, end = partial[0], sum(partial)
            octets = [part and part[start:end] for part in octets]
        return list(map(_binary_head, octets)), [part or b"" for part in octets]

    return Item(label + b" %b", columns, Need.OCTETS, sees, True, Extent(label, None, path, partial))


def binary_size_item(label: bytes, path: tuple[int, ...]) -> Item:
    """BINARY.SIZE[path] (RFC 3516 §4.2); 0 where there is no such part."""

    def columns(batch: Batch) -> Sequence[Sequence[Any]]:
        return ([len(part_of(text, path) or b"") for text in batch.texts],)

    return Item(label + b" %d", columns, Need.OCTETS, extent=Extent(label, None, path, size_only=True))


def part_of(text: Any, path: tuple[int, ...]) -> bytes | None:
    """A part without its transfer encoding.

    Raises: `UnknownTransferEncoding`.
    """
    try:
        part: bytes | None = text.binary(path)
    except UnknownEncoding:
        raise UnknownTransferEncoding from None
    return part


def _binary_head(octets: bytes | None) -> bytes:
    if octets is None:
        return b"NIL"
    return b"%b{%d}\r\n" % (b"~" if b"\0" in octets else b"", len(octets))
