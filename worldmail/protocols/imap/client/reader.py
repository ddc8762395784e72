"""What an IMAP server says: lines, and the literals within them (RFC 9051 §2.2.2, §4.3).

A response is a line, or lines that each end in the length of a literal whose octets follow, the last of which does
not. Literals are given piece by piece, so memory does not grow with a message.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from worldmail.wire.client.reader import MAXIMUM_PIECE, Garbage, LineReader, Piece
from worldmail.wire.faults import Fault

MAXIMUM_LINE = 64 * 1024
"""Octets of a line without its literals."""

# literal = "{" number64 "}" CRLF *CHAR8, literal8 with "~" in front (RFC 9051 §9)
_LITERAL = re.compile(rb"~?\{(\d{1,18})\}\Z")
# Whose text is for people: what stands at its end means nothing.
_WORDS = re.compile(rb"(?:\* (?:OK|NO|BAD|BYE|PREAUTH) |\+|[A-Za-z0-9]+ (?:OK|NO|BAD) )", re.IGNORECASE)


class Text(NamedTuple):
    """A line without its end, or the part of it up to a literal of so many octets, which come next."""

    octets: bytes
    literal: int | None = None


class Reader(LineReader):
    """Cuts what came from the server. A `Text` follows the last `Piece` of a literal."""

    __slots__ = ("_literal", "_within")

    def __init__(self) -> None:
        super().__init__(MAXIMUM_LINE)
        self._literal: int | None = None
        self._within = False  # the next line goes on with a response

    def take(self) -> Text | Piece | Garbage | None:
        """The next one; None if it is not all there."""
        if self._literal is not None:
            return self._piece(self._literal)
        if self._over:
            return None
        line = self._lines.take()
        if line is None:
            return None
        if isinstance(line, Fault):
            return self._end()
        found = _LITERAL.search(line) if self._within or not _WORDS.match(line) else None
        self._within = found is not None
        if found is None:
            return Text(line)
        self._literal = int(found[1])
        return Text(line[: found.start()], self._literal)

    def _piece(self, left: int) -> Piece | None:
        octets = self._lines.take_octets(min(left, MAXIMUM_PIECE))
        if not octets and left:
            return None
        finished = len(octets) == left
        self._literal = None if finished else left - len(octets)
        return Piece(octets, finished)
