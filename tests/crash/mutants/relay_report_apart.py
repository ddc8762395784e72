"""A relay that accepts a report in a unit of its own, a moment after the one that removes the recipient."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from launch import serve
from twisted.internet.task import deferLater

from worldmail.interfaces.store import IAcceptancePart
from worldmail.queue.jobs import Message
from worldmail.queue.settling import Settler

LATER = 0.2


def inject() -> None:
    write = Settler._until_written

    async def no_report(*manner: Any) -> None:
        """Nobody is told yet."""

    async def write_apart(
        self: Settler,
        unit: Any,
        message: Message,
        report_of: Callable[..., Awaitable[IAcceptancePart | None]],
        arrival: IAcceptancePart | None = None,
    ) -> None:
        from twisted.internet import reactor

        await write(self, unit, message, no_report, arrival)
        report = await report_of()
        if report is not None:
            await deferLater(reactor, LATER)  # type: ignore[arg-type]  # the reactor is made at run time
            report.accepted(await self.database.write(report.write))

    Settler._until_written = write_apart  # type: ignore[method-assign]


if __name__ == "__main__":
    serve(inject)
