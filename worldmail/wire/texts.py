"""What may be wrong with the lines of a text, as it streams (RFC 5321 §2.3.8, §4.5.2, §4.5.3.1.6).

Which fault is told depends on the text alone, never on where the network cut it.
Sound text is looked at whole, in C; only a faulty one is looked at more closely, once.
"""

from __future__ import annotations

import re
from io import IncrementalNewlineDecoder

from worldmail.wire.faults import Fault

_WRONG_OCTET = re.compile(rb"\r(?!\n)|(?<!\r)\n|\0")
_FAULTS = {b"\r": Fault.BARE_CR, b"\n": Fault.BARE_LF, b"\0": Fault.NUL}


class TextInspector:
    """Looks at a text whose lines are to end in CRLF.

    Args:
        line_limit: the longest line allowed, in octets, its CRLF included; 0 does not look.

    Attributes:
        fault: the first in the text's order; None as long as there is none.
    """

    __slots__ = ("_limit", "_line_ends", "_open", "fault")

    def __init__(self, line_limit: int) -> None:
        self._limit = line_limit
        self._line_ends = IncrementalNewlineDecoder(None, translate=False)
        self._open = 0  # octets of a line whose end has not come
        self.fault: Fault | None = None

    def feed(self, text: bytes) -> None:
        """The next octets, not cut within a CRLF: a CR at their end is a bare one."""
        if self.fault is not None:
            return
        began = self._open
        # The decoder keeps note of the kinds of line ends, four times as fast as counting them; of a CR at the end it
        # cannot tell yet.
        self._line_ends.decode(text.decode("latin-1"))
        if (
            self._line_ends.newlines not in (None, "\r\n")
            or text.endswith(b"\r")
            or b"\0" in text
            or (self._limit and self._has_long_line(text))
        ):
            self.fault = self._first(text, began)

    def _has_long_line(self, text: bytes) -> bool:
        """Hops from line end to line end, a limit's length at a time."""
        limit, size = self._limit, len(text)
        at = 0
        if self._open:
            at = text.find(b"\n", 0, max(0, limit - self._open)) + 1
            if not at:
                self._open += size
                return self._open > limit
        while size - at > limit:
            feed = text.rfind(b"\n", at, at + limit)
            if feed < 0:
                return True
            at = feed + 1
        self._open = size - max(at, text.rfind(b"\n", at) + 1)
        return False

    def _first(self, text: bytes, began: int) -> Fault:
        """The fault whose octet comes first; of a long line that is the one beyond the limit."""
        wrong = _WRONG_OCTET.search(text)
        if wrong is None:
            return Fault.TOO_LONG
        if self._limit:
            line = -began
            while line + self._limit < wrong.start():
                feed = text.find(b"\n", max(0, line), line + self._limit)
                if feed < 0:
                    return Fault.TOO_LONG
                line = feed + 1
        return _FAULTS[wrong.group()]
