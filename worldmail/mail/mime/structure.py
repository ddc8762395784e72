"""BODYSTRUCTURE and BODY (RFC 9051 §7.5.2, §9: body)."""

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

# A multipart without parts is shown with an empty one: the grammar asks for one at least.
_EMPTY = TEXT_PLAIN.rendered + b' NIL NIL "7bit" 0 0'
_NOTHING = b" NIL NIL NIL NIL"


def render_structure(part: Part) -> bytes:
    """BODYSTRUCTURE, in parentheses."""
    return _render(part, True)


def render_body(part: Part) -> bytes:
    """BODY: the same without extension data."""
    return _render(part, False)


def _render(part: Part, extended: bool) -> bytes:
    if part.content.is_multipart:
        return _multipart(part, extended)
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
        basic = b"%b %b %b %d" % (basic, render_envelope(inner.fields), _render(inner, extended), part.lines)
    return basic + _extension(fields) + b")" if extended else basic + b")"


_DESCRIBING = frozenset({b"content-id", b"content-description", b"content-transfer-encoding"})


def _multipart(part: Part, extended: bool) -> bytes:
    if part.children:
        children = b"".join([_render(child, extended) for child in part.children])
    else:
        children = b"(%b%b)" % (_EMPTY, _NOTHING if extended else b"")
    subtype = string(part.content.subtype)
    if not extended:
        return b"(%b %b)" % (children, subtype)
    given = render_parameters(part.content.parameters)
    return b"(%b %b %b%b)" % (children, subtype, given, _placing(part.fields))


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
