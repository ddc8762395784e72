"""The addresses in a From, Sender or To field (RFC 5322 §3.4), for those who decide by them.

Strict where strictness is safe: what cannot be read for sure raises ValueError, so
that nobody decides by a guess. Display names and comments are passed over.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from worldmail.mail.address import Address

MAXIMUM_ADDRESSES = 1000

# A word with its dots, a quoted string, a domain literal, or one of the specials. Comments are taken off before.
_TOKEN = re.compile(r'[^\s()<>\[\]:;@\\,"\x00-\x1f\x7f]+|"(?:[^"\\\r\n]|\\.)*"|\[[^\[\]\\\s]*\]|[<>:;@,]|\s+')
_COMMENT_PARTS = re.compile(r'"(?:[^"\\]|\\.)*"|\\.|[()]')


def addresses_of(value: bytes) -> list[Address]:
    """The addresses of an unfolded address list, in their order; unqualified ones have no domain.

    Raises: ValueError if the value breaks the grammar, or has more than `MAXIMUM_ADDRESSES`.
    """
    found: list[Address] = []
    words: list[str] = []
    angle: str | None = None
    grouped = False
    tokens = _tokens(_without_comments(value.decode("utf-8")))
    for token in tokens:
        if token == "<":
            if angle is not None:
                raise ValueError("two addresses without a comma")
            angle = _until_closed(tokens)
        elif token == ":" and not grouped and angle is None:
            grouped, words = True, []
        elif token in (",", ";"):
            if token == ";" and not grouped:
                raise ValueError("a group ends that did not begin")
            grouped = grouped and token != ";"
            _finish(found, words, angle)
            words, angle = [], None
        elif token in (">", ":"):
            raise ValueError("misplaced special character")
        elif angle is not None:
            raise ValueError("text behind an address")
        else:
            words.append(token)
    if grouped:
        raise ValueError("a group does not end")
    _finish(found, words, angle)
    return found


def _finish(found: list[Address], words: list[str], angle: str | None) -> None:
    """One mailbox is complete."""
    if angle is not None:
        found.append(Address.parse(angle))
    elif words:
        # Without angle brackets nothing but the addr-spec may stand there; white space inside it is gone already.
        if "@" not in words and len(words) > 1:
            raise ValueError("a name without an address")
        found.append(Address.parse("".join(words)))
    if len(found) > MAXIMUM_ADDRESSES:
        raise ValueError("too many addresses")


def _until_closed(tokens: Iterator[str]) -> str:
    """What stands between "<" and ">", a source route taken off (RFC 5322 §4.4)."""
    inside: list[str] = []
    for token in tokens:
        if token == ">":
            return "".join(inside)
        if token == ":" and inside[:1] == ["@"]:
            inside.clear()
        elif token == "<" or (token in ":;") or (token == "," and inside[:1] != ["@"]):
            break
        else:
            inside.append(token)
    raise ValueError("an angle bracket is not closed")


def _tokens(text: str) -> Iterator[str]:
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise ValueError("an unreadable character")
        position = match.end()
        if not match[0].isspace():
            yield match[0]


def _without_comments(text: str) -> str:
    """Comments, which nest, become a space; parentheses in quoted strings are none (RFC 5322 §3.2.2)."""
    if "(" not in text and ")" not in text:
        return text
    kept: list[str] = []
    depth = start = 0
    position = 0
    while (match := _COMMENT_PARTS.search(text, position)) is not None:
        position = match.end()
        if match[0] == "(":
            if depth == 0:
                kept.append(text[start : match.start()])
            depth += 1
        elif match[0] == ")":
            depth -= 1
            if depth < 0:
                raise ValueError("a comment ends that did not begin")
            start = position
        elif depth and match[0].startswith('"'):
            position = match.start() + 1  # quotes mean nothing in a comment
    if depth:
        raise ValueError("a comment does not end")
    kept.append(text[start:])
    return " ".join(kept)
