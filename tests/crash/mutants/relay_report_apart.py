"""A relay that forgets what it has to tell in one unit, and accepts the report in another, a moment later."""

from __future__ import annotations

from functools import partial

from launch import serve
from twisted.internet.task import deferLater

from worldmail.queue import telling
from worldmail.queue.reports import Manner
from worldmail.queue.telling import Teller
from worldmail.queue.untold import Untold

LATER = 0.2


def inject() -> None:
    async def report_apart(self: Teller, untold: Untold, manner: Manner, now: int) -> None:
        from twisted.internet import reactor

        part = await self.reports.made(untold.message, untold.happenings, manner)
        await self.database.write(partial(telling._remove, untold, now))
        await deferLater(reactor, LATER)  # type: ignore[arg-type]  # the reactor is made at run time
        part.accepted(await self.database.write(part.write))

    Teller._report = report_apart  # type: ignore[method-assign]


if __name__ == "__main__":
    serve(inject)
