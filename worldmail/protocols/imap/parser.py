"""Commands out of what an IMAP client sends: lines, and the literals between them.

An event is one of

- `CommandLine`: a whole command, its text and its literals in order. A small literal that came with its line, from a
  client that does not wait (RFC 7888), is in it and was not announced;
- `Announced`: a line ends with a literal that has not come yet. Whoever gets it says what is to become of it, before
  the next event is asked for: `keep`, `stream` or `skip` it, or `forget` the whole command (which a client that
  waits for a continuation notices by the tagged reply; RFC 9051 §4.3);
- `Octets`: a piece of a literal that is streamed;
- bytes: a line that is no command, because `raw` was set (SASL, the end of IDLE);
- `Fault`: a line that cannot be one. Whether it ended with a literal is not known, so nothing behind it can be trusted.

    literal   =  "{" number64 ["+"] "}" CRLF *CHAR8        ; RFC 9051 §9
    literal8  =  "~{" number64 ["+"] "}" CRLF *OCTET       ; RFC 9051 §9, RFC 4466 §6 for its "+"

"{" is in no atom, and a quoted string does not go over a line's end: a line that ends with a literal's head has one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from attrs import define

from worldmail.wire.faults import Fault
from worldmail.wire.lines import LineBuffer

# However many digits: what is behind a size that cannot be is no command either.
_HEAD = re.compile(rb"\{0*([0-9]+)(\+?)\}")
_MOST_DIGITS = 19

PART_COST = 64
"""Octets that a piece of a command costs beside its own, as they are counted against the bound."""


@define(eq=False)
class Literal:
    """A literal within a command.

    Attributes:
        octets: all of it; b"" if it was streamed.
        size: how many octets it has.
        binary: it is a literal8, so it may hold NUL (RFC 3516 §4.4).
        sink: what took its octets, if it was streamed.
    """

    octets: bytes
    size: int
    binary: bool = False
    sink: Any = None


Part = bytes | Literal


@define(eq=False)
class CommandLine:
    """A whole command: text and literals by turns, text first; its CRLF and the heads of the literals are gone.

    `skipped`: octets of it were thrown away, so that it can only be refused.
    """

    parts: tuple[Part, ...]
    skipped: bool = False


@define(eq=False)
class Announced:
    """A literal is to come. `parts` is the command so far, which grows; `kept` is what it takes in memory by now."""

    parts: Sequence[Part]
    size: int
    waits: bool
    binary: bool
    kept: int


@define(eq=False)
class Octets:
    """The next octets of a streamed literal; `last` if there are no more of it, `nul` if there is one and may not."""

    data: bytes
    last: bool
    nul: bool = False


Event = CommandLine | Announced | Octets | Fault | bytes


class Parser:
    """What a client sent and nobody has read yet, as events.

    Args:
        limit: the longest line, as `LineBuffer` has it; may be changed at any time.

    Attributes:
        raw: the next line is no command.
        at_once: octets that a command may take in memory with literals that are not announced.
    """

    __slots__ = (
        "_announced",
        "_gathered",
        "_kept",
        "_left",
        "_parts",
        "_sink",
        "_skipping",
        "_streaming",
        "at_once",
        "lines",
        "raw",
    )

    def __init__(self, limit: int) -> None:
        self.lines = LineBuffer(limit)
        self.raw = False
        self.at_once = 0
        self._parts: list[Part] = []
        self._kept = 0
        self._announced: Announced | None = None
        self._left = -1  # octets of a literal that have not come; -1 outside of literals
        self._gathered: bytearray | None = None
        self._streaming = False
        self._skipping = False
        self._sink: Any = None

    def next_event(self) -> Event | None:
        """The next event, or None if more octets are needed."""
        if self._left >= 0:
            found = self._literal()
            if found is not None or self._left >= 0:
                return found
        while True:
            line = self.lines.take()
            if line is None or type(line) is Fault:
                return line
            assert isinstance(line, bytes)
            if self.raw:
                self.raw = False
                return line
            if line.endswith(b"}") and (head := _HEAD.fullmatch(line, line.rfind(b"{"))) is not None:
                announced = self._announce(line, head)
                if announced.waits or not self._keep_at_once(announced):
                    return announced
            else:
                return self._whole(line) if self._parts else CommandLine((line,))

    # --- what becomes of an announced literal ---

    def keep(self) -> None:
        """Gather it in memory."""
        self._begin()

    def stream(self, sink: Any) -> None:
        """Give its octets out as they come; `sink` will stand in the command."""
        self._begin()
        self._streaming, self._sink = True, sink

    def skip(self) -> None:
        """Throw away what comes of it (also when half of it was streamed); the command comes as `skipped`."""
        if self._announced is not None:
            self._begin()
        self._streaming, self._skipping = False, True
        self._sink = self._gathered = None

    def forget(self) -> None:
        """The command is over; the literal does not come."""
        self._announced = None
        self._parts.clear()
        self._kept = 0
        self._skipping = False

    def clear(self) -> None:
        """Forget everything that came (after STARTTLS)."""
        self.lines.clear()
        self.forget()
        self._left = -1
        self._sink = self._gathered = None
        self._streaming = self.raw = False

    def begun(self) -> bytes:
        """The first octets of the command that is not whole yet, or of the line that was faulty: for its tag."""
        first = self._parts[0] if self._parts else self.lines.rejected
        assert isinstance(first, bytes)
        return first

    # --- within ---

    def _announce(self, line: bytes, head: re.Match[bytes]) -> Announced:
        start = head.start()
        binary = line.endswith(b"~", 0, start)
        if not self._skipping:
            self._parts.append(line[: start - binary])
            self._kept += start + PART_COST
        self._announced = Announced(self._parts, int(head[1][: _MOST_DIGITS + 1]), not head[2], binary, self._kept)
        return self._announced

    def _keep_at_once(self, announced: Announced) -> bool:
        """Take the literal as it is, if that is little and there already."""
        size = announced.size
        if self._skipping or announced.kept + size > self.at_once or self.lines.buffered < size:
            return False
        self._end(self.lines.take_octets(size))
        return True

    def _begin(self) -> None:
        assert self._announced is not None
        self._left = self._announced.size

    def _literal(self) -> Octets | None:
        """The literal goes on: an event, or None. The rest of the line follows once `_left` is -1."""
        octets = self.lines.take_octets(self._left)
        self._left -= len(octets)
        if self._streaming:
            if not octets and self._left:
                return None
            nul = b"\0" in octets and self._announced is not None and not self._announced.binary
            if not self._left:
                self._end(b"")
            return Octets(octets, not self._streaming, nul)
        if self._skipping:
            octets = b""
        elif self._left or self._gathered is not None:
            if self._gathered is None:
                self._gathered = bytearray()
            self._gathered += octets
        if self._left:
            return None
        self._end(octets if self._gathered is None else bytes(self._gathered))
        return None

    def _end(self, octets: bytes) -> None:
        announced = self._announced
        assert announced is not None
        if not self._skipping:
            self._parts.append(Literal(octets, announced.size, announced.binary, self._sink))
            self._kept += len(octets) + PART_COST
        self._announced = self._sink = self._gathered = None
        self._streaming = False
        self._left = -1

    def _whole(self, line: bytes) -> CommandLine:
        command = CommandLine((*self._parts, line), self._skipping)
        self.forget()
        return command


__all__ = ["Announced", "CommandLine", "Event", "Fault", "Literal", "Octets", "Parser", "Part"]
