"""A relay that hands over once more what may have arrived, and says nothing of that in its trace."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from attrs import evolve
from launch import serve
from relay_launch import bend

from worldmail.interfaces.outbound import Fate
from worldmail.queue.destinations import Destination
from worldmail.queue.jobs import Job


def inject() -> None:
    async def around(turn: Any, destination: Destination, job: Job, send: Callable[[], Awaitable[Any]]) -> Any:
        outcome = await send()
        fates = [
            evolve(fate, fate=Fate.DEFERRED, reason="The link was not there") if fate.fate is Fate.UNKNOWN else fate
            for fate in outcome.fates
        ]
        return evolve(outcome, fates=tuple(fates))

    bend(around)


if __name__ == "__main__":
    serve(inject)
