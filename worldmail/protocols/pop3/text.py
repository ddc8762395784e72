"""A message's text on its way to a POP3 client.

What the store gives may hold bare CR and LF (binary content, RFC 3030); a multi-line response consists of
lines that end in CRLF (RFC 1939 §3), so they are made such here. Where the header holds octets outside
ASCII and the client is not in UTF-8 mode, a surrogate goes out (RFC 6856 §2.1).

A small text is one effect of plain bytes. A large one is a stream; memory stays flat.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

from attrs import define, field

from worldmail.protocols.pop3.replies import Utf8Needed
from worldmail.protocols.pop3.surrogate import surrogate_header
from worldmail.wire.dots import END_OF_TEXT, DotWriter
from worldmail.wire.effects import Effects, Stream

# A text of up to this many octets is sent in one piece; it is also the longest header that a surrogate is made of.
IN_ONE_PIECE = 65536

_LINE_END = re.compile(rb"\r\n|\r|\n")


@define
class LineEnds:
    """Makes every CR and every LF part of a CRLF, wherever the chunks were cut."""

    _held: bool = field(default=False, init=False)

    def feed(self, chunk: bytes) -> bytes:
        """The next octets. A CR at the end is held back until it is known what follows."""
        if self._held:
            chunk = b"\r" + chunk
        self._held = chunk.endswith(b"\r")
        if self._held:
            chunk = chunk[:-1]
        pairs = chunk.count(b"\r\n")
        if chunk.count(b"\n") == pairs and chunk.count(b"\r") == pairs:
            return chunk
        return _LINE_END.sub(b"\r\n", chunk)

    def finish(self) -> bytes:
        """What is still held back."""
        return b"\r\n" if self._held else b""


@define
class TopCutter:
    """Lets the header, the empty line behind it and the first lines of the body pass (RFC 1939 §7)."""

    _lines: int
    _in_header: bool = field(default=True, init=False)
    _edge: bytes = field(default=b"\r\n", init=False)  # an empty first line ends a header of no lines
    finished: bool = field(default=False, init=False)

    def feed(self, chunk: bytes) -> bytes:
        """What of the next octets passes; all line ends are CRLF. Nothing more will once `finished`."""
        start = 0
        if self._in_header:
            start = self._end_of_header(chunk)
            if start < 0:
                return chunk
            self._in_header = False
        end = self._end_of_lines(chunk, start)
        return chunk if end < 0 else chunk[:end]

    def _end_of_header(self, chunk: bytes) -> int:
        """Where in the chunk the body begins; -1 if not in it."""
        data = self._edge + chunk
        at = data.find(b"\r\n\r\n")
        if at < 0:
            self._edge = data[-3:]
            return -1
        return at + 4 - len(self._edge)

    def _end_of_lines(self, chunk: bytes, start: int) -> int:
        """Where in the chunk the last wanted line ends; -1 if not in it."""
        there = chunk.count(b"\n", start)
        if there < self._lines:
            self._lines -= there
            return -1
        for _ in range(self._lines):
            start = chunk.index(b"\n", start) + 1
        self.finished = True
        return start


async def text_effects(
    chunks: AsyncIterator[bytes], *, octets: int, utf8: bool, surrogates: bool, lines: int | None = None
) -> Effects:
    """The effects that send a message: a positive reply, the text dot-stuffed, the end.

    Args:
        chunks: prefix and content.
        octets: how many they are.
        utf8: the client is in UTF-8 mode.
        surrogates: send a surrogate where UTF-8 mode would be needed.
        lines: how many lines of the body (TOP), None for all of it.

    Raises: `Utf8Needed`; whatever reading the first chunks raises.
    """
    ends, dots = LineEnds(), DotWriter()
    start, whole = await _start(chunks, ends)
    if not utf8:
        ascii_start = _in_ascii(start, whole, surrogates)
        octets += len(ascii_start) - len(start)
        start = ascii_start
    if lines is None:
        cutter = None
        reply = b"+OK %d octets\r\n" % octets
    else:
        cutter = TopCutter(lines)
        reply = b"+OK\r\n"
        start = cutter.feed(start)
        if cutter.finished and not whole:
            await _close(chunks)
            whole = True
    stuffed = dots.feed(start)
    if whole:
        return (reply + stuffed + dots.finish() + END_OF_TEXT,)
    return (reply + stuffed, Stream(_rest(chunks, ends, cutter, dots)))


async def _start(chunks: AsyncIterator[bytes], ends: LineEnds) -> tuple[bytes, bool]:
    """The first octets, and whether they are all. More than `IN_ONE_PIECE` only by what one chunk has."""
    pieces: list[bytes] = []
    size = 0
    async for chunk in chunks:
        pieces.append(ends.feed(chunk))
        size += len(chunk)
        if size > IN_ONE_PIECE:
            return b"".join(pieces), False
    pieces.append(ends.finish())
    return b"".join(pieces), True


def _in_ascii(start: bytes, whole: bool, surrogates: bool) -> bytes:
    """The same with a header in ASCII. Raises `Utf8Needed` if that is not wanted, or the header is too long for it."""
    end = len(start)
    if start.startswith(b"\r\n"):
        return start
    if (blank := start.find(b"\r\n\r\n")) >= 0:
        end = blank + 4
    header = start[:end]
    if header.isascii():
        return start
    if not surrogates or (blank < 0 and not whole):
        raise Utf8Needed
    return surrogate_header(header) + start[end:]


async def _rest(
    chunks: AsyncIterator[bytes], ends: LineEnds, cutter: TopCutter | None, dots: DotWriter
) -> AsyncIterator[bytes]:
    """What follows the start, and the end of the multi-line response."""
    try:
        async for chunk in chunks:
            text = ends.feed(chunk)
            if cutter is not None:
                text = cutter.feed(text)
            if text:
                yield dots.feed(text)
            if cutter is not None and cutter.finished:
                break
        else:
            # A held-back CR is a line's end; if the cutter still lets things pass, this passes too.
            yield dots.feed(ends.finish())
        yield dots.finish() + END_OF_TEXT
    finally:
        await _close(chunks)


async def _close(chunks: AsyncIterator[bytes]) -> None:
    """Let the source go."""
    close = getattr(chunks, "aclose", None)
    if close is not None:
        await close()
