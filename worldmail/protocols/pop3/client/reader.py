"""What a POP3 server says: status lines, and texts that a lone dot ends.

Which of the two comes next is known to who asked for it, who says so (`expect_text`). Line ends of a text are made
CRLF; its end is CRLF "." CRLF alone (RFC 1939 §3), so that nothing in a message can be taken for a status line.
"""

from __future__ import annotations

from typing import NamedTuple

from worldmail.mail.line_ends import LineEnds
from worldmail.wire.client.reader import MAXIMUM_PIECE, Garbage, LineReader, Piece
from worldmail.wire.dots import DotReader
from worldmail.wire.faults import Fault

MAXIMUM_LINE = 16 * 1024
"""Octets of a status line or a challenge; RFC 2449 §4 has 512, a challenge of SASL may be longer (RFC 5034 §4)."""


class Status(NamedTuple):
    """ "+OK" or "-ERR" and what stands behind it; `challenge` for "+ " (RFC 5034 §4)."""

    good: bool
    text: bytes
    challenge: bool = False


class Reader(LineReader):
    """Cuts what came from the server."""

    __slots__ = ("_dots", "_ends")

    def __init__(self) -> None:
        super().__init__(MAXIMUM_LINE)
        self._dots: DotReader | None = None
        self._ends = LineEnds()

    def expect_text(self) -> None:
        """What comes next is a text."""
        self._dots, self._ends = DotReader(0), LineEnds()

    def take(self) -> Status | Piece | Garbage | None:
        """The next one; None if it is not all there."""
        if self._dots is not None:
            return self._piece(self._dots)
        if self._over:
            return None
        line = self._lines.take()
        if line is None:
            return None
        status = None if isinstance(line, Fault) else _status(line)
        return self._end() if status is None else status

    def _piece(self, dots: DotReader) -> Piece | None:
        lines = self._lines
        while lines.buffered:
            octets = self._ends.feed(dots.feed(lines.take_octets(MAXIMUM_PIECE)))
            if dots.finished:
                lines.give_back(dots.rest)
                self._dots = None
                return Piece(octets + self._ends.finish(), True)
            if octets:
                return Piece(octets, False)
        return None


def _status(line: bytes) -> Status | None:
    """Servers write them in any case, and some put nothing behind them."""
    word, _, text = line.partition(b" ")
    if word.upper() == b"+OK":
        return Status(True, text)
    if word.upper() == b"-ERR":
        return Status(False, text)
    return Status(True, text, True) if word == b"+" else None
