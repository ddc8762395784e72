"""The way to a mailbox on another server."""

from __future__ import annotations

from attrs import frozen
from zope.interface import implementer

from worldmail.interfaces.collection import IRemoteDrop, IRemoteDrops
from worldmail.interfaces.outbound import Hop, IConnector
from worldmail.protocols.imap.client.dialogue import ClientDialogue
from worldmail.wire.client.means import Means


@implementer(IRemoteDrops)
@frozen
class Drops:
    """Opens conversations over connections that a connector opens, about one mailbox."""

    _connector: IConnector
    _means: Means
    mailbox: str = "INBOX"

    async def connect(self, hop: Hop) -> IRemoteDrop:
        """See `IRemoteDrops.connect`."""
        dialogue = ClientDialogue(hop, self._means, self.mailbox)
        await self._connector.connect(lambda: dialogue, hop)
        try:
            await dialogue.ready()
        except BaseException:
            dialogue.abort()
            raise
        return dialogue
