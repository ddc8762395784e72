"""The octets of a message, ready for the wire.

Text that goes out holds no bare CR or LF and ends with CRLF, wherever it came from (RFC 5321 §2.3.8): a lone dot
that only some take for an end is how one message becomes two. What came as binary is passed on as it is, counted.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

from attrs import frozen
from zope.interface import implementer

from worldmail.interfaces.outbound import IOutgoingContent
from worldmail.protocols.smtp.client.means import Conversion

KEPT = 1 << 20
"""Octets of converted content that are kept, rather than made a second time."""

LONGEST_HEADER = 1 << 20
"""Octets in which a header that is to be changed has to end."""

PIECE = 1 << 18
"""Octets that are gathered for one BDAT; a chunk of the content's may be longer."""


class Unsendable(Exception):
    """The octets are not what they should be; the text says why, in a sentence (ASCII)."""


class Torn(Exception):
    """The store did not give the whole of it."""


@implementer(IOutgoingContent)
@frozen
class Converted:
    """Content that was made of other content."""

    size: int
    inline: bytes | None
    _chunks: Callable[[], AsyncIterator[bytes]]

    def chunks(self) -> AsyncIterator[bytes]:
        """See `IOutgoingContent.chunks`."""
        return self._chunks()


async def converted(content: IOutgoingContent, conversion: Conversion) -> Converted:
    """The content in its new form, all of which was made once. Raises what the conversion raises."""

    def chunks() -> AsyncIterator[bytes]:
        return conversion(lambda: _counted(content))

    kept: list[bytes] | None = []
    size = 0
    async for chunk in chunks():
        size += len(chunk)
        if kept is not None:
            kept.append(chunk)
            if size > KEPT:
                kept = None
    return Converted(size, None if kept is None else b"".join(kept), chunks)


async def is_ascii(content: IOutgoingContent) -> bool:
    """Whether there is no octet above 127."""
    if content.inline is not None:
        return bool(content.inline.isascii())
    async for chunk in content.chunks():
        if not chunk.isascii():
            return False
    return True


async def with_header(content: IOutgoingContent, change: Callable[[bytes], bytes]) -> IOutgoingContent:
    """The same with another header, its lines without the empty one behind them; itself if that is the same.

    A header that does not end within `LONGEST_HEADER` octets stays as it is.
    """
    raw = await _header(content)
    if raw is None or (front := change(raw)) == raw:
        return content
    cut = len(raw)

    async def chunks() -> AsyncIterator[bytes]:
        yield front
        left = cut
        async for chunk in _counted(content):
            if left < len(chunk):
                yield chunk[left:]
            left = max(0, left - len(chunk))

    inline = None if content.inline is None else front + content.inline[cut:]
    return Converted(content.size - cut + len(front), inline, chunks)


async def _header(content: IOutgoingContent) -> bytes | None:
    """Its lines; None if it does not end in time, or without an empty line."""
    seen = bytearray()
    async for chunk in content.chunks():
        start = max(0, len(seen) - 3)
        seen += chunk
        if seen.startswith(b"\r\n"):
            return b""
        end = seen.find(b"\r\n\r\n", start)
        if end >= 0:
            return bytes(seen[: end + 2])
        if len(seen) > LONGEST_HEADER:
            return None
    return None


def is_text(octets: bytes) -> bool:
    """Whether every CR and LF is part of a CRLF."""
    pairs = octets.count(b"\r\n")
    return octets.count(b"\n") == pairs and octets.count(b"\r") == pairs


def whole(content: bytes, *, binary: bool) -> bytes:
    """What is sent of content that is there as a whole and was found fit."""
    return content if binary or not content or content.endswith(b"\r\n") else content + b"\r\n"


async def sound(content: IOutgoingContent, *, binary: bool) -> AsyncIterator[bytes]:
    """All octets, as they should be: as many as was said, in lines.

    Raises: Unsendable, Torn.
    """
    if binary:
        async for chunk in _counted(content):
            yield chunk
        return
    held = b""
    end = b"\r\n"  # the last octets given
    async for chunk in _counted(content):
        text = held + chunk
        held = b"\r" if text.endswith(b"\r") else b""
        if held:
            text = text[:-1]
        if not is_text(text):
            raise Unsendable("The message holds a bare CR or LF")
        if text:
            end = text[-2:]
            yield text
    if held:
        raise Unsendable("The message holds a bare CR or LF")
    if not end.endswith(b"\r\n"):
        yield b"\r\n"


async def _counted(content: IOutgoingContent) -> AsyncIterator[bytes]:
    """All octets. Raises Torn if they are not as many as was said."""
    size = 0
    async for chunk in content.chunks():
        size += len(chunk)
        yield chunk
    if size != content.size:
        raise Torn(f"{size} octets of {content.size}")


async def in_pieces(chunks: AsyncIterator[bytes]) -> AsyncIterator[tuple[bytes, bool]]:
    """The same octets in pieces of a size worth a BDAT; True with the last.

    Each ends with a line where it can: who hands on line by line what comes (fetchmail does, behind ATRN) would wait
    for the rest of one, while we wait for the reply to the chunk.
    """
    held: list[bytes] = []
    size = 0
    async for chunk in chunks:
        if size >= PIECE:
            piece = b"".join(held)
            end = piece.rfind(b"\n") + 1 or size
            yield piece[:end], False
            held, size = [piece[end:]], size - end
        held.append(chunk)
        size += len(chunk)
    yield b"".join(held), True
