"""Lines out of what a POP3 client sends.

An event is one line without its CRLF, or the `Fault` of a line that cannot be one. Which lines are
commands and which belong to a SASL exchange is the session's to know; it sets the limit that fits.
"""

from __future__ import annotations

from worldmail.wire.faults import Fault
from worldmail.wire.lines import LineBuffer

Event = bytes | Fault

# After one of these the two ends may not agree where a line ends: nothing behind it can be trusted.
FRAMING_FAULTS = frozenset({Fault.BARE_CR, Fault.BARE_LF})


def split_command(line: bytes) -> tuple[bytes, bytes]:
    """The keyword in upper case, and what follows it and one space (RFC 1939 §3)."""
    word, _, argument = line.partition(b" ")
    return word.upper(), argument


__all__ = ["FRAMING_FAULTS", "Event", "Fault", "LineBuffer", "split_command"]
