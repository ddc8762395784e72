"""Lists of recipients as text: an address or a local part a line.

    # comment
    alice
    bob@branch.example      # comment
    "john doe"@branch.example

Blank lines and repetitions mean nothing. What stands in another domain is passed over: one file may hold the
recipients of many domains.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from attrs import frozen

from worldmail.mail.address import MAXIMUM_LOCAL_OCTETS, Address
from worldmail.mail.domain import normal_domain

_BLANK = " \t\r\n\v\f"
_COMMENT = re.compile(r"(?:^|[ \t])#.*")
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
_ATEXT = r"[a-z0-9!#$%&'*+/=?^_`{|}~-]"
# Nearly every line: what needs neither quotes nor folding. RFC 5321 §4.1.2: Dot-string
_PLAIN = re.compile(rf"({_ATEXT}+(?:\.{_ATEXT}+)*)(?:@([^@\s\"]+))?")


class BadLine(Exception):
    """A line that is no recipient; the text has its number."""


@frozen(kw_only=True)
class Listing:
    """What was read: local parts (`Address.local_key`), and how many lines were about other domains."""

    names: frozenset[str]
    elsewhere: int


def recipient_key(address: Address) -> str:
    """What stands for an address in a list of its domain. Raises ValueError for what cannot."""
    local = address.local_key
    if local == "*":
        raise ValueError('"*" is no recipient; a domain that takes everybody needs no list')
    if len(local.encode()) > MAXIMUM_LOCAL_OCTETS:  # folding can make it longer
        raise ValueError(f"the local part has more than {MAXIMUM_LOCAL_OCTETS} octets")
    return local


def read_recipients(lines: Iterable[bytes], domains: Collection[str]) -> Listing:
    """The recipients of a domain that has these names (in A-labels), the first its own. Raises `BadLine`."""
    ours = dict.fromkeys(domains, True)
    names: set[str] = set()
    elsewhere = 0
    for number, line in enumerate(lines, 1):
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8").strip(_BLANK)
            text = _without_comment(text) if "#" in text else text
            found = _read(text.lower() if text.isascii() else text) if text else None
        except ValueError as error:
            reason = "is not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
            raise BadLine(f"line {number}: {reason}") from None
        if found is None:
            continue
        local, domain = found
        if domain is None or _is_ours(ours, domain, number):
            names.add(local)
        else:
            elsewhere += 1
    return Listing(names=frozenset(names), elsewhere=elsewhere)


def _without_comment(text: str) -> str:
    """A "#" may stand in a local part: a comment begins the line, or stands behind white space."""
    quoted = _QUOTED.match(text)
    start = 0 if quoted is None else quoted.end()
    return text[:start] + _COMMENT.sub("", text[start:]).rstrip(_BLANK)


def _read(text: str) -> tuple[str, str | None]:
    """Local part and domain as written. Raises ValueError."""
    plain = _PLAIN.fullmatch(text)
    if plain is None or len(plain[1]) > MAXIMUM_LOCAL_OCTETS or plain[1] == "*":
        if text.startswith("@"):
            raise ValueError("a recipient has a local part; a domain that takes everybody needs no list")
        address = Address.parse(text)
        return recipient_key(address), address.domain or None
    return plain[1], plain[2]


def _is_ours(ours: dict[str, bool], domain: str, number: int) -> bool:
    known = ours.get(domain)
    if known is None:
        try:
            known = ours.get(normal_domain(domain), False)
        except ValueError:
            raise BadLine(f"line {number}: {domain!r} is not a domain name") from None
        if len(ours) < 1000:  # what others are called is remembered, within bounds
            ours[domain] = known
    return known
