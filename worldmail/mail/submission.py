"""What a submission server may complete in a message from one of its own users (RFC 6409 §8).

Only the header is completed, never the body; a header that carries a signature is
completed by what its signature cannot cover: fields that are missing. Blind copies are
taken out, as many programs that submit leave to their server.
"""

from __future__ import annotations

import re

from worldmail.mail.address import Address
from worldmail.mail.dates import date_time
from worldmail.mail.header import Header

_ADDRESS_FIELDS = frozenset((b"from", b"sender", b"reply-to", b"to", b"cc", b"bcc"))
_BLIND = (b"bcc", b"resent-bcc")
_SIGNATURES = (b"dkim-signature", b"arc-message-signature", b"domainkey-signature")
_FIELD = re.compile(rb"^([!-9;-~]+)([ \t]*:)([^\n]*\n(?:[ \t][^\n]*\n)*)", re.MULTILINE)

# Only lists of plain words are qualified: whatever has a quote, a comment or a bracket is left to its author.
_WORD = rb"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+"
_ADDRESS = _WORD + rb"(?:@" + _WORD + rb")?"
_SIMPLE_LIST = re.compile(rb"\s*" + _ADDRESS + rb"(?:\s*,\s*" + _ADDRESS + rb")*\s*")
_ITEM = re.compile(_ADDRESS)


def missing_fields(header: Header, *, author: Address, host: str, unique: str, at: int) -> bytes:
    """Date, From and Message-ID, those that are not there, each with its CRLF (RFC 5322 §3.6, RFC 6409 §8.2, §8.3).

    Args:
        author: who it is from, if the message does not say.
        host: our own name, the right side of a Message-ID.
        unique: text that never comes again, such as the acceptance id.
        at: epoch seconds.
    """
    fields: list[str] = []
    if b"date" not in header:
        fields.append(f"Date: {date_time(at)}\r\n")
    if b"from" not in header:
        fields.append(f"From: <{author}>\r\n")
    if b"message-id" not in header:
        fields.append(f"Message-ID: <{unique}@{host}>\r\n")
    return "".join(fields).encode()


def without_blind_copies(header: Header) -> Header:
    """The header without Bcc and Resent-Bcc, whose names the other recipients must not see (RFC 5322 §3.6.3, §5).

    As it is if it has none, or is signed.
    """
    if not any(name in header for name in _BLIND) or any(name in header for name in _SIGNATURES):
        return header
    return Header(header.without(_BLIND))


def qualified_header(header: Header, domain: str) -> bytes:
    """The raw header, plain words in address fields completed with `domain` (RFC 6409 §8.8); as it is if signed."""
    if any(name in header for name in _SIGNATURES):
        return header.raw
    suffix = b"@" + domain.encode()

    def field(match: re.Match[bytes]) -> bytes:
        value = match[3]
        if match[1].lower() not in _ADDRESS_FIELDS or _SIMPLE_LIST.fullmatch(value) is None:
            return match[0]
        return match[1] + match[2] + _ITEM.sub(lambda item: item[0] if b"@" in item[0] else item[0] + suffix, value)

    return _FIELD.sub(field, header.raw)
