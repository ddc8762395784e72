"""ENVELOPE (RFC 9051 §7.5.2)."""

from __future__ import annotations

from worldmail.mail.mime.addresses import render_addresses
from worldmail.mail.mime.fields import Fields
from worldmail.mail.mime.quoting import nstring, text


def render_envelope(fields: Fields) -> bytes:
    """ENVELOPE of a header's fields, in parentheses.

    Sender and Reply-To are those of From where they are absent or empty.
    """
    get = fields.get
    from_ = render_addresses(get(b"from"))
    sender, reply_to = get(b"sender"), get(b"reply-to")
    subject = get(b"subject")
    return b"(%b %b %b %b %b %b %b %b %b %b)" % (
        nstring(get(b"date")),
        b"NIL" if subject is None else text(subject),
        from_,
        _or(sender, from_),
        _or(reply_to, from_),
        render_addresses(get(b"to")),
        render_addresses(get(b"cc")),
        render_addresses(get(b"bcc")),
        nstring(get(b"in-reply-to")),
        nstring(get(b"message-id")),
    )


def _or(value: bytes | None, other: bytes) -> bytes:
    found = render_addresses(value)
    return other if found == b"NIL" else found
