"""The values that keys of things with a name take: each function gives the value of a text, or raises ValueError."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable

from worldmail.mail.domain import literal_address, normal_domain

ANY = "*"
"""The pattern of all domains."""

_NUMBER = re.compile(r"[0-9]{1,9}")

MAXIMUM_USER = 255

A_CREDENTIAL = f"up to {MAXIMUM_USER} octets without control characters"


def domain_pattern(text: str) -> str:
    """ "*", a domain, or "." and a domain, in A-labels."""
    if text == ANY:
        return ANY
    below = "." if text.startswith(".") else ""
    domain = normal_domain(text.removeprefix(".").removesuffix("."))
    if below and domain.startswith("["):
        raise ValueError
    return below + domain


def host_or_address(text: str) -> str:
    """A host's name in A-labels, or an IP address in its shortest form, with or without brackets."""
    bracketed = text.startswith("[") and text.endswith("]")
    try:
        address = literal_address(text) if bracketed else ipaddress.ip_address(text)
    except ValueError:
        if not bracketed:
            return _host(text)
        address = ipaddress.ip_address(text[1:-1])
    if isinstance(address, ipaddress.IPv6Address) and address.scope_id is not None:
        raise ValueError
    return str(address)


def _host(text: str) -> str:
    name = normal_domain(text.removesuffix("."))
    if name.rpartition(".")[2].isdecimal():  # no top-level domain is a number: that is an address with a slip in it
        raise ValueError
    return name


def number(least: int, most: int) -> Callable[[str], int]:
    """A parser of decimal numbers within these bounds."""

    def parse(text: str) -> int:
        if _NUMBER.fullmatch(text) is None or not least <= int(text) <= most:
            raise ValueError
        return int(text)

    return parse


def credential(text: str) -> str:
    """A user or a password, as it is."""
    # A NUL cannot be in PLAIN (RFC 4616 §2), other controls are nobody's.
    if len(text.encode("utf-8", "replace")) > MAXIMUM_USER or not text.isprintable():
        raise ValueError
    return text
