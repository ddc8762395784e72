"""A relay that accepts a report in one unit, and forgets in another, a moment later, that it had to be told."""

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
    async def report_first(self: Teller, untold: Untold, manner: Manner, now: int) -> None:
        from twisted.internet import reactor

        part = await self.reports.made(untold.message, untold.happenings, manner)
        part.accepted(await self.database.write(part.write))
        await deferLater(reactor, LATER)  # type: ignore[arg-type]  # the reactor is made at run time
        await self.database.write(partial(telling._remove, untold, now))

    Teller._report = report_first  # type: ignore[method-assign]


if __name__ == "__main__":
    serve(inject)
