"""Mailbox names on the wire: modified UTF-7 (RFC 3501 §5.1.3), or UTF-8 (RFC 9051 §5.1, RFC 6855 §3).

Names within are Unicode in NFC; "INBOX" is in capitals whatever was sent (RFC 9051 §5.1).
"""

from __future__ import annotations

import binascii
import re
import unicodedata

from worldmail.errors import BadName

# A shifted sequence: "&", modified base64 ("," for "/", no padding), "-". "&-" is "&".
_SHIFTED = re.compile(rb"&([A-Za-z0-9+,]*)-")
_UNSAFE = re.compile("[^\x20-\x25\x27-\x7e]+|&")

LONGEST = 1024
"""Octets that a name may have on the wire."""


def read_name(octets: bytes, *, utf8: bool) -> str:
    """The name that a client wrote.

    Octets beyond ASCII are taken for UTF-8 though it was not enabled, as some clients send them. What modified UTF-7
    would write in another way ("&AEE-" for "A") is taken for what it says.

    Raises: `BadName`.
    """
    if len(octets) > LONGEST:
        raise BadName("The mailbox name is too long")
    try:
        if octets.isascii():
            if b"&" not in octets or utf8:
                name = octets.decode("ascii")
            else:
                return _normal(_from_utf7(octets))
        else:
            return _normal(octets.decode("utf-8"))
    except UnicodeDecodeError:
        raise BadName("The mailbox name is not encoded as it should be") from None
    return _inbox(name)


def write_name(name: str, *, utf8: bool) -> bytes:
    """The name as it goes over the wire, not quoted yet."""
    if name.isascii() and ("&" not in name or utf8):
        return name.encode("ascii")
    return name.encode("utf-8", "replace") if utf8 else _to_utf7(name)


def _normal(name: str) -> str:
    return _inbox(unicodedata.normalize("NFC", name))


def _inbox(name: str) -> str:
    """INBOX itself, and what is below it, begins in capitals."""
    start = name[:5]
    if start.isascii() and start.upper() == "INBOX" and (len(name) == 5 or name[5] == "/"):
        return "INBOX" + name[5:]
    return name


def _from_utf7(octets: bytes) -> str:
    """Modified UTF-7, decoded. Raises: `BadName`, UnicodeDecodeError."""
    pieces = []
    at = 0
    while (start := octets.find(b"&", at)) >= 0:
        pieces.append(octets[at:start].decode("ascii"))
        shifted = _SHIFTED.match(octets, start)
        if shifted is None:
            raise BadName("The mailbox name is not in modified UTF-7")
        pieces.append(_unshift(shifted[1]) if shifted[1] else "&")
        at = shifted.end()
    pieces.append(octets[at:].decode("ascii"))
    return "".join(pieces)


def _unshift(base64: bytes) -> str:
    """UTF-16BE out of modified base64."""
    padded = base64.replace(b",", b"/") + b"=" * (-len(base64) % 4)
    try:
        return binascii.a2b_base64(padded, strict_mode=True).decode("utf-16-be")
    except binascii.Error:
        raise BadName("The mailbox name is not in modified UTF-7") from None


def _to_utf7(name: str) -> bytes:
    return _UNSAFE.sub(_shift, name).encode("ascii")


def _shift(found: re.Match[str]) -> str:
    if found[0] == "&":
        return "&-"
    base64 = binascii.b2a_base64(found[0].encode("utf-16-be", "replace"), newline=False)
    return "&" + base64.decode("ascii").rstrip("=").replace("/", ",") + "-"
