"""What may be wrong with text that comes in chunks (RFC 3030 §2, RFC 5321 §2.3.8).

BDAT carries any octets; unless the client said BODY=BINARYMIME they must still be
lines that end in CRLF. This looks at chunks as `wire.dots.DotReader` looks at DATA.
"""

from __future__ import annotations

from worldmail.wire.faults import Fault
from worldmail.wire.texts import TextInspector


class ChunkInspector:
    """Looks at octets as they stream.

    Args:
        line_limit: the longest line allowed, CRLF included; 0 does not look.

    Attributes:
        fault: the first that was found.
        ends_line: True if the last octets were CRLF (or nothing came yet).
    """

    __slots__ = ("_return_held", "_text", "ends_line")

    def __init__(self, line_limit: int) -> None:
        self._text = TextInspector(line_limit)
        self._return_held = False
        self.ends_line = True

    @property
    def fault(self) -> Fault | None:
        return self._text.fault

    def feed(self, octets: bytes) -> None:
        """The next octets, cut anywhere."""
        if not octets:
            return
        text = b"\r" + octets if self._return_held else octets
        self._return_held = octets.endswith(b"\r")
        self.ends_line = text.endswith(b"\r\n")
        self._text.feed(text[:-1] if self._return_held else text)

    def finish(self) -> None:
        """Nothing more comes."""
        if self._return_held:
            self._text.feed(b"\r")
