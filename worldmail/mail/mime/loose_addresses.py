"""Addresses read token by token, whatever is wrong with them (RFC 5322 §3.4, §4.4)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

from attrs import define, field, frozen

from worldmail.mail.mime.comments import end_of_comment

MAXIMUM_ADDRESSES = 10_000
_MAXIMUM_TOKENS = 10 * MAXIMUM_ADDRESSES

MISSING_MAILBOX, MISSING_DOMAIN = b"MISSING_MAILBOX", b"MISSING_DOMAIN"
SYNTAX_ERROR, INVALID_ROUTE = b"SYNTAX_ERROR", b"INVALID_ROUTE"
"""What is shown for a part that cannot be read: NIL would make a group of the address (RFC 9051 §7.5.2)."""

_TOKEN = re.compile(rb'[^\s()<>\[\]:;@\\,".\x00-\x1f\x7f]++|"((?:[^"\\]|\\.)*+)"|\[[^\[\]\\]*+\]|(\s++)|.', re.DOTALL)
_QUOTED_PAIR = re.compile(rb"\\(.)", re.DOTALL)
_SEPARATORS = frozenset({b",", b";", b":"})
_NOTHING: frozenset[bytes] = frozenset()
_IN_ROUTE = frozenset({b",", b":"})
_ENCLOSING = {b"<": frozenset({b":"}), b":": frozenset({b":"}), b">": _NOTHING}  # what cuts no more behind these
_SPECIALS = frozenset({b"<", b">", b":", b";", b"@", b",", b"."})


@frozen
class Address:
    """One member of an address list: a mailbox, the start of a group (no host), or its end (nothing)."""

    name: bytes | None = None
    route: bytes | None = None
    mailbox: bytes | None = None
    host: bytes | None = None


@define
class _Token:
    """A word or a special character; `spaced` if white space or a comment stands in front of it."""

    text: bytes
    special: bool
    spaced: bool
    quoted: bool = False
    comment: bool = False


@frozen
class _Element:
    """What stands between two separators; `comments` are those behind its first token."""

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
            yield _Token(value[position:end].removesuffix(b")"), False, spaced, comment=True)
            position, spaced = end, True
            continue
        if word == b'"':  # a quoted string that does not end
            quoted, position = b"", size
        if quoted is not None:
            yield _Token(_QUOTED_PAIR.sub(rb"\1", quoted), False, spaced, quoted=True)
        else:
            yield _Token(word, word in _SPECIALS, spaced)
        spaced = False


def _elements(value: bytes) -> Iterator[_Element]:
    """Cut at commas, semicolons and colons, but for colons behind "<" and a source route's commas (RFC 5322 §4.4)."""
    tokens: list[_Token] = []
    comments: list[bytes] = []
    kept: frozenset[bytes] = _NOTHING
    for token in islice(_tokens(value), _MAXIMUM_TOKENS):
        word = token.text if token.special else b""
        if token.comment:
            if tokens:
                comments.append(token.text)
        elif word in _SEPARATORS and word not in kept:
            yield _Element(tokens, comments, word)
            tokens, comments, kept = [], [], _NOTHING
        else:
            if word == b"@" and tokens and tokens[-1].special and tokens[-1].text == b"<":
                kept = _IN_ROUTE
            elif word in _ENCLOSING:
                kept = _ENCLOSING[word]
            tokens.append(token)
    yield _Element(tokens, comments)


def _address(element: _Element) -> Address:
    tokens = element.tokens
    texts = [token.text if token.special else None for token in tokens]
    if b"<" in texts:
        opening = texts.index(b"<")
        return _in_brackets(_phrase(tokens[:opening]), tokens[opening + 1 :])
    at = texts.index(b"@") if b"@" in texts else len(tokens)
    before = tokens[:at]
    if not _is_one_word(before, at == len(tokens)):
        return Address(_phrase(before), None, MISSING_MAILBOX, MISSING_DOMAIN)
    name = b" ".join(element.comments[-1:]) or None
    domain, _ = _domain(tokens[at + 1 :])
    return Address(name, None, _joined(before) if before else MISSING_MAILBOX, domain or MISSING_DOMAIN)


def _in_brackets(name: bytes | None, inside: list[_Token]) -> Address:
    """The address behind "<"; what is not an address to its end is not guessed at."""
    texts = [token.text if token.special else None for token in inside]
    route = None
    if texts[:1] == [b"@"]:
        if b":" not in texts:
            return Address(name, INVALID_ROUTE, MISSING_MAILBOX, MISSING_DOMAIN)
        colon = texts.index(b":")
        route = b"".join([token.text for token in inside[:colon]])
        inside, texts = inside[colon + 1 :], texts[colon + 1 :]
    if texts[:1] == [b">"]:
        return Address(name, route, MISSING_MAILBOX, MISSING_DOMAIN)
    local, behind = _dotted(inside)
    mailbox = _joined(local) if local else MISSING_MAILBOX
    if texts[behind : behind + 1] == [b">"]:
        return Address(name, route, mailbox, MISSING_DOMAIN)
    domain, size = _domain(inside[behind + 1 :])
    if texts[behind : behind + 1] != [b"@"] or texts[behind + 1 + size : behind + 2 + size] != [b">"]:
        domain = None
    return Address(name, route, mailbox, domain or SYNTAX_ERROR)


def _dotted(tokens: list[_Token]) -> tuple[list[_Token], int]:
    """The words with dots between that the tokens begin with, and how many tokens they are."""
    for count, token in enumerate(tokens):
        if token.special and token.text != b".":
            return tokens[:count], count
        if count and token.spaced and tokens[count - 1].text != b"." and token.text != b".":
            return tokens[:count], count
    return tokens, len(tokens)


def _domain(tokens: list[_Token]) -> tuple[bytes | None, int]:
    """The domain that the tokens begin with, and how many of them it is; None if its dots stand wrong."""
    kept, count = _dotted(tokens)
    dots = [token.special for token in kept]
    right = count % 2 == 1 and not any(dots[::2]) and all(dots[1::2])
    return _joined(kept) if right else None, count


def _is_one_word(tokens: list[_Token], alone: bool) -> bool:
    """True for a local part: words with dots between; one that stands alone is a name if it is quoted."""
    return _dotted(tokens)[1] == len(tokens) and not (alone and any(token.quoted for token in tokens))


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
