"""Telling senders what is to be told: in one report of a message what happened within a short time.

What happened stands in rows (`untold`). As soon as nothing more of the message is being tried they become a report,
or else after some seconds. A report that cannot be made now is made later; meanwhile it is in nobody's way. What
happened is read only for a report, and a large one in steps between which others have their turn.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import islice

from attrs import define, field
from twisted.internet.defer import Deferred, gatherResults

from worldmail.errors import OverQuota, RecipientGone, Refusal, WorldMailError
from worldmail.interfaces.database import Cursor, IDatabase
from worldmail.interfaces.world import IClock, IJournal
from worldmail.mail.dsn.values import Action, Happening
from worldmail.queue.parts import write_with
from worldmail.queue.reports import IReports, Manner
from worldmail.queue.untold import Untold, due_untold, outlook, put_off, read_untold, remove_untold, still_untold

BARE = 660
"""Seconds after which a report is made without the message, if that cannot be read."""

SLOWEST = 60
"""Seconds between two tries to make a report, at most; the first ones follow each other faster."""

BATCH = 100
"""Rows that are looked for in one read, and messages."""

TROUBLES = 50
"""Messages of which nothing can be told now, in one round: then what is in the way is in the way of all."""

_FULL = (OverQuota, RecipientGone)


class _Passed(WorldMailError):
    """Another has told some of it meanwhile."""


@define(kw_only=True, eq=False)
class Teller:
    """Makes reports of what is to be told."""

    database: IDatabase
    clock: IClock
    journal: IJournal
    reports: IReports
    # Messages of which this process has let something be told, and whom of their recipients that waits for, or 0.
    _pending: dict[int, int] = field(factory=dict, init=False)
    _telling: dict[int, bool] = field(factory=dict, init=False)  # those that are seen to; True: once more
    _begun: set[Deferred[None]] = field(factory=set, init=False)

    def wrote(self, queued_id: int) -> None:
        """Something is to be told of this message, and is on disk."""
        self._pending.setdefault(queued_id, 0)
        self._look(queued_id)

    def moved(self, queued_id: int) -> None:
        """Less of this message is being tried."""
        if queued_id in self._pending:
            self._look(queued_id)

    async def round(self) -> None:
        """Tell all that is due, whoever wrote it. Raises a `Refusal` if the database cannot be read or written."""
        troubles = 0
        while found := await self.database.read(partial(due_untold, now=int(self.clock.now()), most=BATCH)):
            for queued_id in found:
                troubles += not await self._tell(queued_id, due=True)
                if troubles >= TROUBLES:
                    return
        await self._forget()

    async def _forget(self) -> None:
        """What another told."""
        some = list(islice(self._pending, BATCH))
        left = await self.database.read(partial(still_untold, ids=some)) if some else ()
        for queued_id in some:
            seen = self._pending.pop(queued_id, 0)
            if queued_id in left:
                self._pending[queued_id] = seen  # the others come first in the next round

    async def settled(self) -> None:
        """Done when nothing is being told."""
        while self._begun:
            await gatherResults(list(self._begun))

    def _look(self, queued_id: int) -> None:
        if queued_id in self._telling:
            self._telling[queued_id] = True
            return
        begun = Deferred.fromCoroutine(self._see_to(queued_id))
        self._begun.add(begun)
        begun.addBoth(lambda _: self._begun.discard(begun))

    async def _see_to(self, queued_id: int) -> None:
        self._telling[queued_id] = True
        try:
            while self._telling[queued_id]:
                self._telling[queued_id] = False
                await self._tell(queued_id)
        except Refusal:
            pass  # the rows are there, and the next round comes
        except Exception as error:  # noqa: BLE001  the same
            self.journal.failure("queue.failed", error)
        finally:
            del self._telling[queued_id]

    async def _tell(self, queued_id: int, *, due: bool = False) -> bool:
        """Tell what is due of one message; False if it cannot be told now. `due`: it is known to be."""
        manner = Manner.NOW
        while True:
            now = int(self.clock.now())
            untold = await self._read(queued_id) if due or await self._is_time(queued_id, now) else None
            if untold is None:
                return True
            due = False
            try:
                await self._report(untold, manner, now)
            except _Passed:
                pass
            except Refusal as refusal:
                if manner is Manner.BY_QUEUE or not isinstance(refusal, _FULL):
                    await self._put_off(untold, refusal, now)
                    return False
                manner, due = Manner.BY_QUEUE, True  # who is told will have the report when there is room

    async def _is_time(self, queued_id: int, now: int) -> bool:
        seen = self._pending.get(queued_id, 0)
        found = await self.database.read(partial(outlook, queued_id=queued_id, now=now, seen=seen))
        if found is None:
            self._pending.pop(queued_id, None)
            return False
        if found.busy is not None and queued_id in self._pending:
            self._pending[queued_id] = found.busy
        return found.busy is None

    async def _read(self, queued_id: int) -> Untold | None:
        """What comes into the next report, read slice by slice; None for nothing."""
        so_far: Untold | None = None
        while True:
            untold = await self.database.read(partial(read_untold, queued_id=queued_id, so_far=so_far))
            if untold is None:
                self._pending.pop(queued_id, None)
                return None
            if so_far is not None or not untold.whole:
                await self.clock.sleep(0)  # before more is read, or a large report composed
            if untold.whole:
                return untold
            so_far = untold

    async def _report(self, untold: Untold, manner: Manner, now: int) -> None:
        """Raises `_Passed`, and a `Refusal` if it cannot be made now."""
        bare = now - untold.at >= BARE
        part = await self.reports.made(untold.message, _newest(untold.happenings), manner, bare=bare)
        unit = partial(_remove, untold, now)
        await write_with(self.database.write, unit, part, refused=lambda error: isinstance(error, (_Passed, *_FULL)))

    async def _put_off(self, untold: Untold, refusal: Refusal, now: int) -> None:
        """After twice as long each time."""
        reason = str(refusal.reason or refusal)
        self.journal.record("report.waits", acceptance=untold.message.acceptance, reason=reason)
        pause = min(SLOWEST, max(1, now - untold.at))
        await self.database.write(partial(put_off, queued_id=untold.message.id, due=now + pause))


def _remove(untold: Untold, now: int, cursor: Cursor) -> None:
    if not remove_untold(cursor, untold, now):
        raise _Passed


def _newest(happenings: Sequence[Happening]) -> list[Happening]:
    """Of a recipient that has ended, nothing of delays before."""
    ended = {str(one.recipient.address) for one in happenings if one.action is not Action.DELAYED}
    return [one for one in happenings if one.action is not Action.DELAYED or str(one.recipient.address) not in ended]
