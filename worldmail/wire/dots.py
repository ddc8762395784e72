"""Dot-stuffed text, both ways, as it streams (RFC 5321 §4.5.2, RFC 1939 §3).

Only CRLF "." CRLF ends the text. A CR or LF that is not part of a CRLF never ends
anything and never begins a line; it makes the text malformed, and reading goes on to
the strict end, so that nothing of the text can be taken for a command.

Nothing here loops over lines: whole chunks are searched, counted and replaced in C.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from io import IncrementalNewlineDecoder

from worldmail.wire.faults import Fault

END_OF_TEXT = b".\r\n"
"""What follows the stuffed text and ends it."""

_HELD = (b"\r", b"\n", b".")
_STARTS = ((4, b"\r\n.\r"), (3, b"\r\n."), (2, b"\r\n"), (1, b"\r"))


class DotReader:
    """Takes dot-stuffed text off the wire: removes the stuffing, finds the strict end.

    Args:
        line_limit: the longest line allowed, in octets, its CRLF included and the
            stuffing not (1000 in RFC 5321 §4.5.3.1.6); 0 does not look.

    Attributes:
        finished: True once the lone dot has come.
        rest: what came behind the end (pipelined commands); b"" until then.
        malformed: `Fault.BARE_CR` or `Fault.BARE_LF` once there was one, else None.
        nul: True once there was a NUL octet.
        eight_bit: True once there was an octet above 127.
        long_line: True once a line was longer than the limit.
    """

    finished = False
    rest = b""
    malformed: Fault | None = None
    nul = False
    eight_bit = False
    long_line = False
    _tail = b"\r\n"  # held back: it may be the start of the end
    _virtual = 2  # octets of _tail that never came: the text begins at the start of a line
    _open = 0  # octets given out of a line whose end has not come

    def __init__(self, line_limit: int = 1000) -> None:
        self._limit = line_limit
        self._line_ends = IncrementalNewlineDecoder(None, translate=False)

    def feed(self, chunk: bytes) -> bytes:
        """Take the next octets; returns the text that is certain by now, unstuffed, with its CRLFs.

        Not to be called again once `finished`.
        """
        data = self._tail + chunk
        virtual = self._virtual
        dot = end = -1
        if data.rfind(b"\r\n.") >= 0:  # where there is none, a quarter of what `find` takes
            dot = data.find(b"\r\n.")
            end = data.find(b"\r\n.\r\n", dot)
        if end >= 0:
            self.finished = True
            self.rest = data[end + 5 :]
            ready = end + 2
        else:
            ready = self._hold(data)
        if dot < 0 or dot == end:
            text = data[virtual:ready]
        else:
            text = data[:ready].replace(b"\r\n.", b"\r\n")[virtual:]
        if text:
            self._inspect(text)
        return text

    def _hold(self, data: bytes) -> int:
        """How much of `data` may go out now; a tail that may be the start of the end is kept."""
        held = 0
        if data.endswith(_HELD):
            held = next((size for size, start in _STARTS if data.endswith(start)), 0)
        ready = len(data) - held
        self._tail = data[ready:]
        if ready:
            self._virtual = 0
        return ready

    def _inspect(self, text: bytes) -> None:
        """Look for what is wrong with text that goes out."""
        if self.malformed is None:
            # It keeps note of the kinds of line ends, four times as fast as counting them. No text ends within a CRLF,
            # so a CR at the end, of which it could not tell yet, is a bare one.
            self._line_ends.decode(text.decode("latin-1"))
            if self._line_ends.newlines not in (None, "\r\n") or text.endswith(b"\r"):
                self.malformed = _first_bare(text)
        if not self.nul and b"\0" in text:
            self.nul = True
        if not self.eight_bit and not text.isascii():
            self.eight_bit = True
        if self._limit and not self.long_line:
            self._measure(text)

    def _measure(self, text: bytes) -> None:
        """Are all lines within the limit? Hops from line end to line end, a limit's length at a time."""
        limit, size = self._limit, len(text)
        at = 0
        if self._open:
            at = text.find(b"\n", 0, max(0, limit - self._open)) + 1
            if not at:
                self._open += size
                self.long_line = self._open > limit
                return
        while size - at > limit:
            feed = text.rfind(b"\n", at, at + limit)
            if feed < 0:
                self.long_line = True
                return
            at = feed + 1
        self._open = size - max(at, text.rfind(b"\n", at) + 1)


def _first_bare(text: bytes) -> Fault:
    """Which comes first in a text that holds a bare CR or a bare LF."""
    without = text.replace(b"\r\n", b"")
    feed, ret = without.find(b"\n"), without.find(b"\r")
    return Fault.BARE_LF if ret < 0 or 0 <= feed < ret else Fault.BARE_CR


class DotWriter:
    """Dot-stuffs text on its way out, and changes nothing else."""

    __slots__ = ("_edge",)

    def __init__(self) -> None:
        self._edge = b"\r\n"  # the last octets given: a dot behind CRLF is to be doubled

    def feed(self, chunk: bytes) -> bytes:
        """The next octets, stuffed; correct wherever the chunks were cut."""
        if not chunk:
            return b""
        edge = self._edge
        data = edge + chunk
        self._edge = data[-2:]
        return data.replace(b"\r\n.", b"\r\n..")[len(edge) :]

    def finish(self) -> bytes:
        """What is missing at the end: b"", or the final CRLF (RFC 5321 §4.1.1.4)."""
        if self._edge.endswith(b"\r\n"):
            return b""
        return b"\r\n"


def stuff_bytes(data: bytes) -> bytes:
    """A whole text, stuffed, with a final CRLF. `END_OF_TEXT` is not included."""
    writer = DotWriter()
    return writer.feed(data) + writer.finish()


async def stuff(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The same for text that comes in chunks. `END_OF_TEXT` is not included."""
    writer = DotWriter()
    async for chunk in chunks:
        yield writer.feed(chunk)
    final = writer.finish()
    if final:
        yield final
