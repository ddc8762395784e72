"""What is read out of responses: as little as fetching takes."""

from __future__ import annotations

import re

from attrs import frozen

_TAGGED = re.compile(rb"([A-Za-z0-9]+) (OK|NO|BAD)(?: (.*))?\Z", re.IGNORECASE | re.DOTALL)
_CAPABILITY = re.compile(rb"(?:\* CAPABILITY |\[CAPABILITY )([^\]\r\n]*)", re.IGNORECASE)
_FETCH = re.compile(rb"\* \d+ FETCH \(", re.IGNORECASE)
_UID = re.compile(rb"[( ]UID (\d{1,10})(?=[ )])", re.IGNORECASE)
_SIZE = re.compile(rb"[( ]RFC822\.SIZE (\d{1,18})(?=[ )])", re.IGNORECASE)
_UIDVALIDITY = re.compile(rb"\* OK \[UIDVALIDITY (\d{1,10})\]", re.IGNORECASE)
_EXISTS = re.compile(rb"\* (\d{1,10}) EXISTS\b", re.IGNORECASE)
_SEARCH = re.compile(rb"\* SEARCH((?: \d{1,10})*) ?\Z", re.IGNORECASE)
# What stands in front of the octets of a body: nstring as a literal, or as a quoted string (RFC 9051 §9, msg-att).
_BODY = re.compile(rb"[( ]BODY\[(HEADER)?\](?:<\d+>)? \Z", re.IGNORECASE)
_QUOTED_BODY = re.compile(rb'[( ]BODY\[(HEADER)?\](?:<\d+>)? "((?:[^"\\]|\\.)*)"', re.IGNORECASE)
_QUOTED_PAIR = re.compile(rb"\\(.)")

FAILURE_OF_THE_SERVER = re.compile(
    rb"\[(?:UNAVAILABLE|INUSE|LIMIT|SERVERBUG|CONTACTADMIN)\]",
    re.IGNORECASE,
)
"""What a refused login may be about instead of the password (RFC 5530 §3)."""


@frozen
class Response:
    """One response without the octets of its literals, which are left out."""

    text: bytes

    def tagged(self, tag: bytes) -> tuple[bool, bytes] | None:
        """Whether it completes the command with this tag: as it should, and with which words."""
        found = _TAGGED.match(self.text)
        if found is None or found[1] != tag:
            return None
        return found[2].upper() == b"OK", found[3] or b""

    @property
    def is_untagged(self) -> bool:
        return self.text.startswith(b"* ")

    @property
    def is_bye(self) -> bool:
        return self.text[:5].upper() == b"* BYE"

    @property
    def challenge(self) -> bytes | None:
        """What stands behind "+"; None if it is no continuation request."""
        return self.text[1:].strip() if self.text.startswith(b"+") else None

    @property
    def capabilities(self) -> frozenset[str] | None:
        found = _CAPABILITY.search(self.text)
        return None if found is None else frozenset(found[1].decode("latin-1").upper().split())

    @property
    def uid(self) -> int | None:
        """Of FETCH data."""
        found = _UID.search(self.text) if _FETCH.match(self.text) else None
        return None if found is None else int(found[1])

    @property
    def octets(self) -> int:
        """RFC822.SIZE, 0 if it is not told."""
        found = _SIZE.search(self.text)
        return 0 if found is None else int(found[1])

    @property
    def uidvalidity(self) -> str | None:
        found = _UIDVALIDITY.match(self.text)
        return None if found is None else found[1].decode()

    @property
    def exists(self) -> int | None:
        found = _EXISTS.match(self.text)
        return None if found is None else int(found[1])

    @property
    def found(self) -> list[int] | None:
        """The numbers of SEARCH."""
        match = _SEARCH.match(self.text)
        return None if match is None else [int(number) for number in match[1].split()]

    @property
    def quoted_body(self) -> tuple[bool, bytes] | None:
        """Whether it is a header, and the octets of what came as a quoted string."""
        match = _QUOTED_BODY.search(self.text)
        return None if match is None else (match[1] is not None, _QUOTED_PAIR.sub(rb"\1", match[2]))


def announced(text: bytes) -> tuple[int | None, bool] | None:
    """Whose octets the literal behind this text has: the UID, if that was told, and whether it is the header alone.

    None if they are not those of a message.
    """
    found = _BODY.search(text) if _FETCH.match(text) else None
    return None if found is None else (Response(text).uid, found[1] is not None)


def uid_set(uids: list[int]) -> bytes:
    """A sequence-set of these, ascending, runs as ranges (RFC 9051 §9)."""
    parts: list[bytes] = []
    start = previous = -1
    for uid in [*sorted(set(uids)), -1]:
        if uid == previous + 1 and start >= 0 and uid >= 0:
            previous = uid
            continue
        if start >= 0:
            parts.append(b"%d" % start if start == previous else b"%d:%d" % (start, previous))
        start = previous = uid
    return b",".join(parts)


def quoted(text: str) -> bytes | None:
    """A quoted string (RFC 9051 §9); None if it can only be a literal."""
    if not text.isascii() or not text.isprintable() or len(text) > 1000:
        return None
    return b'"' + re.sub(r'(["\\])', r"\\\1", text).encode("ascii") + b'"'
