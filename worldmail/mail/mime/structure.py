"""BODYSTRUCTURE (RFC 9051 §7.5.2, §9: body). BODY, without extension data, is cut out of it where it is asked for."""

from __future__ import annotations

from worldmail.mail.mime.content import (
    TEXT_PLAIN,
    disposition,
    languages,
    render_parameters,
    transfer_encoding,
)
from worldmail.mail.mime.envelope import render_envelope
from worldmail.mail.mime.fields import Fields
from worldmail.mail.mime.part import Part
from worldmail.mail.mime.quoting import nstring, string

_NOTHING = b" NIL NIL NIL NIL"
# A multipart without parts is shown with an empty one: the grammar asks for one at least.
_EMPTY = b'(%b NIL NIL "7bit" 0 0%b)' % (TEXT_PLAIN.rendered, _NOTHING)


def render_structure(part: Part) -> bytes:
    """BODYSTRUCTURE, in parentheses."""
    if part.content.is_multipart:
        return _multipart(part)
    content, fields = part.content, part.fields
    if fields.keys().isdisjoint(_DESCRIBING):
        basic = b'(%b NIL NIL "7bit" %d' % (content.rendered, part.end - part.body)
    else:
        basic = b"(%b %b %b %b %d" % (
            content.rendered,
            nstring(fields.get(b"content-id")),
            nstring(fields.get(b"content-description")),
            string(transfer_encoding(fields.get(b"content-transfer-encoding"))),
            part.end - part.body,
        )
    if content.is_text:
        basic = b"%b %d" % (basic, part.lines)
    elif content.is_message:
        inner = part.children[0]
        basic = b"%b %b %b %d" % (basic, render_envelope(inner.fields), render_structure(inner), part.lines)
    return basic + _extension(fields) + b")"


_DESCRIBING = frozenset({b"content-id", b"content-description", b"content-transfer-encoding"})


def _multipart(part: Part) -> bytes:
    children = b"".join([render_structure(child) for child in part.children]) or _EMPTY
    given = render_parameters(part.content.parameters)
    return b"(%b %b %b%b)" % (children, string(part.content.subtype), given, _placing(part.fields))


def _extension(fields: Fields) -> bytes:
    """MD5, disposition, language and location."""
    if fields.keys().isdisjoint(_EXTENDING):
        return _NOTHING
    return b" %b%b" % (nstring(fields.get(b"content-md5")), _placing(fields))


def _placing(fields: Fields) -> bytes:
    """Disposition, language and location."""
    shown = tags = b"NIL"
    value = fields.get(b"content-disposition")
    if value is not None:
        kind, given = disposition(value)
        shown = b"(%b %b)" % (string(kind), render_parameters(given))
    value = fields.get(b"content-language")
    if value:
        found = languages(value)
        if found:
            tags = b"(%b)" % b" ".join(map(string, found))
    return b" %b %b %b" % (shown, tags, nstring(fields.get(b"content-location")))


_EXTENDING = frozenset({b"content-md5", b"content-disposition", b"content-language", b"content-location"})
