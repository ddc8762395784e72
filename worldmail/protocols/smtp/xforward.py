"""XFORWARD: how the client had the message that comes next from its own client.

Postfix defines it (https://www.postfix.org/XFORWARD_README.html), no RFC does:

    xforward-command = "XFORWARD" 1*( SP attribute-name "=" attribute-value )
    attribute-value  = xtext                      ; [UNAVAILABLE] and [TEMPUNAVAIL] say that nothing is known

Names are read in upper and lower case. What several commands say adds up until the transaction that they are for is
over. `SINCE`, the epoch second in which the client had the message, is an attribute of our own.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from worldmail.errors import Refusal
from worldmail.mail.envelope import Facts
from worldmail.protocols.smtp.grammar import decoded
from worldmail.protocols.smtp.xtext import decode_xtext, encode_xtext

NAMES = ("NAME", "ADDR", "PORT", "PROTO", "HELO", "IDENT", "SOURCE", "SINCE")
"""As they are announced."""

LINE = 512
"""Octets of a command that we say (RFC 5321 §4.5.3.1.4); what there is beyond that is for a further one."""

_UNKNOWN = frozenset(("[UNAVAILABLE]", "[TEMPUNAVAIL]"))
_TEXT = re.compile(r"[!-~]{1,255}")
_PROTOCOL = re.compile(r"[A-Za-z0-9_./+-]{1,64}")
_PORT = re.compile(r"[0-9]{1,5}")
_SOURCE = re.compile(r"LOCAL|REMOTE", re.IGNORECASE)
_SINCE = re.compile(r"[0-9]{1,12}")


def parse_xforward(argument: bytes) -> dict[str, Any]:
    """What it says, as fields of `Facts`. Raises Refusal 501."""
    found: dict[str, Any] = {}
    for word in decoded(argument).split():
        name, equals, value = word.partition("=")
        row = _FIELDS.get(name.upper())
        if row is None or not equals:
            raise Refusal("Syntax: XFORWARD attribute=value ...", code=501, enhanced="5.5.4")
        field, read, unknown = row
        try:
            text = decode_xtext(value)
            found[field] = unknown if not text or text.upper() in _UNKNOWN else read(text)
        except ValueError:
            raise Refusal(f"Bad value of {name.upper()}", code=501, enhanced="5.5.4") from None
    if not found:
        raise Refusal("Syntax: XFORWARD attribute=value ...", code=501, enhanced="5.5.4")
    return found


def xforward_lines(facts: Facts, names: Collection[str]) -> list[bytes]:
    """The commands that tell of it, to a server that knows these attributes (upper case)."""
    lines: list[bytes] = []
    for name, value in _values(facts):
        if name in names:
            word = f" {name}={value}".encode("ascii")
            if not lines or len(lines[-1]) + len(word) + 2 > LINE:
                lines.append(b"XFORWARD")
            lines[-1] += word
    return [line + b"\r\n" for line in lines]


def _values(facts: Facts) -> Iterator[tuple[str, str]]:
    """All of them: what is not known is said too, so that nothing said before counts."""
    client = f"IPv6:{facts.client.partition('%')[0]}" if ":" in facts.client else facts.client
    source = "" if facts.local is None else "LOCAL" if facts.local else "REMOTE"
    values: Mapping[str, object] = {
        "NAME": facts.name,
        "ADDR": client,
        "PORT": facts.port or "",
        "PROTO": facts.protocol,
        "HELO": facts.helo,
        "IDENT": facts.id,
        "SOURCE": source,
        "SINCE": facts.since or "",
    }
    for name, value in values.items():
        text = str(value)
        yield name, encode_xtext(text) if _TEXT.fullmatch(text) is not None else "[UNAVAILABLE]"


def _text(text: str) -> str:
    return _matched(_TEXT, text)


def _address(text: str) -> str:
    """One that is no IP address says nothing that we could use."""
    plain = text[5:] if text[:5].lower() == "ipv6:" else text
    _matched(_TEXT, text)
    try:
        return str(ipaddress.ip_address(plain))
    except ValueError:
        return ""


def _protocol(text: str) -> str:
    return _matched(_PROTOCOL, text)


def _port(text: str) -> int:
    port = int(_matched(_PORT, text))
    if port > 65535:
        raise ValueError
    return port


def _local(text: str) -> bool:
    return _matched(_SOURCE, text).upper() == "LOCAL"


def _since(text: str) -> int:
    return int(_matched(_SINCE, text))


def _matched(pattern: re.Pattern[str], text: str) -> str:
    if pattern.fullmatch(text) is None:
        raise ValueError
    return text


_FIELDS: Mapping[str, tuple[str, Callable[[str], Any], Any]] = {
    "NAME": ("name", _text, ""),
    "ADDR": ("client", _address, ""),
    "PORT": ("port", _port, 0),
    "PROTO": ("protocol", _protocol, ""),
    "HELO": ("helo", _text, ""),
    "IDENT": ("id", _text, ""),
    "SOURCE": ("local", _local, None),
    "SINCE": ("since", _since, 0),
}
