"""Dot-stuffed text, both ways, as it streams (RFC 5321 §4.5.2, RFC 1939 §3).

Only CRLF "." CRLF ends the text. A CR or LF that is not part of a CRLF never ends
anything and never begins a line; it makes the text malformed, and reading goes on to
the strict end, so that nothing of the text can be taken for a command.

Nothing here loops over lines: whole chunks are searched, counted and replaced in C.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from worldmail.wire.faults import Fault
from worldmail.wire.texts import TextInspector

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
        fault: the first thing wrong with the text, wherever it was cut; None as long as nothing is.
    """

    finished = False
    rest = b""
    _tail = b"\r\n"  # held back: it may be the start of the end
    _virtual = 2  # octets of _tail that never came: the text begins at the start of a line

    def __init__(self, line_limit: int = 1000) -> None:
        self._inspector = TextInspector(line_limit)

    @property
    def fault(self) -> Fault | None:
        return self._inspector.fault

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
            self._inspector.feed(text)
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
