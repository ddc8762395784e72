"""What may be asked of the DNS, and what is known about a name without asking."""

from __future__ import annotations

import ipaddress
import re

from worldmail.interfaces.resolver import NoSuchName
from worldmail.mail.domain import literal_address

MAXIMUM_CHARACTERS = 253  # with its lengths and the root's a name has 255 octets (RFC 1035 §2.3.4)

# Any octet may stand in a label (RFC 2181 §11), but whoever asks for others than these means something else.
_LABEL = r"[a-z0-9_-]{1,63}"
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")

_LOCAL = "localhost"  # RFC 6761 §6.3
_NEVER = frozenset({"invalid", "onion"})  # RFC 6761 §6.4, RFC 7686 §2


def normal_name(text: str) -> str:
    """A name as it is asked for and kept: lower case, no final dot.

    Raises: `NoSuchName` for what no name can be (U-labels too: names come in A-labels) and for those that never exist.
    """
    name = text.removesuffix(".").lower() if text.isascii() else ""
    if len(name) > MAXIMUM_CHARACTERS or _NAME.fullmatch(name) is None:
        raise NoSuchName(f"{text[:300]!a} is no name")
    if name.rpartition(".")[2] in _NEVER:
        raise NoSuchName(f"{name} never exists")
    return name


def is_local(name: str) -> bool:
    """Is it this machine, whatever a server says (RFC 6761 §6.3)?"""
    return name == _LOCAL or name.endswith("." + _LOCAL)


def literal(text: str) -> str | None:
    """The address that a text is: "192.0.2.1", "2001:db8::1", "[192.0.2.1]", "[IPv6:2001:db8::1]"; else None."""
    try:
        return str(literal_address(text) if text.startswith("[") else ipaddress.ip_address(text))
    except ValueError:
        return None
