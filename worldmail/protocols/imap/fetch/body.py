"""Other forms of BODYSTRUCTURE: without extension data, which is BODY (RFC 9051 §7.5.2), and as RFC 3501 has it.

What is kept of a message is the longest form; the others are cut out of it where they are asked for.
"""

from __future__ import annotations

import re
from collections.abc import Callable

# A quoted string, the head of a literal, a parenthesis, an atom (NIL, a number), blanks.
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*+"|\{([0-9]+)\}\r\n|[()]|[^ ()"{]++|[ ]++', re.DOTALL)

_BASIC = 7  # type, subtype, parameters, id, description, encoding, size
_WHOLE = (b'"RFC822"', b'"GLOBAL"')
_GLOBAL = b'"message" "global"'  # as it is rendered

_Token = tuple[int, int]


def without_extensions(structure: bytes) -> bytes:
    """A BODYSTRUCTURE, in parentheses, as BODY."""
    return _Cutter(structure).body()


def as_in_rfc_3501(structure: bytes) -> bytes:
    """A BODYSTRUCTURE or BODY in which message/global is a part like others.

    RFC 3501 §9 knows of envelope and structure for message/rfc822 alone; IMAP4rev2 and UTF8=ACCEPT made message/global
    another such type (RFC 9051 §7.5.2, RFC 9755 §6), which who enabled neither could not read.
    """
    return _Cutter(structure).basic() if _GLOBAL in structure else structure


class _Cutter:
    """Reads one structure from left to right."""

    def __init__(self, structure: bytes) -> None:
        self._text = structure
        self._tokens: list[_Token] = []
        self._next = 0
        at = 0
        while at < len(structure) and (found := _TOKEN.match(structure, at)) is not None:
            end = found.end() + int(found[1] or 0)
            if structure[at] != 0x20:
                self._tokens.append((at, end))
            at = end

    def body(self) -> bytes:
        """The next body; nested bodies are as deep as the scanner lets parts be."""
        self._next += 1
        values = [self._children(self.body)] if self._peek() == b"(" else self._single(self.body)
        if len(values) == 1:
            values.append(self._value())
        self._close()
        return b"(%b)" % b" ".join(values)

    def basic(self) -> bytes:
        """The next body with what it has, but for what RFC 3501 does not know of message/global."""
        self._next += 1
        values = [self._children(self.basic)] if self._peek() == b"(" else self._single(self.basic)
        if b" ".join(values[:2]) == _GLOBAL:
            del values[_BASIC:]
        while self._peek() != b")":
            values.append(self._value())
        self._next += 1
        return b"(%b)" % b" ".join(values)

    def _children(self, read: Callable[[], bytes]) -> bytes:
        children = []
        while self._peek() == b"(":
            children.append(read())
        return b"".join(children)

    def _single(self, read: Callable[[], bytes]) -> list[bytes]:
        values = [self._value() for _ in range(_BASIC)]
        kind, subtype = values[0].upper(), values[1].upper()
        if kind == b'"TEXT"':
            values.append(self._value())
        elif kind == b'"MESSAGE"' and subtype in _WHOLE:
            values += [self._value(), read(), self._value()]
        return values

    def _peek(self) -> bytes:
        start, end = self._tokens[self._next]
        return self._text[start:end]

    def _value(self) -> bytes:
        """One string, atom or list, as it stands."""
        start, end = self._tokens[self._next]
        self._next += 1
        if self._text[start:end] == b"(":
            end = self._close()
        return self._text[start:end]

    def _close(self) -> int:
        """Step behind the parenthesis that closes what is open."""
        depth, end = 1, 0
        while depth:
            start, end = self._tokens[self._next]
            token = self._text[start:end]
            depth += (token == b"(") - (token == b")")
            self._next += 1
        return end
