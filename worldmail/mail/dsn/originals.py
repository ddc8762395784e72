"""The part that gives the message back, or its header (RFC 6522 §2, RFC 3461 §6.2, RFC 6533 §4)."""

from __future__ import annotations

from attrs import frozen

from worldmail.mail.dsn.values import Original
from worldmail.mail.envelope import Body
from worldmail.mail.header import Header
from worldmail.mail.line_ends import with_line_ends
from worldmail.mail.mime.encoders import quoted_printable
from worldmail.mail.mime.flaws import LONGEST_LINE
from worldmail.mail.mime.references import message_id
from worldmail.mail.text.encoded_words import header_text

HEADER_LIMIT = 1 << 16
"""Octets of a header that is given back; what is behind them is left out."""

_MESSAGE_ID_LIMIT = 900


@frozen
class Part:
    """A body part: its header with the empty line, what stands in it, and what of body types it needs."""

    header: bytes
    content: bytes
    body: Body


def whole(original: Original) -> Part:
    """The header of the part that the whole message stands in; its content is put there by who has it."""
    in_utf8, body = original.in_utf8 or _is_utf8(original.header), original.envelope.body
    if body is Body.SEVEN_BIT and (in_utf8 or not original.header.isascii()):
        body = Body.EIGHT_BIT
    return Part(part_header("message/global" if in_utf8 else "message/rfc822", "Returned message", body), b"", body)


def header_alone(header: bytes) -> Part | None:
    """The part with the header; None if there is none."""
    kept = _bounded(with_line_ends(header).replace(b"\0", b"?"))
    if not kept:
        return None
    kind, utf8 = "text/rfc822-headers", _is_utf8(kept)
    if utf8:
        kind = "message/global-headers"
    long = any(len(line) > LONGEST_LINE for line in kept.split(b"\r\n"))
    if long or (not utf8 and not kept.isascii()):
        # RFC 6533 §4.4 lets message/global-headers be encoded; the other is a text.
        return Part(part_header(kind, "Header of the message", None), quoted_printable(kept), Body.SEVEN_BIT)
    body = Body.EIGHT_BIT if utf8 else Body.SEVEN_BIT
    return Part(part_header(kind, "Header of the message", body), kept, body)


def part_header(kind: str, description: str, body: Body | None) -> bytes:
    """The header of a body part with the empty line behind it; `body` is None for quoted-printable."""
    encoding = {None: "quoted-printable", Body.EIGHT_BIT: "8bit", Body.BINARY: "binary"}.get(body)
    label = f"Content-Transfer-Encoding: {encoding}\r\n" if encoding else ""
    return f"Content-Description: {description}\r\nContent-Type: {kind}\r\n{label}\r\n".encode()


def subject_of(header: bytes) -> str:
    """The subject, for people; "" if there is none."""
    value = Header(_bounded(with_line_ends(header))).first(b"subject")
    return "" if value is None else header_text(value[:2000])


def id_of(header: bytes) -> str | None:
    """The Message-ID with its angle brackets, if it is one that can be written again."""
    value = Header(_bounded(with_line_ends(header))).first(b"message-id")
    found = message_id(value)
    if value is None or found is None or len(found) > _MESSAGE_ID_LIMIT or not found.isascii():
        return None
    text = f"<{found.decode('ascii')}>"
    return text if text.encode() in value and text.isprintable() and " " not in text else None


def _bounded(header: bytes) -> bytes:
    """Whole lines of it, as far as the limit allows."""
    if len(header) > HEADER_LIMIT:
        header = header[: header.rfind(b"\r\n", 0, HEADER_LIMIT) + 2]
    return header if header.endswith(b"\r\n") or not header else header + b"\r\n"


def _is_utf8(octets: bytes) -> bool:
    """True if it is UTF-8 and not ASCII (RFC 6532 §3.2)."""
    if octets.isascii():
        return False
    try:
        octets.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
