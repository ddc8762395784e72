"""Servers that work one queue and keep large content in directories of their own: neither can read what the other took.

That is no way to run them (they need one shared content store), but mail must not suffer: what one cannot read it gives
back untried, for the others, and leaves it alone while those live.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import partial

from attrs import define, field

from worldmail.errors import Refusal
from worldmail.interfaces.database import Cursor, IDatabase
from worldmail.interfaces.outbound import IOutgoingContent
from worldmail.interfaces.world import IClock, IJournal
from worldmail.queue.destinations import Destination
from worldmail.queue.jobs import Job
from worldmail.queue.rows import return_leased

MARK = " contents:"
"""In a runner's row between its node and the mark of its content."""

MOST = 500
"""Messages that are remembered as left to others, the latest."""

SAID = "Its content lies on another server, which shares no content store with this one"

_SAY = "UPDATE recipient SET reply = ?, server = NULL, tried = NULL WHERE id = ? AND runner_id = ?"

TEXT = (
    "other servers on this database keep large messages in a directory that this one does not have: neither can read"
    " the other's. All of them need one content store: S3, or one shared directory"
)


def mark_of(node: str) -> str:
    """The mark of its content that a runner's row has; "" for none."""
    return node.partition(MARK)[2]


@define(kw_only=True, eq=False)
class Apart:
    """What a runner knows of the others.

    Attributes:
        left: messages that were left to them, by the ids of their rows.
    """

    database: IDatabase
    clock: IClock
    journal: IJournal
    _runners: frozenset[int] = field(default=frozenset(), init=False)
    left: dict[int, None] = field(factory=dict, init=False)

    def are_there(self, runners: Collection[int]) -> None:
        """These runners live now whose content is apart from ours. What was left to one that is gone is tried again."""
        now = frozenset(runners)
        if self._runners - now:
            self.left.clear()
        if now - self._runners:
            self.journal.record("queue.contents-apart", level="error", text=TEXT, runners=len(now))
        self._runners = now

    async def look_at(self, content: IOutgoingContent) -> None:
        """Raises `TemporaryFailure` if it cannot be read here; looks only where another may be able to."""
        if self._runners and content.inline is None:
            async for _ in content.chunks():
                return

    async def leave(self, destination: Destination, job: Job) -> bool:
        """Give these back untried, for the others; False if there are none, or it cannot be written."""
        if not self._runners or job.message.id in self.left:
            return False
        ids = [leased.id for leased in job.recipients]
        now = int(self.clock.now())
        unit = partial(_leave, destination=destination.id, ids=ids, runner_id=job.recipients[0].runner_id, now=now)
        while len(self.left) >= MOST:
            del self.left[next(iter(self.left))]
        self.left[job.message.id] = None  # first: the row may be looked for as soon as it is back
        try:
            await self.database.write(unit)
        except Refusal:
            del self.left[job.message.id]
            return False
        self.journal.record("queue.left", acceptance=job.message.acceptance, recipients=len(ids))
        return True


def _leave(cursor: Cursor, *, destination: int, ids: list[int], runner_id: int, now: int) -> None:
    for id_ in ids:
        cursor.run(_SAY, (SAID, id_, runner_id))
    return_leased(cursor, destination, ids, runner_id, now)
