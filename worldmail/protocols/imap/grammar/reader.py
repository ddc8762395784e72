"""Reads the arguments of one command, from left to right.

A row's parser gets a `Reader` that stands right behind the command's word, and takes what its grammar says:

    def parse(reader):
        reader.space()
        name = reader.mailbox()
        reader.end()
        return name

Every method that reads raises `BadCommand` if something else stands there, and says what it expected. Nothing here
recurses, and nothing looks at an octet twice; `parenthesised` may be nested as deep as its caller's code is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import date
from typing import TypeVar

from worldmail.mail.numbers import Numbers
from worldmail.protocols.imap.grammar.dates import read_date, read_date_time
from worldmail.protocols.imap.grammar.flags import NO_FLAGS, Flags, read_flags
from worldmail.protocols.imap.grammar.names import read_name
from worldmail.protocols.imap.parser import Literal, Part
from worldmail.protocols.imap.replies import BadCommand

T = TypeVar("T")

# atom = 1*ATOM-CHAR; ATOM-CHAR = any CHAR except "(" ")" "{" SP CTL "%" "*" DQUOTE "\" "]"
_ATOM = re.compile(rb"[^\x00-\x20(){%*\"\\\]\x7f-\xff]+")
# ASTRING-CHAR = ATOM-CHAR / "]"; octets beyond ASCII are let through, as some clients send names so
_ASTRING = re.compile(rb"[^\x00-\x20(){%*\"\\\x7f]+")
# list-char = ATOM-CHAR / list-wildcards / resp-specials
_LIST_MAILBOX = re.compile(rb"[^\x00-\x20(){\"\\\x7f]+")
# flag = "\" atom / atom
_FLAG = re.compile(rb"\\?[^\x00-\x20(){%*\"\\\]\x7f-\xff]+")
_QUOTED = re.compile(rb'"((?:[^"\\]++|\\["\\])*+)"')
_ESCAPED = re.compile(rb'\\(["\\])')
_DIGITS = re.compile(rb"[0-9]+")
_NUMBERS = re.compile(rb"[0-9*:,]+|\$")
_DATE = re.compile(rb"[0-9A-Za-z-]+")

LARGEST_32 = 0xFFFFFFFF
LARGEST_63 = 0x7FFFFFFFFFFFFFFF


class Reader:
    """One command's arguments.

    Args:
        parts: the command, as `CommandLine` has it.
        at: where to begin within the first part.
        utf8: mailbox names are UTF-8 (RFC 6855 §3).
    """

    __slots__ = ("_at", "_part", "_parts", "_text", "utf8")

    def __init__(self, parts: Sequence[Part], at: int = 0, *, utf8: bool = False) -> None:
        first = parts[0]
        assert isinstance(first, bytes)
        self._parts = parts
        self._part = 0
        self._text = first
        self._at = at
        self.utf8 = utf8

    # --- single octets ---

    def peek(self) -> bytes:
        """The next octet; b"{" where a literal stands, b"" at the end."""
        return self._text[self._at : self._at + 1] or (b"{" if self._part + 1 < len(self._parts) else b"")

    def take(self, expected: bytes) -> bool:
        """Step over these octets if they are next (a literal is none); False if they are not."""
        if self._text.startswith(expected, self._at):
            self._at += len(expected)
            return True
        return False

    def comes(self, expected: bytes) -> bool:
        """Are these octets next (a literal is none)?"""
        return self._text.startswith(expected, self._at)

    def expect(self, expected: bytes) -> None:
        """Step over these octets."""
        if not self.take(expected):
            raise BadCommand(f'"{expected.decode("ascii")}" is expected')

    def space(self) -> None:
        """Step over one space."""
        if not self._text.startswith(b" ", self._at):
            raise BadCommand("A space is expected")
        self._at += 1

    def end(self) -> None:
        """Nothing more may come. Blanks at the end are not held against a client."""
        if self._at < len(self._text) and self._text[self._at :].strip(b" "):
            raise BadCommand("The command is longer than is expected")
        if self._part + 1 < len(self._parts):
            raise BadCommand("The command is longer than is expected")

    def at_end(self) -> bool:
        """Is there nothing more?"""
        return self._at >= len(self._text) and self._part + 1 >= len(self._parts)

    # --- words ---

    def take_word(self, expected: bytes) -> bool:
        """Step over this word (in any case) if it is next, whole; False if it is not. `expected` is in capitals."""
        found = _ATOM.match(self._text, self._at)
        if found is None or found[0].upper() != expected:
            return False
        self._at = found.end()
        return True

    def atom(self) -> bytes:
        """An atom."""
        return self._match(_ATOM, "An atom is expected")

    def word(self) -> bytes:
        """An atom, in capitals: the name of something."""
        return self._match(_ATOM, "A word is expected").upper()

    def astring(self) -> bytes:
        """An atom (with "]" too), a quoted string or a literal."""
        found = _ASTRING.match(self._text, self._at)
        if found is None:
            return self.string()
        self._at = found.end()
        return found[0]

    def string(self) -> bytes:
        """A quoted string or a literal."""
        if self._text.startswith(b'"', self._at):
            return self._quoted()
        found = self.literal()
        if found.sink is not None:
            raise BadCommand("A message stands where a string is expected")
        if b"\0" in found.octets and not found.binary:
            raise BadCommand("NUL in a literal")  # RFC 9051 §4.3
        return found.octets

    def nstring(self) -> bytes | None:
        """A string, or NIL."""
        if self._text[self._at : self._at + 3].upper() == b"NIL":
            self._at += 3
            return None
        return self.string()

    def literal(self) -> Literal:
        """A literal, kept or streamed."""
        if self._at < len(self._text) or self._part + 1 >= len(self._parts):
            raise BadCommand("A string is expected")
        found = self._parts[self._part + 1]
        assert isinstance(found, Literal)
        self._part += 2
        self._at = 0
        following = self._parts[self._part] if self._part < len(self._parts) else b""
        assert isinstance(following, bytes)
        self._text = following
        return found

    def text(self) -> str:
        """An astring in UTF-8: a user name, a password."""
        try:
            return self.astring().decode("utf-8")
        except UnicodeDecodeError:
            raise BadCommand("Only UTF-8 is understood") from None

    # --- numbers and dates ---

    def number(self, largest: int = LARGEST_32) -> int:
        """A number of up to 32 bits, or up to `largest`."""
        digits = self._match(_DIGITS, "A number is expected")
        if len(digits) > 20 or (value := int(digits)) > largest:
            raise BadCommand("The number is too large")
        return value

    def number64(self) -> int:
        """A number of up to 63 bits: a size, a MODSEQ."""
        return self.number(LARGEST_63)

    def nz_number(self) -> int:
        """A number above 0."""
        value = self.number()
        if not value:
            raise BadCommand("A number above 0 is expected")
        return value

    def numbers(self) -> Numbers:
        """A set of sequence numbers or UIDs, or "$"."""
        text = self._match(_NUMBERS, "A set of numbers is expected")
        try:
            return Numbers.parse(text)
        except ValueError:
            raise BadCommand("A set of numbers is expected") from None

    def date(self) -> date:
        """A day, in quotes or not (RFC 9051 §9: date)."""
        quotes = self._text.startswith(b'"', self._at)
        text = self._quoted() if quotes else self._match(_DATE, "A date is expected")
        try:
            return read_date(text)
        except ValueError:
            raise BadCommand("A date is expected, such as 1-Feb-2030") from None

    def date_time(self) -> int:
        """A moment, epoch seconds (RFC 9051 §9: date-time)."""
        try:
            return read_date_time(self._quoted())
        except ValueError:
            raise BadCommand('A date and time is expected, such as "01-Feb-2030 10:20:30 +0000"') from None

    # --- mailboxes and flags ---

    def mailbox(self) -> str:
        """A mailbox name, decoded. Raises `BadName` too."""
        return read_name(self.astring(), utf8=self.utf8)

    def list_mailbox(self) -> str:
        """A mailbox name in which "%" and "*" may stand, decoded. Raises `BadName` too."""
        found = _LIST_MAILBOX.match(self._text, self._at)
        if found is None:
            return read_name(self.string(), utf8=self.utf8)
        self._at = found.end()
        return read_name(found[0], utf8=self.utf8)

    def flag(self) -> bytes:
        """One flag or keyword, as it is written."""
        return self._match(_FLAG, "A flag is expected")

    def flags(self) -> Flags:
        """Flags in parentheses."""
        words = self.parenthesised(self.flag)
        return read_flags(words) if words else NO_FLAGS

    def flags_of_store(self) -> Flags:
        """Flags in parentheses or without them, to the end (RFC 9051 §9: store-att-flags)."""
        if self._text.startswith(b"(", self._at):
            return self.flags()
        words = [self.flag()]
        while self.take(b" "):
            if self.at_end():
                break
            words.append(self.flag())
        return read_flags(words)

    # --- lists ---

    def parenthesised(self, read: Callable[[], T]) -> list[T]:
        """A list in parentheses, perhaps an empty one; `read` takes each of its items."""
        self.expect(b"(")
        items: list[T] = []
        if self.take(b")"):
            return items
        while True:
            items.append(read())
            if self.take(b")"):
                return items
            self.space()

    # --- within ---

    def _match(self, pattern: re.Pattern[bytes], otherwise: str) -> bytes:
        found = pattern.match(self._text, self._at)
        if found is None:
            raise BadCommand(otherwise)
        self._at = found.end()
        return found[0]

    def _quoted(self) -> bytes:
        text, start = self._text, self._at + 1
        end = text.find(b'"', start)
        if end > 0 and text.find(b"\\", start, end) < 0 and text.startswith(b'"', self._at):
            self._at = end + 1
            return _readable(text[start:end])
        found = _QUOTED.match(text, self._at)
        if found is None:
            raise BadCommand("A quoted string is expected")
        self._at = found.end()
        return _readable(_ESCAPED.sub(rb"\1", found[1]))


def _readable(octets: bytes) -> bytes:
    """What stands in quotes may be UTF-8 beside ASCII, but nothing else (RFC 6855 §3, RFC 9051 §4.3).

    A client should enable it first, but what it means is clear.
    """
    if not octets.isascii():
        try:
            octets.decode("utf-8")
        except UnicodeDecodeError:
            raise BadCommand("Only UTF-8 is understood") from None
    return octets


def nothing(reader: Reader) -> None:
    """A command without arguments."""
    reader.end()


__all__ = ["Reader", "nothing"]
