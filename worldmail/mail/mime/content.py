"""What a part says of its content: type, parameters, disposition, encoding, languages (RFC 2045, 2183, 3282).

Names and values are given as they were written. Parameters that RFC 2231 cut into pieces are whole again, as §6 of
that RFC asks of IMAP servers; values with a charset are left encoded, under the name with the "*".
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import islice

from attrs import frozen

from worldmail.mail.mime.comments import without_comments
from worldmail.mail.mime.quoting import string

MAXIMUM_PARAMETERS = 1000

Parameters = tuple[tuple[bytes, bytes], ...]

# token: no space, control character or tspecial                                                   RFC 2045 §5.1
_TOKEN = rb'[^\s()<>@,;:\\"/\[\]?=\x00-\x1f\x7f]'
_TYPE = re.compile(rb"\s*(%b++)\s*/\s*(%b++)\s*(?:;|\Z)" % (_TOKEN, _TOKEN))
_WORD = re.compile(rb"\s*(%b++)\s*(?:;|\Z)" % _TOKEN)
_FIRST_WORD = re.compile(rb"\s*(%b++)" % _TOKEN)
_PARAMETER = re.compile(rb'\s*(%b++)\s*=\s*(?:"((?:[^"\\]|\\.)*+)"|(?!")(%b*+))' % (_TOKEN, _TOKEN), re.DOTALL)
_TO_SEMICOLON = re.compile(rb'(?:[^;"]++|"(?:[^"\\]|\\.)*+")*+', re.DOTALL)
_QUOTED_PAIR = re.compile(rb"\\(.)", re.DOTALL)
_SECTION = re.compile(rb"([^*]+)\*(?:(\d{1,4})(\*)?)?")
_LANGUAGE = re.compile(rb"[^\s,;:\"()<>]+")

_BOUNDARY_OCTETS = 80  # 70 are allowed (RFC 2046 §5.1.1); of longer ones that much is compared
_CACHED_OCTETS = 120


@frozen
class ContentType:
    """A media type.

    Attributes:
        rendered: type, subtype and parameters as BODYSTRUCTURE has them.
        boundary: of a multipart; None if it has none, or is no multipart.
    """

    type: bytes
    subtype: bytes
    parameters: Parameters
    is_text: bool
    is_multipart: bool
    is_message: bool
    boundary: bytes | None
    rendered: bytes


def _content_type(kind: bytes, subtype: bytes, given: Parameters) -> ContentType:
    family, full = kind.lower(), b"%b/%b" % (kind.lower(), subtype.lower())
    is_text, is_multipart, is_message = family == b"text", family == b"multipart", full in _MESSAGES
    if is_text and not any(name.lower() in _CHARSET for name, _ in given):
        given = (*given, (b"charset", b"us-ascii"))  # RFC 2045 §5.2, RFC 2046 §4.1.2
    boundary = None
    if is_multipart:
        found = next((value for name, value in given if name.lower() == b"boundary"), None)
        boundary = None if found is None else found[:_BOUNDARY_OCTETS].rstrip()
    if is_message:
        kind, subtype = family, subtype.lower()
    rendered = b"%b %b %b" % (string(kind), string(subtype), render_parameters(given))
    return ContentType(kind, subtype, given, is_text, is_multipart, is_message, boundary, rendered)


_CHARSET = frozenset({b"charset", b"charset*"})
_MESSAGES = frozenset({b"message/rfc822", b"message/global"})  # RFC 9051 §7.5.2


def render_parameters(given: Parameters) -> bytes:
    """body-fld-param (RFC 9051 §9)."""
    if not given:
        return b"NIL"
    return b"(%b)" % b" ".join([b"%b %b" % (string(name), string(value)) for name, value in given])


TEXT_PLAIN = _content_type(b"text", b"plain", ())
MESSAGE = _content_type(b"message", b"rfc822", ())
OCTET_STREAM = _content_type(b"application", b"octet-stream", ())
"""What is deeper or further on than the scanner follows is shown as this."""


def content_type(value: bytes | None, default: ContentType = TEXT_PLAIN) -> ContentType:
    """The type in a Content-Type field; the default if there is none, text/plain if it cannot be read (§5.2)."""
    if value is None:
        return default
    return _parse_type(value) if len(value) > _CACHED_OCTETS or b"oundary" in value else _parse_cached(value)


def _parse_type(value: bytes) -> ContentType:
    value = without_comments(value)
    match = _TYPE.match(value)
    if match is None:
        return TEXT_PLAIN
    return _content_type(match[1], match[2], parameters(value, match.end()))


_parse_cached = lru_cache(maxsize=512)(_parse_type)


def parameters(value: bytes, position: int) -> Parameters:
    """The parameters that begin there, behind the first ";"; what cannot be read is passed over.

    Args:
        value: a field without comments.
    """
    found: list[tuple[bytes, bytes]] = []
    pieced = False
    size = len(value)
    while position < size and len(found) < MAXIMUM_PARAMETERS:
        match = _PARAMETER.match(value, position)
        if match is not None:
            name, quoted, plain = match.groups()
            found.append((name, _QUOTED_PAIR.sub(rb"\1", quoted) if quoted is not None else plain))
            pieced = pieced or b"*" in name
            position = match.end()
        rest = _TO_SEMICOLON.match(value, position)
        position = size if rest is None else rest.end()
        if value[position : position + 1] != b";":
            break  # the end, or a quoted string that does not end
        position += 1
    return _joined(found) if pieced else tuple(found)


def _joined(found: list[tuple[bytes, bytes]]) -> Parameters:
    """Parameters cut into pieces are put together (RFC 2231 §3, §4.1)."""
    pieces: dict[bytes, dict[int, tuple[bytes, bool]]] = {}
    names: dict[bytes, bytes] = {}
    whole: list[tuple[bytes, bytes]] = []
    for name, value in found:
        section = _SECTION.fullmatch(name)
        if section is None or section[2] is None:
            whole.append((name, value))
            continue
        key = section[1].lower()
        names.setdefault(key, section[1])
        pieces.setdefault(key, {}).setdefault(int(section[2]), (value, section[3] is not None))
    for key, numbered in pieces.items():
        whole += _join(names[key], numbered)
    return tuple(whole)


def _join(name: bytes, numbered: dict[int, tuple[bytes, bool]]) -> Parameters:
    """One parameter of its pieces; as they are if one is missing."""
    if sorted(numbered) != list(range(len(numbered))):
        return tuple(
            (b"%b*%d%b" % (name, number, b"*" if encoded else b""), value)
            for number, (value, encoded) in numbered.items()
        )
    run = [numbered[number] for number in range(len(numbered))]
    value = b"".join([octets for octets, _ in run])
    if not any(encoded for _, encoded in run):
        return ((name, value),)
    # Without the quotes of a charset in front the name with "*" would promise what is not there.
    return ((name + b"*", value if run[0][1] else b"''" + value),)


def disposition(value: bytes) -> tuple[bytes, Parameters]:
    """The type of a Content-Disposition (b"" if it cannot be read) and its parameters (RFC 2183 §2)."""
    value = without_comments(value)
    match = _FIRST_WORD.match(value)
    semicolon = value.find(b";")
    return b"" if match is None else match[1], parameters(value, semicolon + 1) if semicolon >= 0 else ()


def transfer_encoding(value: bytes | None) -> bytes:
    """The mechanism, as written; 7bit if none is given or it cannot be read (RFC 2045 §6.1)."""
    if value is None:
        return b"7bit"
    match = _WORD.match(without_comments(value))
    return b"7bit" if match is None else match[1]


def languages(value: bytes) -> list[bytes]:
    """The tags of a Content-Language field (RFC 3282 §2)."""
    return [match[0] for match in islice(_LANGUAGE.finditer(without_comments(value)), MAXIMUM_PARAMETERS)]
