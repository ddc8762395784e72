"""What may be wrong with text that comes in chunks (RFC 3030 §2, RFC 5321 §2.3.8).

BDAT carries any octets; unless the client said BODY=BINARYMIME they must still be
lines that end in CRLF. This looks at chunks as `wire.dots.DotReader` looks at DATA.
"""

from __future__ import annotations

from worldmail.wire.faults import Fault


class ChunkInspector:
    """Looks at octets as they stream.

    Args:
        line_limit: the longest line allowed, CRLF included; 0 does not look.

    Attributes:
        fault: the first that was found.
        ends_line: True if the last octets were CRLF (or nothing came yet).
    """

    __slots__ = ("_line_limit", "_open", "_return_held", "ends_line", "fault")

    def __init__(self, line_limit: int) -> None:
        self._line_limit = line_limit
        self._open = 0
        self._return_held = False
        self.fault: Fault | None = None
        self.ends_line = True

    def feed(self, octets: bytes) -> None:
        """The next octets, cut anywhere."""
        if not octets or self.fault is not None:
            return
        text = b"\r" + octets if self._return_held else octets
        self._return_held = octets.endswith(b"\r")
        self.ends_line = text.endswith(b"\r\n")
        if self._return_held:
            text = text[:-1]
        pairs = text.count(b"\r\n")
        if text.count(b"\n") != pairs:
            self.fault = Fault.BARE_LF
        elif text.count(b"\r") != pairs:
            self.fault = Fault.BARE_CR
        elif b"\0" in text:
            self.fault = Fault.NUL
        elif self._line_limit and self._too_long(text):
            self.fault = Fault.TOO_LONG

    def finish(self) -> None:
        """Nothing more comes."""
        if self._return_held and self.fault is None:
            self.fault = Fault.BARE_CR

    def _too_long(self, text: bytes) -> bool:
        limit, size = self._line_limit, len(text)
        start = -self._open
        while size - start > limit:
            feed = text.rfind(b"\n", max(start, 0), max(start + limit, 0))
            if feed < 0:
                return True
            start = feed + 1
        feed = text.rfind(b"\n", max(start, 0))
        self._open = size - (start if feed < 0 else feed + 1)
        return False
