"""The fields of a header that a reader of mail asks for, by their lower-case names (RFC 5322 §2.2).

Values are unfolded and without the space around them; NUL, which no IMAP string may hold, has become U+FFFD.
"""

from __future__ import annotations

import mmap

Octets = bytes | mmap.mmap
"""A whole message; a large one may be a mapped file."""

Fields = dict[bytes, bytes]

MAXIMUM_HEADER = 1 << 20
"""Octets of one header that are looked at."""

ADDRESSES = (b"from", b"sender", b"reply-to", b"to", b"cc", b"bcc")
CONTENT = (
    b"content-type",
    b"content-transfer-encoding",
    b"content-id",
    b"content-description",
    b"content-disposition",
    b"content-md5",
    b"content-language",
    b"content-location",
)
_OTHERS = (b"date", b"subject", b"in-reply-to", b"message-id", b"references")

# How names are mostly spelled; other spellings are folded to lower case first.
_KNOWN = {
    spelling: name
    for name in (*ADDRESSES, *CONTENT, *_OTHERS)
    for spelling in (
        name,
        name.upper(),
        name.title(),
        name.title().replace(b"-Id", b"-ID").replace(b"-Md5", b"-MD5"),
    )
}
_LONGEST = max(map(len, _KNOWN))
_REPLACEMENT = "\ufffd".encode()
_FIRST_COUNTS = frozenset(CONTENT) - {b"content-disposition"}
_JOINED = frozenset(ADDRESSES)


def header_end(data: Octets, start: int, limit: int) -> int:
    """Where the body begins: behind the first empty line, or at the limit if there is none."""
    if data[start : start + 2] == b"\r\n":
        return min(start + 2, limit)
    if data[start : start + 1] == b"\n":
        return min(start + 1, limit)
    crlf = data.find(b"\n\r\n", start, limit)
    bare = data.find(b"\n\n", start, limit if crlf < 0 else crlf)
    if bare >= 0:
        return bare + 2
    return limit if crlf < 0 else crlf + 3


def read_fields(data: Octets, start: int, end: int) -> Fields:
    """The fields that are asked for in the header at these offsets.

    No RFC says what counts where a field that may come once came more often. Here, as with other servers, it is the
    first of those that describe content, the last of the others, and address lists are taken together.
    """
    header = unfolded(data[start : min(end, start + MAXIMUM_HEADER)])
    if b"\0" in header:
        header = header.replace(b"\0", _REPLACEMENT)
    fields: Fields = {}
    repeated: dict[bytes, list[bytes]] = {}
    known = _KNOWN.get
    for line in header.split(b"\n"):
        spelled, colon, value = line.partition(b":")
        name = known(spelled)
        if name is None:
            if len(spelled) > _LONGEST + 8 or not colon:
                continue
            name = known(spelled.rstrip(b" \t").lower())
            if name is None:
                continue
        if name not in fields:
            fields[name] = value.strip()
        elif name in _JOINED:
            repeated.setdefault(name, [fields[name]]).append(value.strip())
        elif name not in _FIRST_COUNTS:
            fields[name] = value.strip()
    for name, values in repeated.items():
        fields[name] = b",".join(filter(None, values))
    return fields


def unfolded(header: bytes) -> bytes:
    """Fields on one line each (RFC 5322 §2.2.3): each fold is gone, the white space behind it stays."""
    if b"\n " in header:
        header = header.replace(b"\r\n ", b" ").replace(b"\n ", b" ")
    if b"\n\t" in header:
        header = header.replace(b"\r\n\t", b"\t").replace(b"\n\t", b"\t")
    return header
