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

_COMMENT = re.compile(r"(?:^|\s)#(?:\s.*)?$|^#.*$")
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


def read_recipients(lines: Iterable[bytes], domains: Collection[str]) -> Listing:
    """The recipients of a domain that has these names (in A-labels), the first its own. Raises `BadLine`."""
    ours = dict.fromkeys(domains, True)
    names: set[str] = set()
    elsewhere = 0
    for number, line in enumerate(lines, 1):
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8").strip()
            text = _without_comment(text) if "#" in text and not text.startswith('"') else text
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
    """A "#" may stand in a local part: a comment begins the line, or stands behind white space and before some."""
    return _COMMENT.sub("", text).rstrip()


def _read(text: str) -> tuple[str, str | None]:
    """Local part and domain as written. Raises ValueError."""
    plain = _PLAIN.fullmatch(text)
    if plain is None or len(plain[1]) > MAXIMUM_LOCAL_OCTETS:
        if text.startswith("@"):
            raise ValueError("a recipient has a local part; a domain that takes everybody needs no list")
        address = Address.parse(text)
        local, domain = address.local_key, address.domain or None
    else:
        local, domain = plain[1], plain[2]
    if local == "*":
        raise ValueError('"*" is no recipient; a domain that takes everybody needs no list')
    return local, domain


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
