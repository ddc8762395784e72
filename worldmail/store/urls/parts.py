"""Parts without their transfer encoding, and what they are (RFC 5524)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

from attrs import evolve

from worldmail.interfaces.urls import UrlForm, UrlOctets
from worldmail.mail.mime.decoding import Decoder, UnknownEncoding, part_decoder
from worldmail.mail.mime.part import Part
from worldmail.mail.mime.structure import render_structure

Read = Callable[[int, int], AsyncIterator[bytes]]
"""The message's octets from one offset to another."""

Partial = tuple[int, int | None] | None


async def formed(read: Read, part: Part, partial: Partial, form: UrlForm, *, whole: bool) -> UrlOctets:
    """A part in the form that was asked for; `whole`: it is the message itself, which has no encoding."""
    start = part.start if whole else part.body
    if not form.decoded:
        return _as_it_is(read, part, partial, start)
    try:
        part_decoder(part)
    except UnknownEncoding:
        if not whole:
            return UrlOctets(size=0, read=_nothing, structure=render_structure(part), decodable=False)

    def decoded() -> AsyncIterator[bytes]:
        chunks = read(start, part.end)
        return chunks if whole else _decoded(chunks, part_decoder(part))

    size = lines = nul = 0
    async for piece in decoded():
        size, lines, nul = size + len(piece), lines + piece.count(b"\n"), nul + piece.count(b"\0")
    origin, asked = partial or (0, None)
    count = max(0, size - origin) if asked is None else max(0, min(asked, size - origin))
    return UrlOctets(
        size=count,
        read=lambda: _cut(decoded(), origin, count),
        cost=part.end - start,
        structure=render_structure(part) if whole else _without_encoding(part, size, lines),
        binary=nul > 0,
    )


def _as_it_is(read: Read, part: Part, partial: Partial, start: int) -> UrlOctets:
    end = part.end
    if partial is not None:
        origin, asked = partial
        start = min(end, start + origin)
        end = end if asked is None else min(end, start + asked)

    async def given() -> AsyncIterator[bytes]:
        async for chunk in read(start, end):
            yield chunk.replace(b"\0", b"\x80")

    return UrlOctets(size=end - start, read=given, structure=render_structure(part))


def _without_encoding(part: Part, size: int, lines: int) -> bytes:
    """The structure as the decoded part has it (RFC 5524 §3.2)."""
    if part.is_multipart or part.is_message:
        return render_structure(part)
    fields = {**part.fields, b"content-transfer-encoding": b"binary"}
    return render_structure(evolve(part, fields=fields, end=part.body + size, lines=lines))


async def _decoded(chunks: AsyncIterator[bytes], decoder: Decoder) -> AsyncIterator[bytes]:
    async for chunk in chunks:
        yield decoder.feed(chunk)
    yield decoder.finish()


async def _cut(chunks: AsyncIterator[bytes], origin: int, count: int) -> AsyncIterator[bytes]:
    """So many octets, from an origin on."""
    async for chunk in chunks:
        if not count:
            return
        octets = chunk[origin : origin + count]
        origin = max(0, origin - len(chunk))
        count -= len(octets)
        if octets:
            yield octets


async def _nothing() -> AsyncIterator[bytes]:
    return
    yield b""
