"""What the peer offers in its reply to EHLO or LHLO.

ehlo-line    = ehlo-keyword *( SP ehlo-param )                               RFC 5321 §4.1.1.1
limits-param = limit-name "=" limit-value;  limit-value = %x31-39 0*5DIGIT   RFC 9422 §3
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

from attrs import frozen

_NUMBER = re.compile(r"[0-9]{1,20}")
_LIMIT = re.compile(r"[1-9][0-9]{0,5}")
MAXIMUM_MECHANISMS = 64

USUAL = 1024
"""Octets of what most servers say."""


@frozen(kw_only=True)
class Capabilities:
    """What may be used with this peer; nothing of it where it only knows HELO.

    Args:
        size: the most octets it takes (RFC 1870); 0 for no limit that it tells, None if it has no SIZE.
        mechanisms: SASL mechanisms (RFC 4954), upper case.
        deliver_by: the shortest time in seconds it takes (RFC 2852), 0 for any; None if it has no DELIVERBY.
        mail_max, rcpt_max, domain_max: transactions in a session, recipients in a transaction, domains of recipients in
            a session (RFC 9422 §4); 0 for no limit that it tells.
        xforward: attributes of XFORWARD that it wants to know, upper case.
        keywords: all that it names, upper case, in its order.
    """

    pipelining: bool = False
    chunking: bool = False
    eight_bit: bool = False
    binary: bool = False
    smtputf8: bool = False
    dsn: bool = False
    starttls: bool = False
    require_tls: bool = False
    priority: bool = False
    size: int | None = None
    mechanisms: frozenset[str] = frozenset()
    deliver_by: int | None = None
    mail_max: int = 0
    rcpt_max: int = 0
    domain_max: int = 0
    xforward: frozenset[str] = frozenset()
    keywords: tuple[str, ...] = ()


def read_capabilities(lines: Sequence[bytes]) -> Capabilities:
    """Of the reply's lines behind the first. What is not understood is not there."""
    return _of_many(tuple(lines)) if sum(map(len, lines)) <= USUAL else _read(lines)


@lru_cache(maxsize=64)
def _of_many(lines: tuple[bytes, ...]) -> Capabilities:
    """Servers of one kind say the same: connections that stay open share it."""
    return _read(lines)


def _read(lines: Iterable[bytes]) -> Capabilities:
    offers: dict[str, list[str]] = {}
    for line in lines:
        # "AUTH=LOGIN" is how very old servers say it.
        words = line.decode("latin-1").upper().replace("AUTH=", "AUTH ", 1).split()
        if words:
            offers.setdefault(words[0], []).extend(words[1:])
    limits = _limits(offers.get("LIMITS", ()))
    return Capabilities(
        pipelining="PIPELINING" in offers,  # RFC 2920 §2
        chunking="CHUNKING" in offers,  # RFC 3030 §2
        eight_bit="8BITMIME" in offers,  # RFC 6152 §2
        binary="BINARYMIME" in offers and "CHUNKING" in offers,  # RFC 3030 §3
        smtputf8="SMTPUTF8" in offers,  # RFC 6531 §3.1
        dsn="DSN" in offers,  # RFC 3461 §4
        starttls="STARTTLS" in offers,  # RFC 3207 §2
        require_tls="REQUIRETLS" in offers,  # RFC 8689 §2
        priority="MT-PRIORITY" in offers,  # RFC 6710 §3
        size=_number(offers.get("SIZE")),
        mechanisms=frozenset(offers.get("AUTH", ())[:MAXIMUM_MECHANISMS]),
        deliver_by=_number(offers.get("DELIVERBY")),
        mail_max=limits.get("MAILMAX", 0),
        rcpt_max=limits.get("RCPTMAX", 0),
        domain_max=limits.get("RCPTDOMAINMAX", 0),
        xforward=frozenset(offers.get("XFORWARD", ())),
        keywords=tuple(word for word in offers if word.isascii()),
    )


def _number(words: list[str] | None) -> int | None:
    """The first parameter, 0 if there is none that is a number; None if the keyword is not there."""
    if words is None:
        return None
    first = words[0].partition(",")[0] if words else ""  # that of DELIVERBY is a list (RFC 2852 §2)
    return int(first) if _NUMBER.fullmatch(first) else 0


def _limits(words: Iterable[str]) -> dict[str, int]:
    """The limits that are well-formed, each only the first time."""
    limits: dict[str, int] = {}
    for word in words:
        name, _, value = word.partition("=")
        if _LIMIT.fullmatch(value):
            limits.setdefault(name, int(value))
    return limits
