"""What a POP3 server can do, from its answer to CAPA (RFC 2449 §5, §6)."""

from __future__ import annotations

from collections.abc import Iterable

from attrs import frozen


@frozen(kw_only=True)
class Capabilities:
    """What may be used; without CAPA, what every server may be asked for."""

    stls: bool = False  # RFC 2595 §4
    pipelining: bool = False  # RFC 2449 §6.6
    utf8: bool = False  # RFC 6856 §2
    user: bool = True
    mechanisms: frozenset[str] = frozenset()  # RFC 5034 §3


def read_capabilities(lines: Iterable[bytes]) -> Capabilities:
    """Of the lines of the answer."""
    offers: dict[str, list[str]] = {}
    for line in lines:
        words = line.decode("latin-1").upper().split()
        if words:
            offers.setdefault(words[0], []).extend(words[1:])
    return Capabilities(
        stls="STLS" in offers,
        pipelining="PIPELINING" in offers,
        utf8="UTF8" in offers,
        user="USER" in offers,
        mechanisms=frozenset(offers.get("SASL", ())),
    )
