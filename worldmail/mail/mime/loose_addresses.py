"""Addresses read token by token, whatever is wrong with them (RFC 5322 §3.4, §4.4)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from attrs import field, frozen

from worldmail.mail.mime.comments import end_of_comment

MAXIMUM_ADDRESSES = 10_000

MISSING_MAILBOX, MISSING_DOMAIN = b"MISSING_MAILBOX", b"MISSING_DOMAIN"
"""What is shown for a part that is not there: NIL would make a group of the address (RFC 9051 §7.5.2)."""

_TOKEN = re.compile(rb'[^\s()<>\[\]:;@\\,".\x00-\x1f\x7f]++|"((?:[^"\\]|\\.)*+)"|\[[^\[\]\\]*+\]|(\s++)|.', re.DOTALL)
_QUOTED_PAIR = re.compile(rb"\\(.)", re.DOTALL)
_SEPARATORS = frozenset({b",", b";", b":"})
_SPECIALS = frozenset({b"<", b">", b":", b";", b"@", b",", b"."})


@frozen
class Address:
    """One member of an address list: a mailbox, the start of a group (no host), or its end (nothing)."""

    name: bytes | None = None
    route: bytes | None = None
    mailbox: bytes | None = None
    host: bytes | None = None


@frozen
class _Token:
    """A word or a special character; `spaced` if white space or a comment stands in front of it."""

    text: bytes
    special: bool
    spaced: bool
    quoted: bool = False
    comment: bool = False


@frozen
class _Element:
    """What stands between two separators."""

    tokens: list[_Token] = field(factory=list)
    comments: list[bytes] = field(factory=list)
    separator: bytes = b""


def read_loosely(value: bytes) -> list[Address]:
    """The addresses of an unfolded field, group starts and ends among them."""
    found: list[Address] = []
    grouped = False
    for element in _elements(value):
        if element.separator == b":" and not grouped and not any(token.text == b"@" for token in element.tokens):
            grouped = True
            found.append(Address(mailbox=_phrase(element.tokens) or b""))
            continue
        if element.tokens:
            found.append(_address(element))
        if grouped and element.separator == b";":
            grouped = False
            found.append(Address())
        if len(found) >= MAXIMUM_ADDRESSES:
            break
    if grouped:
        found.append(Address())
    return found


def _tokens(value: bytes) -> Iterator[_Token]:
    spaced = False
    position, size = 0, len(value)
    while position < size:
        match = _TOKEN.match(value, position)
        assert match is not None  # its last branch takes anything
        word, (quoted, space) = match[0], match.groups()
        position = match.end()
        if space is not None:
            spaced = True
            continue
        if word == b"(":
            end = end_of_comment(value, match.start())
            yield _Token(value[position : max(position, end - 1)], False, spaced, comment=True)
            position, spaced = end, True
            continue
        if word == b'"':  # a quoted string that does not end
            quoted, position = value[position:], size
        if quoted is not None:
            yield _Token(_QUOTED_PAIR.sub(rb"\1", quoted), False, spaced, quoted=True)
        else:
            yield _Token(word, word in _SPECIALS, spaced)
        spaced = False


def _elements(value: bytes) -> Iterator[_Element]:
    """Cut at the commas, semicolons and colons, but for those of a source route (RFC 5322 §4.4)."""
    tokens: list[_Token] = []
    comments: list[bytes] = []
    routed = False
    for token in _tokens(value):
        word = token.text if token.special else b""
        if token.comment:
            comments.append(token.text)
        elif word in _SEPARATORS and not (routed and word != b";"):
            yield _Element(tokens, comments, word)
            tokens, comments, routed = [], [], False
        else:
            if word == b"@" and tokens and tokens[-1].special and tokens[-1].text == b"<":
                routed = True
            elif word in (b">", b":"):
                routed = False
            tokens.append(token)
    yield _Element(tokens, comments)


def _address(element: _Element) -> Address:
    tokens = element.tokens
    texts = [token.text if token.special else None for token in tokens]
    if b"<" in texts:
        opening = texts.index(b"<")
        closing = texts.index(b">", opening) if b">" in texts[opening:] else len(tokens)
        return _in_brackets(_phrase(tokens[:opening]), tokens[opening + 1 : closing])
    name = b" ".join(element.comments[-1:]) or None
    at = texts.index(b"@") if b"@" in texts else len(tokens)
    before = tokens[:at]
    if _is_one_word(before, at == len(tokens)):
        return Address(name, None, _joined(before) if before else MISSING_MAILBOX, _domain(tokens[at + 1 :]))
    return Address(_phrase(before), None, MISSING_MAILBOX, MISSING_DOMAIN)


def _in_brackets(name: bytes | None, inside: list[_Token]) -> Address:
    texts = [token.text if token.special else None for token in inside]
    route = None
    if texts[:1] == [b"@"] and b":" in texts:
        colon = texts.index(b":")
        route = b"".join([token.text for token in inside[:colon]])
        inside, texts = inside[colon + 1 :], texts[colon + 1 :]
    at = texts.index(b"@") if b"@" in texts else len(inside)
    local = _joined(inside[:at]) if at else MISSING_MAILBOX
    return Address(name, route, local, _domain(inside[at + 1 :]))


def _domain(tokens: list[_Token]) -> bytes:
    """Words with dots between; what stands behind them is no part of it."""
    kept: list[_Token] = []
    for token in tokens:
        if token.special and token.text != b".":
            break
        if kept and token.spaced and kept[-1].text != b"." and token.text != b".":
            break
        kept.append(token)
    return _joined(kept) if kept else MISSING_DOMAIN


def _is_one_word(tokens: list[_Token], alone: bool) -> bool:
    """True for a local part: words with dots between; one that stands alone is a name if it is quoted."""
    if alone and any(token.quoted for token in tokens):
        return False
    return not any(second.spaced and first.text != b"." and second.text != b"." for first, second in pairwise(tokens))


def _joined(tokens: list[_Token]) -> bytes:
    """A local part or domain: white space around dots says nothing (RFC 5322 §4.4), other words stay apart."""
    pieces: list[bytes] = []
    last = b"."
    for token in tokens:
        if token.spaced and last != b"." and token.text != b".":
            pieces.append(b" ")
        pieces.append(token.text)
        last = token.text
    return b"".join(pieces)


def _phrase(tokens: list[_Token]) -> bytes | None:
    """A display name, quotes and comments removed; None if there is none."""
    pieces: list[bytes] = []
    for token in tokens:
        if token.spaced and pieces:
            pieces.append(b" ")
        pieces.append(token.text)
    return b"".join(pieces) or None
