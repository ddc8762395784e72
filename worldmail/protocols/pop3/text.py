"""A message's text on its way to a POP3 client.

What the store gives may be binary (RFC 3030), which POP3 cannot carry (RFC 6856 §2.1): parts that say so go out
in base64, and should any other CR or LF stand alone, it becomes a CRLF, as a multi-line response consists of lines
(RFC 1939 §3). If the client is not in UTF-8 mode, a surrogate goes out: no header holds octets outside ASCII, neither
the message's own nor that of a part or of a message in it. It is made while it goes by.

A small text is one effect of plain bytes. A large one is a stream; memory stays flat.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

from attrs import define, field

from worldmail.interfaces.world import Aside
from worldmail.mail.line_ends import LineEnds, with_line_ends
from worldmail.mail.mime.surrogates import SurrogateStream, header_patch
from worldmail.mail.transfer_encoding import BinaryInBase64, says_binary
from worldmail.protocols.pop3.replies import Utf8Needed
from worldmail.wire.dots import END_OF_TEXT, DotWriter
from worldmail.wire.effects import Effects, Stream

# A text of up to this many octets is sent in one piece; it is also the longest header that a surrogate is made of.
IN_ONE_PIECE = 65536

_ODD_BLANK = re.compile(rb"(?:\r\n|\r(?!\n)|\n){2}")
_PIECE = 65536  # done in one go
# Of these words a Content-Type has one if there are headers, or addresses, below the message's own.
_NESTING = re.compile(rb"multipart|rfc822|global|delivery-status", re.IGNORECASE)
_AT_ONCE = 8192  # octets in which headers may be written anew without a thread


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


@define
class Way:
    """All that happens to a text between the store and the wire."""

    _cutter: TopCutter | None
    _coder: BinaryInBase64 | None
    _surrogate: SurrogateStream | None = None
    _ends: LineEnds = field(factory=LineEnds, init=False)
    _dots: DotWriter = field(factory=DotWriter, init=False)
    octets: int = field(default=0, init=False)  # that went through, before stuffing

    @property
    def finished(self) -> bool:
        """True if nothing more will pass."""
        return self._cutter is not None and self._cutter.finished

    def feed(self, octets: bytes) -> bytes:
        """The next octets."""
        return self._coded(octets if self._surrogate is None else self._surrogate.feed(octets))

    def takes_long(self, octets: bytes) -> bool:
        """True if these are better fed in a thread: headers may have to be written anew."""
        return self._surrogate is not None and len(octets) > _AT_ONCE and not octets.isascii()

    def finish(self) -> bytes:
        """The end of the text, and of the multi-line response."""
        last = b"" if self.finished or self._surrogate is None else self._coded(self._surrogate.finish())
        last += b"" if self.finished or self._coder is None else self._lines(self._coder.finish())
        if not self.finished:
            last += self._pass(self._ends.finish())
        final = self._dots.finish()
        self.octets += len(final)
        return last + final + END_OF_TEXT

    def _coded(self, octets: bytes) -> bytes:
        return self._lines(octets if self._coder is None else self._coder.feed(octets))

    def _lines(self, octets: bytes) -> bytes:
        return self._pass(self._ends.feed(octets))

    def _pass(self, text: bytes) -> bytes:
        if self._cutter is not None:
            text = b"" if self._cutter.finished else self._cutter.feed(text)
        self.octets += len(text)
        return self._dots.feed(text)


async def text_effects(
    chunks: AsyncIterator[bytes],
    *,
    octets: int,
    utf8: bool,
    surrogates: bool,
    aside: Aside,
    lines: int | None = None,
) -> Effects:
    """The effects that send a message: a positive reply, the text dot-stuffed, the end.

    Args:
        chunks: prefix and content.
        octets: how many they are, binary parts in base64.
        utf8: the client is in UTF-8 mode.
        surrogates: send a surrogate where the header needs UTF-8 mode.
        aside: for what takes long.
        lines: how many lines of the body (TOP), None for all of it.

    Raises: `Utf8Needed`; whatever reading the first chunks raises.
    """
    start, whole = await _start(chunks)
    header, rest, complete = _header_of(start, whole)
    if not (utf8 or header.isascii()):
        if not surrogates or not complete:
            raise Utf8Needed
        patch = await aside(lambda: header_patch(header)) if len(header) > _AT_ONCE else header_patch(header)
        octets += 0 if patch is None else len(patch.octets) - len(header)
    as_it_is = utf8 or (header.isascii() and (_NESTING.search(header) is None or (whole and rest.isascii())))
    way = Way(
        None if lines is None else TopCutter(lines),
        BinaryInBase64() if says_binary(header) else None,
        None if as_it_is else SurrogateStream(),
    )
    text = await _fed(way, header, aside)
    if whole or way.finished:
        text += await _fed(way, rest, aside) + way.finish()
        await _close(chunks)
        return (_reply(lines, way.octets) + text,)
    return (_reply(lines, octets) + text, Stream(_rest(rest, chunks, way, aside)))


async def _fed(way: Way, octets: bytes, aside: Aside) -> bytes:
    """What becomes of these octets."""
    made: bytes = await aside(lambda: way.feed(octets)) if way.takes_long(octets) else way.feed(octets)
    return made


def _reply(lines: int | None, octets: int) -> bytes:
    """The first line; what RETR sends is counted."""
    return b"+OK %d octets\r\n" % octets if lines is None else b"+OK\r\n"


async def _start(chunks: AsyncIterator[bytes]) -> tuple[bytes, bool]:
    """The first octets, and whether they are all. More than `IN_ONE_PIECE` only by what one chunk has."""
    pieces: list[bytes] = []
    size = 0
    async for chunk in chunks:
        pieces.append(chunk)
        size += len(chunk)
        if size > IN_ONE_PIECE:
            return b"".join(pieces), False
    return b"".join(pieces), True


def _header_of(start: bytes, whole: bool) -> tuple[bytes, bytes, bool]:
    """The header with the empty line behind it, what follows, and whether the header is complete."""
    if start.startswith(b"\r\n"):
        return b"", start, True
    blank = start.find(b"\r\n\r\n")
    if blank >= 0:
        return start[: blank + 4], start[blank + 4 :], True
    odd = _ODD_BLANK.search(start)  # content that came as binary may have other line ends
    if odd is None:
        return start, b"", whole
    return with_line_ends(start[: odd.end()]), start[odd.end() :], True


async def _rest(start: bytes, chunks: AsyncIterator[bytes], way: Way, aside: Aside) -> AsyncIterator[bytes]:
    """What follows the header, piece by piece, and the end of the multi-line response."""
    try:
        chunk: bytes | None = start
        while chunk is not None:
            for at in range(0, len(chunk), _PIECE):
                text = await _fed(way, chunk[at : at + _PIECE], aside)
                if text:
                    yield text
            chunk = None if way.finished else await anext(chunks, None)
        yield way.finish()
    finally:
        await _close(chunks)


async def _close(chunks: AsyncIterator[bytes]) -> None:
    """Let the source go."""
    close = getattr(chunks, "aclose", None)
    if close is not None:
        await close()
