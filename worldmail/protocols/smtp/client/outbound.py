"""The way to a server: its addresses in order, and without TLS where that was only wished for."""

from __future__ import annotations

import ipaddress

from attrs import evolve, frozen
from zope.interface import implementer

from worldmail.interfaces.outbound import (
    Hop,
    HopFailed,
    IConnector,
    IConversation,
    IOutbound,
    Phase,
    Security,
)
from worldmail.protocols.smtp.client.dialogue import ClientDialogue
from worldmail.protocols.smtp.client.means import Means


@implementer(IOutbound)
@frozen
class Outbound:
    """Opens conversations over connections that a connector opens."""

    _connector: IConnector
    _means: Means

    async def connect(self, hop: Hop) -> IConversation:
        """See `IOutbound.connect`."""
        try:
            return await self._somewhere(hop)
        except HopFailed as failed:
            opportunistic = hop.security is Security.OPPORTUNISTIC and not hop.implicit_tls
            if not opportunistic or failed.trouble.phase is not Phase.TLS:
                raise
        return await self._somewhere(evolve(hop, security=Security.NEVER))  # RFC 7435 §3

    async def _somewhere(self, hop: Hop) -> IConversation:
        """At the first of the addresses where it comes to a conversation (RFC 5321 §5.1)."""
        while True:
            dialogue = ClientDialogue(hop, self._means)
            try:
                return await self._open(dialogue, hop)
            except HopFailed as failed:
                used = None if dialogue.peer is None else dialogue.peer.host
                left = _others(hop.addresses, used)
                # Where nobody was reached, all were tried; a login fails at the others too.
                if used is None or not left or failed.trouble.phase is Phase.LOGIN:
                    raise
                hop = evolve(hop, addresses=left)

    async def _open(self, dialogue: ClientDialogue, hop: Hop) -> IConversation:
        await self._connector.connect(lambda: dialogue, hop)
        await dialogue.ready()
        return dialogue


def _others(addresses: tuple[str, ...], used: str | None) -> tuple[str, ...]:
    """The addresses that were not tried yet; fewer than before in any case."""
    left = tuple(address for address in addresses if _plain(address) != used)
    return left if len(left) < len(addresses) else addresses[1:]


def _plain(address: str) -> str:
    try:
        return str(ipaddress.ip_address(address))
    except ValueError:
        return address
