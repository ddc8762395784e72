"""The values that keys of a route take: each function gives the value of a text, or raises ValueError."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable

from worldmail.interfaces.queue import Via
from worldmail.mail.address import Address
from worldmail.mail.domain import literal_address, normal_domain
from worldmail.queue.routes import ANY

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_TEXT = re.compile(r"[\x20-\x7e]{1,200}")
_NUMBER = re.compile(r"[0-9]{1,9}")

MAXIMUM_USER = 255
CHOICES = tuple(via.value for via in Via if via is not Via.LOCAL)  # what comes back to us nobody has to route

A_NAME = "up to 64 letters, digits, dots, hyphens and underscores, a letter or digit first"
A_CREDENTIAL = f"up to {MAXIMUM_USER} octets without control characters"


def kept_name(text: str) -> str:
    """The name of a route or a queue, in lower case."""
    if _NAME.fullmatch(text.lower()) is None:
        raise ValueError
    return text.lower()


def domain_pattern(text: str) -> str:
    """ "*", a domain, or "." and a domain, in A-labels."""
    if text == ANY:
        return ANY
    below = "." if text.startswith(".") else ""
    domain = normal_domain(text.removeprefix(".").removesuffix("."))
    if below and domain.startswith("["):
        raise ValueError
    return below + domain


def sender_pattern(text: str) -> str:
    """The same, or an address as its `Address.key`."""
    if "@" not in text:
        return domain_pattern(text)
    address = Address.parse(text)
    if not address.domain or address.local == ANY:  # "*@" would be somebody of that name
        raise ValueError
    return address.key


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


def switch(text: str) -> bool:
    """on or off."""
    if text.lower() not in ("on", "off"):
        raise ValueError
    return text.lower() == "on"


def way(text: str) -> Via:
    """A way that a route can take."""
    if text.lower() not in CHOICES:
        raise ValueError
    return Via(text.lower())


def credential(text: str) -> str:
    """A user or a password, as it is."""
    # A NUL cannot be in PLAIN (RFC 4616 §2), other controls are nobody's.
    if len(text.encode("utf-8", "replace")) > MAXIMUM_USER or not text.isprintable():
        raise ValueError
    return text


def sentence(text: str) -> str:
    """What may stand in a reply."""
    if _TEXT.fullmatch(text) is None:
        raise ValueError
    return text
