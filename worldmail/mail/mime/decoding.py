"""A part's octets without their transfer encoding, for BINARY (RFC 3516) and for whoever reads text."""

from __future__ import annotations

from collections.abc import Iterator

from worldmail.mail.mime.content import transfer_encoding
from worldmail.mail.mime.fields import Octets
from worldmail.mail.mime.part import Part
from worldmail.mail.text.transfer import IDENTITIES, decode_transfer_pieces

PIECE = 1 << 16
"""Octets that are decoded at a time."""


class UnknownEncoding(ValueError):
    """The part has a transfer encoding that nobody here knows (RFC 3516 §4.3: UNKNOWN-CTE)."""


def encoding_of(part: Part) -> str:
    """The name of its transfer encoding in lower case; what has parts has none (RFC 2045 §6.4), whatever it says."""
    if part.is_multipart or part.is_message:
        return "7bit"
    return transfer_encoding(part.fields.get(b"content-transfer-encoding")).decode("ascii", "replace").lower()


def decoded(data: Octets, part: Part) -> Iterator[bytes]:
    """The part's body without its transfer encoding, in pieces.

    Raises: UnknownEncoding.
    """
    pieces = decode_transfer_pieces(_pieces(data, part), encoding_of(part))
    if pieces is None:
        raise UnknownEncoding("the transfer encoding is not known")
    return pieces


def decoded_size(data: Octets, part: Part) -> int:
    """Octets of the part's body without its transfer encoding (BINARY.SIZE, RFC 3516 §4.2).

    Raises: UnknownEncoding.
    """
    if encoding_of(part) in IDENTITIES:
        return part.end - part.body
    return sum(map(len, decoded(data, part)))


def _pieces(data: Octets, part: Part) -> Iterator[bytes]:
    for at in range(part.body, part.end, PIECE):
        yield data[at : min(at + PIECE, part.end)]
