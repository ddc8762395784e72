"""The arguments of POP3 commands: octets in, values out.

    command      =  keyword *(SP param) CRLF        ; RFC 2449 §3
    keyword      =  3*4VCHAR
    param        =  1*VCHAR

A parser here takes what followed the keyword and one space, and raises `BadSyntax`.
Blanks at the end of a line are not held against a client, except in a password.
"""

from __future__ import annotations

import binascii
import re

from attrs import field, frozen

from worldmail.errors import AuthenticationFailed, Refusal

# A message-number has no leading sign; ten digits are more messages than a maildrop can hold.
_NUMBER = re.compile(rb"[0-9]{1,10}")
_ANY_NUMBER = re.compile(rb"[0-9]+")
MOST_DIGITS = 10
MOST_LINES = 10**MOST_DIGITS - 1

# sasl-mech = 1*20mech-char; mech-char = UPPER-ALPHA / DIGIT / HYPHEN / UNDERSCORE (RFC 4422 §3.1)
_MECHANISM = re.compile(rb"[A-Za-z0-9_-]{1,20}")

# The digest is "sent in hexadecimal format, using lower-case ASCII characters" (RFC 1939 §7).
_DIGEST = re.compile(rb"[0-9a-f]{32}")

# language-range = (1*8ALPHA *("-" 1*8alphanum)) / "*" (RFC 4647 §2.1)
_LANGUAGE_RANGE = re.compile(rb"[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*|\*")

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class BadSyntax(Refusal):
    """The argument of a command is not what its grammar says."""

    code = 501
    enhanced = "5.5.4"
    text = "Syntax error in the argument"


@frozen
class TopRequest:
    """TOP: a message-number and how many lines of the body."""

    number: int
    lines: int


@frozen
class ApopRequest:
    """APOP: the name and the digest, 32 lower-case hex octets."""

    name: str
    digest: bytes = field(repr=False)


@frozen
class AuthRequest:
    """AUTH: the mechanism (None: which are there?) and the initial response (None: there was none)."""

    mechanism: str | None
    initial: bytes | None = field(repr=False)


def nothing(argument: bytes) -> None:
    """A command without argument."""
    if argument.strip(b" "):
        raise BadSyntax("This command takes no argument")


def number(argument: bytes) -> int:
    """A message-number. One that no message can have (0) is a number too."""
    argument = argument.strip(b" ")
    if not _NUMBER.fullmatch(argument):
        raise BadSyntax("A message number is expected")
    return int(argument)


def optional_number(argument: bytes) -> int | None:
    """A message-number, or nothing (LIST, UIDL)."""
    return number(argument) if argument.strip(b" ") else None


def top(argument: bytes) -> TopRequest:
    """A message-number and a number of lines; both are required (RFC 1939 §7). Of so many lines no message has more."""
    words = argument.split()
    if len(words) != 2 or not (_NUMBER.fullmatch(words[0]) and _ANY_NUMBER.fullmatch(words[1])):
        raise BadSyntax("A message number and a number of lines are expected")
    lines = words[1].lstrip(b"0")
    return TopRequest(int(words[0]), MOST_LINES if len(lines) > MOST_DIGITS else int(lines or b"0"))


def login_name(argument: bytes) -> str:
    """The name of a mailbox, in UTF-8 (RFC 6856 §2.2)."""
    name = _text(argument.strip(b" "))
    if not name or _CONTROL.search(name):
        raise BadSyntax("A user name is expected")
    return name


def password(argument: bytes) -> str:
    """A password: the whole rest of the line, blanks included (RFC 1939 §7), in UTF-8 (RFC 6856 §2.2)."""
    if not argument:
        raise BadSyntax("A password is expected")
    return _text(argument)


def apop(argument: bytes) -> ApopRequest:
    """A name and a digest (RFC 1939 §7)."""
    name, _, digest = argument.rstrip(b" ").rpartition(b" ")
    if not _DIGEST.fullmatch(digest):
        raise BadSyntax("A user name and a digest are expected")
    return ApopRequest(login_name(name), digest)


def auth(argument: bytes) -> AuthRequest:
    """A mechanism and perhaps an initial response; "=" is an empty one (RFC 5034 §4)."""
    argument = argument.rstrip(b" ")
    if not argument:
        return AuthRequest(None, None)
    words = argument.split(b" ")
    if len(words) > 2 or not _MECHANISM.fullmatch(words[0]):
        raise BadSyntax("A mechanism and at most one initial response are expected")
    mechanism = words[0].decode("ascii").upper()
    if len(words) == 1:
        return AuthRequest(mechanism, None)
    return AuthRequest(mechanism, b"" if words[1] == b"=" else from_base64(words[1]))


def sasl_response(line: bytes) -> bytes | None:
    """A line of a SASL exchange: its octets, or None for "*", which cancels (RFC 5034 §4)."""
    return None if line == b"*" else from_base64(line)


def language_range(argument: bytes) -> str | None:
    """A basic language range, "*" among them, or nothing (RFC 6856 §3.2)."""
    argument = argument.strip(b" ")
    if not argument:
        return None
    if not _LANGUAGE_RANGE.fullmatch(argument):
        raise BadSyntax("A language is expected")
    return argument.decode("ascii")


def from_base64(text: bytes) -> bytes:
    """Strict base64: no other character, padding only at the end (RFC 5034 §4).

    Raises: `AuthenticationFailed` as a syntax error; the text itself may be a secret and is never repeated.
    """
    try:
        if len(text) % 4 == 0:
            return binascii.a2b_base64(text, strict_mode=True)
    except binascii.Error:
        pass
    raise AuthenticationFailed("Malformed base64", code=501, enhanced="5.5.2")


def to_base64(octets: bytes) -> bytes:
    """Base64 without line ends."""
    return binascii.b2a_base64(octets, newline=False)


def _text(octets: bytes) -> str:
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError:
        raise BadSyntax("Only UTF-8 is understood") from None
