"""ENVELOPE (RFC 9051 §7.5.2)."""

from __future__ import annotations

from worldmail.mail.mime.addresses import NO_ADDRESSES, address_list
from worldmail.mail.mime.fields import Fields
from worldmail.mail.mime.quoting import nstring, text


def render_envelope(fields: Fields) -> bytes:
    """ENVELOPE of a header's fields, in parentheses.

    Sender and Reply-To are those of From where they are absent or empty.
    """
    get = fields.get
    from_ = address_list(get(b"from")).rendered
    sender, reply_to = get(b"sender"), get(b"reply-to")
    subject = get(b"subject")
    return b"(%b %b %b %b %b %b %b %b %b %b)" % (
        nstring(get(b"date")),
        b"NIL" if subject is None else text(subject),
        from_,
        _or(sender, from_),
        _or(reply_to, from_),
        address_list(get(b"to")).rendered,
        address_list(get(b"cc")).rendered,
        address_list(get(b"bcc")).rendered,
        nstring(get(b"in-reply-to")),
        nstring(get(b"message-id")),
    )


def _or(value: bytes | None, other: bytes) -> bytes:
    if not value:
        return other
    found = address_list(value)
    return other if found is NO_ADDRESSES else found.rendered
