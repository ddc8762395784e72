"""The values that keys of a route alone take: each function gives the value of a text, or raises ValueError."""

from __future__ import annotations

import re

from worldmail.config.values import ANY, domain_pattern
from worldmail.interfaces.queue import Via
from worldmail.mail.address import Address

_TEXT = re.compile(r"[\x20-\x7e]{1,200}")

CHOICES = tuple(via.value for via in Via if via is not Via.LOCAL)  # what comes back to us nobody has to route


def sender_pattern(text: str) -> str:
    """The same, or an address as its `Address.key`."""
    if "@" not in text:
        return domain_pattern(text)
    address = Address.parse(text)
    if not address.domain or address.local == ANY:  # "*@" would be somebody of that name
        raise ValueError
    return address.key


def way(text: str) -> Via:
    """A way that a route can take."""
    if text.lower() not in CHOICES:
        raise ValueError
    return Via(text.lower())


def sentence(text: str) -> str:
    """What may stand in a reply."""
    if _TEXT.fullmatch(text) is None:
        raise ValueError
    return text
