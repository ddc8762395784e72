"""xtext: any octets in a parameter's value (RFC 3461 §4), and what RFC 6533 adds for UTF-8 addresses.

    xtext   = *( xchar / hexchar )
    xchar   = any ASCII CHAR between "!" (33) and "~" (126) inclusive, except for "+" and "="
    hexchar = ASCII "+" immediately followed by two upper case hexadecimal digits

What stands behind an xtext must be printable ASCII: nothing decoded here can end a
line or hide from the log.
"""

from __future__ import annotations

import re

_XTEXT = re.compile(r"(?:[!-*,-<>-~]|\+[0-9A-F]{2})*")
_HEXCHAR = re.compile(r"\+([0-9A-F]{2})")
_PRINTABLE = re.compile(r"[ -~]*")
# EmbeddedUnicodeChar = "\x{" HEXPOINT "}"                                   RFC 6533 §3
_EMBEDDED = re.compile(r"\\x\{([0-9A-F]{2,6})\}")
# QCHAR = %x21-2a / %x2c-3c / %x3e-5b / %x5d-7e                               RFC 6533 §3
_PLAIN = frozenset(map(chr, range(0x21, 0x7F))) - frozenset("+=\\")
_UNITEXT = re.compile(r"[!-~\x80-\U0010ffff]*")


def decode_xtext(text: str) -> str:
    """Decode; the result is printable US-ASCII. Raises ValueError for anything that is not xtext."""
    if _XTEXT.fullmatch(text) is None:
        raise ValueError("not xtext")
    decoded = _HEXCHAR.sub(lambda match: chr(int(match[1], 16)), text)
    if _PRINTABLE.fullmatch(decoded) is None:
        raise ValueError("xtext of unprintable characters")
    return decoded


def encode_xtext(text: str) -> str:
    """Encode printable US-ASCII. Raises ValueError for anything else."""
    if _PRINTABLE.fullmatch(text) is None:
        raise ValueError("only printable ASCII can be put into xtext")
    return "".join(char if _XTEXT.fullmatch(char) else f"+{ord(char):02X}" for char in text)


def decode_utf8_address(text: str) -> str:
    """Decode the address of a "utf-8" ORCPT, in any of the three forms of RFC 6533 §3.

    Raises: ValueError if it is none of them, or stands for a control character or surrogate.
    """
    if text.isascii():
        text = decode_xtext(text)
    elif _UNITEXT.fullmatch(text) is None:
        raise ValueError("not utf-8-addr-unitext")
    decoded = _EMBEDDED.sub(lambda match: _character(match[1]), text)
    if not decoded.isprintable():
        raise ValueError("an address of unprintable characters")
    return decoded


def _character(hexpoint: str) -> str:
    point = int(hexpoint, 16)
    if point > 0x10FFFF or 0xD800 <= point <= 0xDFFF:
        raise ValueError("no such character")
    return chr(point)


def encode_utf8_address(text: str, *, native: bool = False) -> str:
    """Encode as utf-8-addr-xtext, which is ASCII, or, for who knows SMTPUTF8, as utf-8-addr-unitext (RFC 6533 §3).

    Raises: ValueError for an unprintable character.
    """
    if not text.isprintable():
        raise ValueError("an address of unprintable characters")
    return "".join(char if char in _PLAIN or (native and char > "~") else f"\\x{{{ord(char):02X}}}" for char in text)
