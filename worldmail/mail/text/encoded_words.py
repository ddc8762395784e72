"""Header text that is written in ASCII: encoded words (RFC 2047) and parameter values (RFC 2231).

More is read than the RFCs let anybody write: words need no white space around them, may stand in quoted strings, may
hold spaces and question marks, and may cut a character in two. What is no word, or cannot be decoded, stays as it is.
"""

from __future__ import annotations

import binascii
import re
import urllib.parse
from collections.abc import Iterable, Mapping

from attrs import define

from worldmail.mail.text import charsets

# encoded-word = "=?" charset ["*" language] "?" encoding "?" encoded-text "?="         RFC 2047 §2, RFC 2231 §5
# Each repetition is possessive and bounded, so that a text is read in linear time.
_WORD = re.compile(r"=\?([^?\s]{1,60})\?([bBqQ])\?([^?]*+(?:\?(?!=)[^?]*+){0,4})\?=")
_NOT_BASE64 = re.compile(r"[^A-Za-z0-9+/]")

# attribute "*" section "*"                                                              RFC 2231 §3, §4, §4.1
_SECTION = re.compile(r"([^*]+)(?:\*(0|[1-9][0-9]{0,5}))?(\*)?\Z")


def header_text(value: bytes) -> str:
    """The text of an unfolded field value: raw 8-bit octets as UTF-8 or as is guessed, encoded words decoded."""
    return decode_words(charsets.decode(value))


def decode_words(text: str) -> str:
    """The text with its encoded words decoded, and without the white space between adjacent ones (RFC 2047 §6.2)."""
    if "=?" not in text:
        return text
    given: list[str] = []
    run: _Run | None = None
    end = 0
    for match in _WORD.finditer(text):
        octets = _octets(match[2], match[3])
        if octets is None:
            continue
        between = text[end : match.start()]
        adjacent = run is not None and (not between or between.isspace())
        charset = match[1].partition("*")[0].lower()
        if run is not None and adjacent and charset == run.charset:
            run.octets.append(octets)
        else:
            decoded = run is not None and run.finish(text, end, given)
            if not (adjacent and decoded):
                given.append(between)
            run = _Run(start=match.start(), charset=charset, octets=[octets])
        end = match.end()
    if run is not None:
        run.finish(text, end, given)
    given.append(text[end:])
    return "".join(given)


@define(kw_only=True)
class _Run:
    """Adjacent words in one charset: decoded together, since some senders cut characters in two."""

    start: int
    charset: str
    octets: list[bytes]

    def finish(self, text: str, end: int, given: list[str]) -> bool:
        """Add the run's text to what is given; False if it could not be decoded, and stays as it is."""
        decoded = charsets.decode_word(b"".join(self.octets), self.charset)
        given.append(text[self.start : end] if decoded is None else decoded)
        return decoded is not None


def _octets(encoding: str, text: str) -> bytes | None:
    """What the text of a word encodes (RFC 2047 §4); None if that cannot be told."""
    if encoding in "qQ":
        return binascii.a2b_qp(text.encode("utf-8", "surrogatepass"), header=True)
    digits = _NOT_BASE64.sub("", text)
    if len(digits) % 4 == 1 or (text and not digits):
        return None
    return binascii.a2b_base64(digits + "=" * (-len(digits) % 4))


def parameters(raw: Iterable[tuple[str, bytes]]) -> dict[str, str]:
    """Parameters of a MIME field, decoded, by their lower-case names (RFC 2231 §3, §4).

    Sections are put together in their order, up to the first that lacks; of two that say the same, the first counts,
    and what is in sections counts more than what is not. Encoded words in values, which are against RFC 2047 §5 and
    common, are decoded.

    Args:
        raw: attributes and values in their order, quotes and escapes taken off the values.
    """
    whole: dict[str, str] = {}
    pieces: dict[str, dict[int, tuple[bool, bytes]]] = {}
    for attribute, value in raw:
        match = _SECTION.match(attribute.lower())
        if match is None or (match[2] is None and match[3] is None):
            whole.setdefault(attribute.lower(), header_text(value))
        else:
            pieces.setdefault(match[1], {}).setdefault(int(match[2] or 0), (match[3] is not None, value))
    return whole | {name: _joined(sections) for name, sections in pieces.items() if 0 in sections}


def _joined(sections: Mapping[int, tuple[bool, bytes]]) -> str:
    """The text of a value in sections; the first one tells the charset."""
    extended, first = sections[0]
    charset: str | None = None
    octets: list[bytes] = []
    if extended and first.count(b"'") >= 2:
        name, _, first = first.split(b"'", 2)
        charset = name.decode("ascii", "replace")
    octets.append(urllib.parse.unquote_to_bytes(first) if extended else first)
    number = 1
    while number in sections:
        extended, value = sections[number]
        octets.append(urllib.parse.unquote_to_bytes(value) if extended else value)
        number += 1
    return charsets.decode(b"".join(octets), charset)
