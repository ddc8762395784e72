"""Text from elsewhere made fit for a report: no controls, no tricks with direction, bounded."""

from __future__ import annotations

import re
import unicodedata

_UNFIT = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_MISPLACED = re.compile(r"[^ -~]")
_SPECIAL = re.compile(r"[^!-*,-<>-\[\]-~]")


def cleaned(text: str, most: int = 1000) -> str:
    """On one line, every character that does not show as itself replaced; at most so many characters."""
    shown = " ".join(text[: 4 * most].split())
    if not (shown.isascii() and shown.isprintable()):
        shown = "".join("?" if unicodedata.category(character) in _UNFIT else character for character in shown)
    return shown if len(shown) <= most else shown[: most - 3] + "..."


def in_ascii(text: str, most: int = 1000) -> str:
    """The same in US-ASCII."""
    return ascii_as_written(cleaned(text, most))


def as_written(address: str) -> str:
    """An address, but for what could end a line; joiners are letters to some scripts."""
    return _CONTROLS.sub("?", address)


def ascii_as_written(text: str) -> str:
    """The same in US-ASCII."""
    return text if text.isascii() and text.isprintable() else _MISPLACED.sub("?", text)


def utf8_xtext(address: str) -> str:
    """An address of the type utf-8 in its 7-bit form, utf-8-addr-xtext (RFC 6533 §3)."""
    return _SPECIAL.sub(lambda match: f"\\x{{{ord(match[0]):02X}}}", address)
