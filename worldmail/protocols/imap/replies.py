"""What an IMAP server says: strings as the wire has them, status responses, and the code that a refusal carries.

string     =  quoted / literal                                        ; RFC 9051 §9
quoted     =  DQUOTE *QUOTED-CHAR DQUOTE
resp-text  =  ["[" resp-text-code "]" SP] [text]                       ; §7.1
"""

from __future__ import annotations

import re

from worldmail import errors
from worldmail.errors import Refusal

# Beyond this a string is a literal: some clients read quoted strings into small buffers.
_LONGEST_QUOTED = 1000
_LONGEST_TEXT = 480

# ATOM-CHAR and "]" (ASTRING-CHAR). "{" at the start of what is no atom cannot be mistaken: it is quoted.
_ATOM = re.compile(rb"[^\x00-\x20(){%*\"\\\x7f-\xff]+")
_UNQUOTABLE = re.compile(rb"[\x00\r\n\x80-\xff]")
_UNQUOTABLE_UTF8 = re.compile(rb"[\x00\r\n]")
_SPECIAL = re.compile(rb'(["\\])')

# Response codes that say what kind of refusal it is (RFC 5530 §3, RFC 9051 §7.1).
_CODES: tuple[tuple[type[Refusal], bytes], ...] = (
    (errors.AuthenticationFailed, b"AUTHENTICATIONFAILED"),
    (errors.AuthenticationDelayed, b"UNAVAILABLE"),
    (errors.TooManyRequests, b"LIMIT"),
    (errors.LoginTooSoon, b"LIMIT"),
    (errors.OverQuota, b"OVERQUOTA"),
    (errors.StorageFull, b"UNAVAILABLE"),
    (errors.NoSuchMailbox, b"NONEXISTENT"),
    (errors.MailboxExists, b"ALREADYEXISTS"),
    (errors.BadName, b"CANNOT"),
    (errors.UseNotOffered, b"USEATTR"),
    (errors.NoRight, b"NOPERM"),
    (errors.NotPermitted, b"NOPERM"),
    (errors.MessageGone, b"EXPUNGEISSUED"),
    (errors.AnnotationTooLarge, b"METADATA MAXSIZE 65536"),
    (errors.TooManyAnnotations, b"METADATA TOOMANY"),
    (errors.LimitReached, b"LIMIT"),
    (errors.MessageTooLarge, b"TOOBIG"),
    (errors.MailboxInUse, b"INUSE"),
    (errors.SearchTooLong, b"LIMIT"),
    (errors.TemporaryFailure, b"UNAVAILABLE"),
)


class BadCommand(Refusal):
    """The command is not what its grammar says, or is not known here: tagged BAD (RFC 9051 §7.1.3)."""

    code = 501
    enhanced = "5.5.2"
    text = "The command cannot be understood"


class UidRequired(BadCommand):
    """Message sequence numbers cannot be used once UIDONLY is on: tagged BAD (RFC 9586 §3)."""

    text = "Message sequence numbers cannot be used now"


class No(Refusal):
    """Tagged NO with a response code of one's own (without its brackets)."""

    code = 550
    enhanced = "5.0.0"
    text = "This cannot be done"

    def __init__(self, text: str | None = None, response: bytes | None = None) -> None:
        super().__init__(text)
        self.response = response


class NotNow(Refusal):
    """The command makes no sense in this state: tagged BAD (RFC 9051 §3)."""

    code = 503
    enhanced = "5.5.1"
    text = "This command cannot be given now"


class AccountChanged(Refusal):
    """The session's account is not any more what signed in: the session ends."""

    code = 421
    enhanced = "4.7.0"
    text = "Your account was changed, please sign in again"


BAD_REFUSALS = (BadCommand, NotNow)
"""What is answered with BAD; every other `Refusal` with NO."""


def response_code(refusal: Refusal) -> bytes | None:
    """The response code that tells what kind of refusal it is; None where there is none to tell."""
    if isinstance(refusal, No):
        return refusal.response
    if isinstance(refusal, UidRequired):
        return b"UIDREQUIRED"
    for kind, code in _CODES:
        if isinstance(refusal, kind):
            return code
    return b"UNAVAILABLE" if refusal.temporary else None


def untagged(kind: bytes, text: str, code: bytes | None = None) -> bytes:
    """`* OK`, `* NO`, `* BAD` or `* BYE` with its CRLF."""
    return tagged(b"*", kind, text, code)


def tagged(tag: bytes, kind: bytes, text: str, code: bytes | None = None) -> bytes:
    """A status response with its CRLF."""
    if code is None:
        return b"%s %s %s\r\n" % (tag, kind, _text(text))
    return b"%s %s [%s] %s\r\n" % (tag, kind, code, _text(text))


def quoted_or_literal(octets: bytes, *, utf8: bool = False) -> bytes:
    """A string: quoted where that may be, else a literal; with NUL a literal8. `utf8`: UTF-8 may be quoted."""
    if len(octets) <= _LONGEST_QUOTED and not (_UNQUOTABLE_UTF8 if utf8 else _UNQUOTABLE).search(octets):
        if b'"' in octets or b"\\" in octets:
            octets = _SPECIAL.sub(rb"\\\1", octets)
        return b'"' + octets + b'"'
    return literal(octets)


def literal(octets: bytes) -> bytes:
    """A literal; a literal8 where there is a NUL (RFC 3516 §4.4)."""
    return b"%s{%d}\r\n%s" % (b"~" if b"\0" in octets else b"", len(octets), octets)


def astring(octets: bytes, *, utf8: bool = False) -> bytes:
    """An atom where it can be one, else a string."""
    if _ATOM.fullmatch(octets) and octets.upper() != b"NIL":
        return octets
    return quoted_or_literal(octets, utf8=utf8)


def nstring(octets: bytes | None, *, utf8: bool = False) -> bytes:
    """A string, or NIL."""
    return b"NIL" if octets is None else quoted_or_literal(octets, utf8=utf8)


def _text(text: str) -> bytes:
    """One line's text: ASCII, no line end, no bracket that could pass for a response code, never empty."""
    octets = text.encode("ascii", "replace").replace(b"\r", b" ").replace(b"\n", b" ")[:_LONGEST_TEXT]
    return b" " + octets if octets.startswith(b"[") or not octets else octets
