"""The way to a server: its addresses in order, and without TLS where that was only wished for."""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar

from attrs import evolve

from worldmail.interfaces.outbound import Fate, Hop, HopFailed, IConnector, Phase, Security, Trouble
from worldmail.interfaces.protocol import Peer


class Opening(Protocol):
    """A dialogue that is told when it is greeted, in TLS and signed in."""

    peer: Peer | None

    def ready(self) -> Awaitable[None]:
        """Wait for that. Raises `HopFailed`."""


D = TypeVar("D", bound=Opening)


async def open_somewhere(connector: IConnector, hop: Hop, make: Callable[[Hop], D]) -> D:
    """A dialogue that is ready, with this hop. Raises `HopFailed`.

    With OPPORTUNISTIC security a handshake that fails is followed by one attempt in the clear.
    """
    try:
        return await _at_an_address(connector, hop, make)
    except HopFailed as failed:
        opportunistic = hop.security is Security.OPPORTUNISTIC and not hop.implicit_tls
        if not opportunistic or failed.trouble.phase is not Phase.TLS:
            raise
    return await _at_an_address(connector, evolve(hop, security=Security.NEVER), make)  # RFC 7435 §3


async def _at_an_address(connector: IConnector, hop: Hop, make: Callable[[Hop], D]) -> D:
    """At the first of the addresses where it comes to a conversation (RFC 5321 §5.1)."""
    before: HopFailed | None = None
    while True:
        dialogue = make(hop)
        try:
            return await _open(connector, hop, dialogue)
        except HopFailed as failed:
            used = None if dialogue.peer is None else dialogue.peer.host
            before = failed if before is None else _telling(before, failed, reached=used is not None)
            left = _others(hop.addresses, used)
            # Where nobody was reached, all were tried; a login fails at the others too.
            if used is None or not left or failed.trouble.phase is Phase.LOGIN:
                raise before from None
            hop = evolve(hop, addresses=left)


async def _open(connector: IConnector, hop: Hop, dialogue: D) -> D:
    given: Any = dialogue
    await connector.connect(lambda: given, hop)
    try:
        await dialogue.ready()
    except HopFailed:
        raise
    except BaseException:
        if dialogue.peer is not None:
            dialogue.peer.abort("cancelled")
        raise
    return dialogue


def _telling(before: HopFailed, failed: HopFailed, *, reached: bool) -> HopFailed:
    """Which of two addresses' troubles is the host's.

    That of an address that answered; a handshake's, which the clear may mend; one that may pass; the later one.
    """
    if not reached:
        return before
    return before if _weight(before.trouble) > _weight(failed.trouble) else failed


def _weight(trouble: Trouble) -> int:
    return 2 if trouble.phase is Phase.TLS else int(trouble.fate is Fate.DEFERRED)


def _others(addresses: tuple[str, ...], used: str | None) -> tuple[str, ...]:
    """The addresses that were not tried yet; fewer than before in any case."""
    left = tuple(address for address in addresses if _plain(address) != used)
    return left if len(left) < len(addresses) else addresses[1:]


def _plain(address: str) -> str:
    try:
        return str(ipaddress.ip_address(address))
    except ValueError:
        return address
