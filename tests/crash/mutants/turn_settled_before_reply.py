"""A relay that settles a recipient as delivered when it begins to hand it over, before any reply."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from launch import serve
from relay_launch import bend

from worldmail.interfaces.outbound import Fate, Phase, RecipientFate
from worldmail.queue.destinations import Destination
from worldmail.queue.jobs import Job
from worldmail.queue.settling import Transaction


def inject() -> None:
    async def around(turn: Any, destination: Destination, job: Job, send: Callable[[], Awaitable[Any]]) -> Any:
        runner = getattr(turn, "runner", turn)
        fate = RecipientFate(fate=Fate.DELIVERED, status="2.0.0", phase=Phase.CONTENT)
        fates = [(leased, fate) for leased in job.recipients]
        await runner.settler.settle(runner.id, destination, job, fates, Transaction(server="nobody"))
        return await send()

    bend(around)


if __name__ == "__main__":
    serve(inject)
