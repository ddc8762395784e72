"""Transfer encodings undone (RFC 2045 §6.7, §6.8), for BINARY (RFC 3516) and for whoever reads text.

Broken encodings are read as far as they can be, as RFC 2045 advises: characters that are none of base64 are passed
over, and a "=" that begins no octet stands for itself.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from typing import Protocol

from attrs import define

from worldmail.mail.mime.content import transfer_encoding
from worldmail.mail.mime.fields import Octets
from worldmail.mail.mime.part import Part

PIECE = 1 << 16
"""Octets that are decoded at a time."""

_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="
_PASSED_OVER = bytes(octet for octet in range(256) if octet not in _ALPHABET)
# White space at the end of a line came on the way (RFC 2045 §6.7, rule 3).
_TRAILING = re.compile(rb"(?<![ \t])[ \t]++(?=\r?(?:\n|\Z))")
_LONGEST_LINE = 1 << 16


class Decoder(Protocol):
    """Decodes octets that come in pieces, cut anywhere."""

    def feed(self, octets: bytes) -> bytes:
        """The next octets; what is certain by now."""

    def finish(self) -> bytes:
        """What was held back."""


class UnknownEncoding(ValueError):
    """The part has a transfer encoding that nobody here knows (RFC 3516 §4.3: UNKNOWN-CTE)."""


@define
class _Identity:
    """7bit, 8bit and binary: nothing to undo."""

    def feed(self, octets: bytes) -> bytes:
        return octets

    def finish(self) -> bytes:
        return b""


@define
class _Base64:
    """What stands behind the padding is nothing."""

    _rest: bytes = b""
    _ended: bool = False

    def feed(self, octets: bytes) -> bytes:
        if self._ended:
            return b""
        digits = self._rest + octets.translate(None, _PASSED_OVER)
        padding = digits.find(b"=")
        if padding >= 0:
            self._rest, self._ended = digits[:padding], True
            return self.finish()
        whole = len(digits) - len(digits) % 4
        self._rest = digits[whole:]
        return binascii.a2b_base64(digits[:whole])

    def finish(self) -> bytes:
        digits, self._rest = self._rest, b""
        if len(digits) % 4 == 1:
            digits = digits[:-1]  # six bits are no octet
        return binascii.a2b_base64(digits + b"=" * (-len(digits) % 4))


@define
class _QuotedPrintable:
    """Whole lines at a time, except for one that is too long to wait for."""

    _rest: bytes = b""

    def feed(self, octets: bytes) -> bytes:
        text = self._rest + octets
        cut = text.rfind(b"\n") + 1
        if not cut and len(text) > _LONGEST_LINE:
            # Between two characters then: not in "=XX", nor in white space that may be the line's end.
            cut = len(text.rstrip(b" \t\r"))
            equals = text.rfind(b"=", max(0, cut - 2), cut)
            cut = equals if equals > 0 else cut
            if len(text) - cut > _LONGEST_LINE:
                cut = len(text)
        self._rest = text[cut:]
        return _unquoted(text[:cut])

    def finish(self) -> bytes:
        text, self._rest = self._rest, b""
        return _unquoted(text)


def _unquoted(text: bytes) -> bytes:
    return binascii.a2b_qp(_TRAILING.sub(b"", text))


_DECODERS: dict[bytes, type[_Identity | _Base64 | _QuotedPrintable]] = {
    b"7bit": _Identity,
    b"8bit": _Identity,
    b"binary": _Identity,
    b"base64": _Base64,
    b"quoted-printable": _QuotedPrintable,
}


def decoder(encoding: bytes) -> Decoder:
    """For the name of a transfer encoding in any case.

    Raises: UnknownEncoding.
    """
    made = _DECODERS.get(encoding.lower())
    if made is None:
        raise UnknownEncoding("the transfer encoding is not known")
    return made()


def part_decoder(part: Part) -> Decoder:
    """For what the part says of itself; what has parts has no encoding (RFC 2045 §6.4), whatever it says.

    Raises: UnknownEncoding.
    """
    if part.is_multipart or part.is_message:
        return _Identity()
    return decoder(transfer_encoding(part.fields.get(b"content-transfer-encoding")))


def decoded(data: Octets, part: Part) -> Iterator[bytes]:
    """The part's body without its transfer encoding, in pieces.

    Raises: UnknownEncoding.
    """
    return _decoded(data, part, part_decoder(part))


def _decoded(data: Octets, part: Part, decoding: Decoder) -> Iterator[bytes]:
    for at in range(part.body, part.end, PIECE):
        yield decoding.feed(data[at : min(at + PIECE, part.end)])
    yield decoding.finish()


def decoded_size(data: Octets, part: Part) -> int:
    """Octets of the part's body without its transfer encoding (BINARY.SIZE, RFC 3516 §4.2).

    Raises: UnknownEncoding.
    """
    if isinstance(part_decoder(part), _Identity):
        return part.end - part.body
    return sum(map(len, decoded(data, part)))
