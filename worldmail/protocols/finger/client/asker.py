"""The way to a finger server."""

from __future__ import annotations

from collections.abc import Callable

from attrs import frozen
from zope.interface import implementer

from worldmail.interfaces.outbound import Hop, IConnector
from worldmail.interfaces.triggers import IFinger
from worldmail.protocols.finger.client.dialogue import Asking, Promise


@implementer(IFinger)
@frozen
class Finger:
    """Asks over connections that a connector opens."""

    _connector: IConnector
    _promise: Callable[[], Promise]

    async def ask(self, hop: Hop, question: str) -> str:
        """See `IFinger.ask`."""
        return await self._converse(hop, question)

    async def look(self, hop: Hop) -> None:
        """See `IFinger.look`."""
        await self._converse(hop, None)

    async def _converse(self, hop: Hop, question: str | None) -> str:
        asking = Asking(question, self._promise)
        await self._connector.connect(lambda: asking, hop)
        try:
            return await asking.answer()
        except BaseException:
            asking.abort()
            raise
