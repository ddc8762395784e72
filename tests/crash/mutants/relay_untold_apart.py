"""A relay that writes down what it has to tell in a unit of its own, a moment after the one that ends the recipient."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from launch import serve
from twisted.internet.task import deferLater

from worldmail.interfaces.database import Cursor
from worldmail.mail.dsn.values import Happening
from worldmail.queue import settling
from worldmail.queue.rows import fewer, more
from worldmail.queue.telling import Teller
from worldmail.queue.untold import add_untold

LATER = 0.2


def inject() -> None:
    later: dict[int, tuple[Sequence[Happening], int]] = {}
    wrote = Teller.wrote

    def keep(cursor: Cursor, queued_id: int, happenings: Sequence[Happening], now: int) -> bool:
        """The message stays, and nothing says what for."""
        later[queued_id] = happenings, now
        return not happenings or more(cursor, queued_id, len(happenings))

    def write(queued_id: int, happenings: Sequence[Happening], now: int, cursor: Cursor) -> None:
        add_untold(cursor, queued_id, happenings, now)
        fewer(cursor, queued_id, len(happenings), now)

    async def wrote_apart(self: Teller, queued_id: int) -> None:
        from twisted.internet import reactor

        happenings, now = later.pop(queued_id)
        await deferLater(reactor, LATER)  # type: ignore[arg-type]  # the reactor is made at run time
        await self.database.write(partial(write, queued_id, happenings, now))
        wrote(self, queued_id)

    def begin(self: Teller, queued_id: int) -> None:
        from twisted.internet.defer import Deferred

        Deferred.fromCoroutine(wrote_apart(self, queued_id))

    settling.add_untold = keep
    Teller.wrote = begin  # type: ignore[method-assign]


if __name__ == "__main__":
    serve(inject)
