"""What 7bit and 8bit data may not hold, looked for in octets that stream (RFC 2045 §2.7, §2.8)."""

from __future__ import annotations

from attrs import define, field

LONGEST_LINE = 998
"""Octets of a line without its CRLF (RFC 5322 §2.1.1, RFC 2045 §2.7)."""

_ASCII = bytes(range(128))
_PLAIN = bytes(octet for octet in range(32, 127) if octet != ord("=")) + b"\t\r\n"


@define
class Flaws:
    """What was found in the octets of one entity, which come in pieces cut anywhere.

    Attributes:
        octets: how many there were.
        high: octets above 127.
        escapes: octets that quoted-printable would have to escape.
        nul: there was a NUL.
        bare: there was a CR or LF that is no part of a CRLF.
        long: there was a line of more than `LONGEST_LINE` octets.
    """

    octets: int = 0
    high: int = 0
    escapes: int = 0
    nul: bool = False
    bare: bool = False
    long: bool = False
    _line: int = field(default=0, init=False)  # octets of the line so far
    _carriage: bool = field(default=False, init=False)  # the last octet was a CR

    def look(self, piece: bytes) -> None:
        """The next octets."""
        if not piece:
            return
        self.octets += len(piece)
        if not piece.isascii():
            self.high += len(piece.translate(None, _ASCII))
        self.escapes += len(piece.translate(None, _PLAIN))
        self.nul = self.nul or b"\0" in piece
        if not self.bare:
            self._look_at_line_ends(piece)
        if not self.long:
            self._look_at_lines(piece)
        self._carriage = piece.endswith(b"\r")

    def finish(self) -> None:
        """That was all."""
        self.bare = self.bare or self._carriage
        self.long = self.long or self._line - self._carriage > LONGEST_LINE

    @property
    def ended(self) -> bool:
        """True if the last line has its line end (or there is none)."""
        return self._line == 0

    def _look_at_line_ends(self, piece: bytes) -> None:
        feeds, returns, pairs = piece.count(b"\n"), piece.count(b"\r"), piece.count(b"\r\n")
        if self._carriage:
            self.bare = not piece.startswith(b"\n")
            feeds -= 1
        self.bare = self.bare or feeds != pairs or returns - piece.endswith(b"\r") != pairs

    def _look_at_lines(self, piece: bytes) -> None:
        """From each line end to the last one that is near enough: whole lines in between need no look."""
        at, size, most = -self._line, len(piece), LONGEST_LINE + 2
        while size - at >= most:
            end = piece.rfind(b"\n", max(at, 0), at + most) if at + most > 0 else -1
            if end < 0 or (end == at + most - 1 and self._is_one_long_line(piece, at, end)):
                self.long = True
                return
            at = end + 1
        last = piece.rfind(b"\n", max(at, 0)) + 1
        self._line = size - last if last else size - at

    def _is_one_long_line(self, piece: bytes, start: int, end: int) -> bool:
        """Is what ends in this LF one line, and the octet in front of the LF no CR?"""
        in_pair = piece[end - 1] == 13 if end else self._carriage
        return not in_pair and piece.rfind(b"\n", max(start, 0), end) < 0
