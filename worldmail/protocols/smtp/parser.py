"""Cuts what the peer sends into events.

Theory of operation. The parser is in one of three modes, which the session sets:

- commands: each event is a line (`bytes`, without its CRLF) or the `Fault` of one;
- data: dot-stuffed text up to the lone dot, as `Text`;
- chunk: so many octets, as `Text`, whatever they are.

The mode falls back to commands by itself when the text has come to its end, so that
octets of a message can never be taken for a command, whatever became of the message.
Bytes are kept as they came until an event is asked for: `receive` costs a list entry.
"""

from __future__ import annotations

import enum
from typing import NamedTuple

from worldmail.wire.dots import DotReader
from worldmail.wire.faults import Fault
from worldmail.wire.lines import LineBuffer

MAXIMUM_PIECE = 1 << 18
"""The most octets of one `Text`: what is looked at between two chances to wait for the store."""


class Text(NamedTuple):
    """The next octets of a message, without stuffing; `finished` with the last of its DATA or BDAT command.

    Of DATA, the fault is told with the last piece at the latest: the first of a wrong line end,
    a NUL and a line over the limit.
    """

    octets: bytes
    finished: bool
    fault: Fault | None = None


Event = bytes | Fault | Text


class _Mode(enum.Enum):
    COMMANDS = enum.auto()
    DATA = enum.auto()
    CHUNK = enum.auto()


class Parser:
    """The one reader of a connection's bytes.

    Args:
        line_limit: the longest command line in octets, CRLF included.
    """

    __slots__ = ("_dots", "_left", "_lines", "_mode")

    def __init__(self, line_limit: int) -> None:
        self._lines = LineBuffer(line_limit)
        self._mode = _Mode.COMMANDS
        self._dots: DotReader | None = None
        self._left = 0

    def receive(self, data: bytes) -> None:
        """Take bytes; nothing is looked at yet."""
        self._lines.append(data)

    def buffered(self) -> int:
        """Octets that no event has been made of."""
        return self._lines.buffered

    @property
    def rejected(self) -> bytes:
        """How the last faulty line began; the command word can be seen in it."""
        return self._lines.rejected

    def take_back(self) -> bytes:
        """See `LineBuffer.take_back`."""
        return self._lines.take_back()

    def clear(self) -> None:
        """Forget what is buffered."""
        self._lines.clear()

    def rest(self) -> bytes:
        """What is buffered, given away."""
        return self._lines.take_rest()

    def expect_data(self, text_line_limit: int) -> None:
        """What comes next is dot-stuffed text; lines longer than the limit are a fault (0: none is)."""
        self._dots = DotReader(text_line_limit)
        self._mode = _Mode.DATA

    def expect_chunk(self, size: int) -> None:
        """What comes next is a chunk of `size` octets. A chunk of 0 is an event at once."""
        self._left = size
        self._mode = _Mode.CHUNK

    def next_event(self) -> Event | None:
        """The next whole event, or None if more bytes are needed."""
        if self._mode is _Mode.COMMANDS:
            return self._lines.take()
        if self._mode is _Mode.DATA:
            return self._take_data()
        return self._take_chunk()

    def _take_data(self) -> Text | None:
        dots, lines = self._dots, self._lines
        assert dots is not None
        piece = lines.take_octets(MAXIMUM_PIECE) if lines.buffered > MAXIMUM_PIECE else lines.take_rest()
        if not piece:
            return None
        octets = dots.feed(piece)
        if not dots.finished:
            return Text(octets, False, dots.fault) if octets else self._take_data()
        lines.give_back(dots.rest)
        self._mode = _Mode.COMMANDS
        self._dots = None
        return Text(octets, True, dots.fault)

    def _take_chunk(self) -> Text | None:
        octets = self._lines.take_octets(min(self._left, MAXIMUM_PIECE)) if self._left else b""
        if not octets and self._left:
            return None
        self._left -= len(octets)
        if self._left:
            return Text(octets, False)
        self._mode = _Mode.COMMANDS
        return Text(octets, True)
