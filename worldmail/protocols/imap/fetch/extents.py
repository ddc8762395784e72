"""Where in a large message the octets of its items are."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable

from attrs import frozen

from worldmail.mail.mime.decoding import Decoder, UnknownEncoding, decoded_size, part_decoder
from worldmail.mail.mime.given import of_message
from worldmail.mail.mime.part import Part
from worldmail.mail.mime.sections import Found, find_part, find_section
from worldmail.protocols.imap.fetch.sections import Extent, UnknownTransferEncoding

Chunks = AsyncIterator[bytes]


@frozen
class Piece:
    """What an item gives of the message: octets that were made, then those that are read from `start` to `end`.

    Args:
        front: everything before those that are read, the name of the item and the literal's head included.
        code: what the octets that are read go through; None for those that are as they are.
    """

    front: bytes
    start: int = 0
    end: int = 0
    code: Callable[[Chunks], Chunks] | None = None


def of_header(extents: Iterable[Extent], head: bytes, body: int, size: int) -> dict[bytes, Piece]:
    """Those that need the message's own header alone, which is within `head` and ends at `body`."""
    pieces = {}
    for extent in extents:
        if extent.section is None:
            pieces[extent.label] = _as_kept(extent, 0, size, size)
        else:
            pieces[extent.label] = _piece(extent, of_message(head, body, size, extent.section))
    return pieces


def of_parts(extents: Iterable[Extent], octets: bytes, root: Part) -> dict[bytes, Piece]:
    """Any, in a whole message; without its octets those that are `by_offsets`."""
    pieces = {}
    for extent in extents:
        if extent.section is not None:
            pieces[extent.label] = _piece(extent, find_section(octets, root, extent.section))
        elif extent.path:
            pieces[extent.label] = _decoded(extent, octets, find_part(root, extent.path))
        else:
            pieces[extent.label] = _as_kept(extent, 0, len(octets), len(octets))
    return pieces


def _piece(extent: Extent, found: Found | None) -> Piece:
    if found is None:
        return Piece(extent.label + b" NIL")
    if extent.partial is not None:
        found = found.partial(*extent.partial)
    made = found.made.replace(b"\0", b"\x80")
    return Piece(b"%b {%d}\r\n%b" % (extent.label, found.size, made), found.start, found.end, _without_nul)


def _decoded(extent: Extent, octets: bytes, part: Part | None) -> Piece:
    """BINARY (RFC 3516 §4.2)."""
    if part is None:
        return Piece(extent.label + (b" 0" if extent.size_only else b" NIL"))
    try:
        size, decoder = decoded_size(octets, part), part_decoder(part)
    except UnknownEncoding:
        raise UnknownTransferEncoding from None
    if size == part.end - part.body:
        return _as_kept(extent, part.body, part.end, size)
    if extent.size_only:
        return Piece(b"%b %d" % (extent.label, size))
    origin, count = extent.partial or (0, size)
    count = max(0, min(count, size - origin))
    front = b"%b ~{%d}\r\n" % (extent.label, count)
    return Piece(
        front, part.body, part.end if count else part.body, lambda chunks: _cut(decoder, chunks, origin, count)
    )


def _as_kept(extent: Extent, start: int, end: int, size: int) -> Piece:
    """Octets that need no decoding; as nobody has looked whether there is a NUL, they come in a literal8."""
    if extent.size_only:
        return Piece(b"%b %d" % (extent.label, size))
    if extent.partial is not None:
        start = min(end, start + extent.partial[0])
        end = min(end, start + extent.partial[1])
    return Piece(b"%b ~{%d}\r\n" % (extent.label, end - start), start, end)


async def _without_nul(chunks: Chunks) -> Chunks:
    async for chunk in chunks:
        yield chunk.replace(b"\0", b"\x80")


async def _cut(decoder: Decoder, chunks: Chunks, origin: int, count: int) -> Chunks:
    """So many octets of what is decoded, from an origin on."""
    async for chunk in _fed(decoder, chunks):
        octets = chunk[origin : origin + count]
        origin = max(0, origin - len(chunk))
        count -= len(octets)
        if octets:
            yield octets
        if not count:
            return


async def _fed(decoder: Decoder, chunks: Chunks) -> Chunks:
    async for chunk in chunks:
        yield decoder.feed(chunk)
    yield decoder.finish()
