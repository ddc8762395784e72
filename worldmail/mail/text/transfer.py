"""The octets that a part's transfer encoding carries (RFC 2045 §6), as far as they can be made out.

Readers are lenient: what is no base64 is passed over, what breaks off gives what was there.
"""

from __future__ import annotations

import binascii
from collections.abc import Callable, Iterable, Iterator

_PIECE = 1 << 16
_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_NOT_BASE64 = bytes(set(range(256)) - set(_BASE64) - {0x3D})
_LONGEST_LINE = 1 << 16

IDENTITIES = frozenset(("", "7bit", "8bit", "binary"))
"""Encodings that are none."""


def is_known(encoding: str) -> bool:
    """True if octets in this encoding can be decoded."""
    return encoding.lower() in IDENTITIES or encoding.lower() in _DECODERS


def decode_transfer(octets: bytes, encoding: str) -> bytes | None:
    """The octets as they were before they were encoded; None for an unknown encoding."""
    pieces = decode_transfer_pieces((octets,), encoding)
    return None if pieces is None else b"".join(pieces)


def decode_transfer_pieces(pieces: Iterable[bytes], encoding: str) -> Iterator[bytes] | None:
    """The same for octets that come in pieces, cut anywhere."""
    name = encoding.strip().lower()
    if name in IDENTITIES:
        return iter(pieces)
    decoder = _DECODERS.get(name)
    return None if decoder is None else decoder(pieces)


def _from_base64(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Up to the padding; digits that are too few for an octet are passed over."""
    held = b""
    for piece in pieces:
        digits = held + piece.translate(None, _NOT_BASE64)
        end = digits.find(b"=")
        if end >= 0:
            held = digits[:end]
            break
        whole = len(digits) - len(digits) % 4
        if whole:
            yield binascii.a2b_base64(digits[:whole])
        held = digits[whole:]
    if len(held) % 4 == 1:
        held = held[:-1]
    if held:
        yield binascii.a2b_base64(held + b"=" * (-len(held) % 4))


def _from_quoted_printable(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Line by line, since a soft line break and the blanks before a line's end need their line."""
    held = b""
    for piece in pieces:
        octets = held + piece
        cut = octets.rfind(b"\n") + 1
        if not cut and len(octets) > _LONGEST_LINE:
            # No line: between two characters then, of which one may be "=XX" or a soft line break.
            sign = octets.rfind(b"=", len(octets) - 3)
            cut = len(octets) if sign < 0 else sign
        if cut:
            yield binascii.a2b_qp(octets[:cut])
        held = octets[cut:]
    if held:
        yield binascii.a2b_qp(held)


_DECODERS: dict[str, Callable[[Iterable[bytes]], Iterator[bytes]]] = {
    "base64": _from_base64,
    "quoted-printable": _from_quoted_printable,
}
