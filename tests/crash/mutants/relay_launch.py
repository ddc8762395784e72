"""What the broken relays share: a conversation that does something around each transaction."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from attrs import define

from worldmail.interfaces.outbound import IConversation
from worldmail.queue.carrier import Carriage, Owner
from worldmail.queue.destinations import Destination
from worldmail.queue.jobs import Job

Around = Callable[[Any, Destination, Job, Callable[[], Awaitable[Any]]], Awaitable[Any]]
"""Is given runner, destination, job and what sends; makes the outcome."""


@define(eq=False)
class Bent:
    """A conversation whose transactions go through `around`."""

    real: Any
    runner: Any
    destination: Destination
    job: Job
    around: Around

    async def send(self, shipment: Any) -> Any:
        """See `IConversation.send`."""

        async def sent() -> Any:
            return await self.real.send(shipment)

        return await self.around(self.runner, self.destination, self.job, sent)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)


def bend(around: Around) -> None:
    """Have every transaction go through it."""
    send = Carriage._send

    async def bent(
        self: Carriage, owner: Owner, destination: Destination, conversation: IConversation, job: Job, first: bool
    ) -> Any:
        bent_one: Any = Bent(conversation, owner, destination, job, around)
        return await send(self, owner, destination, bent_one, job, first)

    Carriage._send = bent  # type: ignore[method-assign]
