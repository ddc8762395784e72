"""Conversations with servers that take mail."""

from __future__ import annotations

from attrs import evolve, frozen
from zope.interface import implementer

from worldmail.interfaces.outbound import Hop, IConnector, IConversation, IHandedOver, IOutbound
from worldmail.protocols.smtp.client.dialogue import ClientDialogue
from worldmail.protocols.smtp.client.means import Means
from worldmail.protocols.smtp.client.ways import open_somewhere

AHEAD = 63
"""Messages that go ahead of replies over a connection that was handed over."""

IDLE = 7200.0
"""Seconds after which a connection that was handed over is closed if nobody had a use for it."""


@implementer(IOutbound)
@frozen
class Outbound:
    """Opens conversations over connections that a connector opens."""

    _connector: IConnector
    _means: Means

    async def connect(self, hop: Hop) -> IConversation:
        """See `IOutbound.connect`."""
        conversation: IConversation = await open_somewhere(
            self._connector, hop, lambda hop: ClientDialogue(hop, self._means)
        )
        return conversation

    def over(self, hop: Hop) -> IHandedOver:
        """See `IOutbound.over`. Messages go ahead of replies: such links are long, and one peer is at their end.

        How long it may be idle is for whoever has it to say (`beat`, `close`).
        """
        patience = evolve(self._means.patience, idle=IDLE)
        handed_over: IHandedOver = ClientDialogue(hop, evolve(self._means, ahead=AHEAD, patience=patience))
        return handed_over
