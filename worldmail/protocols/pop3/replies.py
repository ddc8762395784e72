"""POP3 replies, and which response code a refusal carries.

single-line  =  status [SP text] CRLF             ; 512 octets maximum
text         =  *schar / resp-code *CHAR          ; RFC 2449 §3
"""

from __future__ import annotations

from collections.abc import Iterable

from worldmail.errors import AuthenticationFailed, LoginTooSoon, MailboxInUse, Refusal
from worldmail.protocols.pop3.grammar import BadSyntax

IN_USE = b"IN-USE"  # RFC 2449 §8.1.2
LOGIN_DELAY = b"LOGIN-DELAY"  # RFC 2449 §8.1.1
AUTH = b"AUTH"  # RFC 3206 §5
SYS_TEMP = b"SYS/TEMP"  # RFC 3206 §4
SYS_PERM = b"SYS/PERM"  # RFC 3206 §4
UTF8 = b"UTF8"  # RFC 6856 §5

_LONGEST_TEXT = 480


class CommandRefused(Refusal):
    """A command that makes no sense here, or now; the text says why. No response code."""

    code = 503
    enhanced = "5.5.1"


class NoCommand(CommandRefused):
    """The line is none of our commands."""


class Utf8Needed(Refusal):
    """The message cannot be sent to a client that did not give the UTF8 command (RFC 6856 §5)."""

    code = 554
    enhanced = "5.6.7"
    text = "This message needs UTF-8 mode"


def ok(text: str = "") -> bytes:
    """A positive reply of one line."""
    return b"+OK " + _line(text) + b"\r\n" if text else b"+OK\r\n"


def err(text: str, code: bytes | None = None) -> bytes:
    """A negative reply of one line."""
    return b"-ERR [" + code + b"] " + _line(text) + b"\r\n" if code else b"-ERR " + _line(text) + b"\r\n"


def multi_line(text: str, lines: Iterable[bytes]) -> bytes:
    """A positive reply with lines that never begin with a dot."""
    return b"".join((ok(text), *(line + b"\r\n" for line in lines), b".\r\n"))


def response_code(refusal: Refusal) -> bytes | None:
    """The response code that tells what kind of refusal it is; None where there is none to tell."""
    if isinstance(refusal, Utf8Needed):
        return UTF8
    if isinstance(refusal, MailboxInUse):
        return IN_USE
    if isinstance(refusal, LoginTooSoon):
        return LOGIN_DELAY
    if isinstance(refusal, BadSyntax | CommandRefused):
        return None
    if isinstance(refusal, AuthenticationFailed):
        # A response that could not even be read says nothing about the credentials.
        return None if refusal.reply_code == 501 else AUTH
    return SYS_TEMP if refusal.temporary else SYS_PERM


def refused(refusal: Refusal) -> bytes:
    """The reply to a refusal."""
    return err(refusal.reply_text, response_code(refusal))


def _line(text: str) -> bytes:
    """One line's text: never a line end in it, never too long, no bracket that could pass for a response code."""
    octets = text.encode("utf-8", "replace").replace(b"\r", b" ").replace(b"\n", b" ")[:_LONGEST_TEXT]
    return b" " + octets if octets.startswith(b"[") else octets
