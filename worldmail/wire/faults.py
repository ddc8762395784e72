"""What can be wrong with the octets of a line."""

from __future__ import annotations

import enum


class Fault(enum.Enum):
    """The first thing wrong with a line, or with a message's lines."""

    BARE_CR = "bare CR"
    BARE_LF = "bare LF"
    NUL = "NUL octet"
    TOO_LONG = "line too long"
