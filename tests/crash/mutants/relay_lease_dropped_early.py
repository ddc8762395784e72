"""A relay that gives a lease back when it begins to send, so that two send at once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from launch import serve
from relay_launch import bend

from worldmail.queue.destinations import Destination
from worldmail.queue.jobs import Job
from worldmail.queue.rows import return_leased


def inject() -> None:
    async def around(runner: Any, destination: Destination, job: Job, send: Callable[[], Awaitable[Any]]) -> Any:
        now = int(runner.clock.now())
        ids = [leased.id for leased in job.recipients if leased.id % 8 == 0]
        await runner.database.write(
            partial(return_leased, destination=destination.id, ids=ids, runner_id=runner.id, now=now)
        )
        return await send()

    bend(around)


if __name__ == "__main__":
    serve(inject)
