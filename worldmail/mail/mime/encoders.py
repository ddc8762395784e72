"""Content put into base64 or quoted-printable while it streams (RFC 2045 §6.7, §6.8).

What comes out is the same however the content was cut.
"""

from __future__ import annotations

import binascii
import re
from typing import Protocol

from attrs import define, field

_BASE64_LINE = 57  # octets that become 76 characters
_PIECE = 4096
"""Octets of a line without end that are written at a time, with a soft line break behind."""

_SIMPLE = re.compile(rb"(?!--)[ -<>-~\t]{0,75}(?<![ \t])")
_UNFIT = re.compile(rb"[^ -<>-~\t]|[ \t]\Z")  # white space at the end of a line gets lost (RFC 2045 §6.7, rule 3)
_ESCAPES = {bytes([octet]): b"=%02X" % octet for octet in range(256)}
_ROW = 75  # octets of a row, without the "=" of a soft line break (rule 5)


class Encoder(Protocol):
    """Encodes octets that come in pieces, cut anywhere."""

    def feed(self, octets: bytes) -> bytes:
        """The next octets; what is certain by now."""

    def finish(self, *, last: bool) -> bytes:
        """What was held back. `last` if no delimiter follows: then the last line is ended."""


@define
class Base64Encoder:
    """Any octets; lines end in CRLF, but for the last one."""

    _rest: bytes = field(default=b"", init=False)
    _begun: bool = field(default=False, init=False)

    def feed(self, octets: bytes) -> bytes:
        octets = self._rest + octets
        whole = len(octets) - len(octets) % _BASE64_LINE
        self._rest = octets[whole:]
        return b"".join([self._line(octets[at : at + _BASE64_LINE]) for at in range(0, whole, _BASE64_LINE)])

    def finish(self, *, last: bool) -> bytes:
        rest, self._rest = self._rest, b""
        return (self._line(rest) if rest else b"") + (b"\r\n" if last and self._begun else b"")

    def _line(self, octets: bytes) -> bytes:
        line = binascii.b2a_base64(octets, newline=False)
        if self._begun:
            return b"\r\n" + line
        self._begun = True
        return line


@define
class QuotedPrintableEncoder:
    """Text: a CRLF is a line end; a CR or LF alone is escaped like any other octet that must be.

    No line begins with two hyphens, so none is taken for a delimiter.
    """

    _rest: bytes = field(default=b"", init=False)

    def feed(self, octets: bytes) -> bytes:
        *lines, rest = (self._rest + octets).split(b"\r\n")
        given = [_line(line) + b"\r\n" for line in lines]
        # The CRLF of a line that is exactly as long may be cut in two: it is waited for.
        while len(rest) >= _PIECE + 2:
            given.append(_encoded(rest[:_PIECE]) + b"=\r\n")
            rest = rest[_PIECE:]
        self._rest = rest
        return b"".join(given)

    def finish(self, *, last: bool) -> bytes:
        rest, self._rest = self._rest, b""
        return _line(rest) + (b"=\r\n" if last and rest else b"")


def quoted_printable(text: bytes) -> bytes:
    """A whole text with CRLFs."""
    encoder = QuotedPrintableEncoder()
    return encoder.feed(text) + encoder.finish(last=False)


def _line(line: bytes) -> bytes:
    if len(line) <= _PIECE:
        return _encoded(line)
    return b"=\r\n".join([_encoded(line[at : at + _PIECE]) for at in range(0, len(line), _PIECE)])


def _encoded(line: bytes) -> bytes:
    """A line, or a piece of one, without its line end; in rows with soft line breaks between them."""
    if _SIMPLE.fullmatch(line):
        return line
    text = _UNFIT.sub(lambda match: _ESCAPES[match[0]], line)
    rows: list[bytes] = []
    at, size = 0, len(text)
    while at < size:
        lead = b"=2D" if text.startswith(b"--", at) else b""
        start = at + bool(lead)
        at = min(size, start + _ROW - len(lead))
        if at < size:
            escape = text.find(b"=", at - 2, at)
            at = at if escape < 0 else escape
        rows.append(lead + text[start:at])
    return b"=\r\n".join(rows)
