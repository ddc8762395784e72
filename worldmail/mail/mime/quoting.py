"""Octets as IMAP strings (RFC 9051 §4.3): quoted where they may be, else literals."""

from __future__ import annotations

_LONGEST_QUOTED = 1000


def string(value: bytes) -> bytes:
    """Quoted if it is short ASCII without line ends, else a literal; the value must hold no NUL."""
    if value.isascii() and len(value) <= _LONGEST_QUOTED and b"\r" not in value and b"\n" not in value:
        if b"\\" in value:
            value = value.replace(b"\\", b"\\\\")
        if b'"' in value:
            value = value.replace(b'"', b'\\"')
        return b'"%b"' % value
    return b"{%d}\r\n%b" % (len(value), value)


def nstring(value: bytes | None) -> bytes:
    """The same, or NIL."""
    return b"NIL" if value is None else string(value)


def text(value: bytes) -> bytes:
    """A string for people to read: each stretch of white space is one space."""
    return string(b" ".join(value.split()))
