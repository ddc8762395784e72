"""Accepting a message: one unit of work for its content, its place in every mailbox and in the queue, and its trace."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

from zope.interface import implementer

from worldmail.errors import OverQuota, RecipientGone, StorageFull, TakenElsewhere
from worldmail.interfaces.database import IDatabase, Shared
from worldmail.interfaces.queue import IOnward
from worldmail.interfaces.store import Acceptance, Handover, IAcceptance, IContentStore, IContentWriter, ITrace
from worldmail.store.accepting import AcceptancePart
from worldmail.store.arrived import have_arrived
from worldmail.store.ids import AcceptanceIds
from worldmail.store.inflow import Inflow
from worldmail.store.outgoing import OutgoingContent, outgoing_content
from worldmail.store.space import Space
from worldmail.store.staged import Leftovers
from worldmail.store.writer import ContentWriter, Elsewhere, here


@implementer(IAcceptance)
class Acceptances:
    """Provides `IAcceptance`.

    Args:
        inline_limit: octets up to which content is kept in the database.
        now: epoch seconds.
        elsewhere: where large content is digested.
        inflow: told of large content on its way in.
    """

    def __init__(
        self,
        *,
        database: IDatabase,
        contents: IContentStore,
        trace: ITrace,
        space: Space,
        inline_limit: int,
        now: Callable[[], float],
        elsewhere: Elsewhere = here,
        inflow: Inflow | None = None,
    ) -> None:
        self._database = database
        self._contents = contents
        self._leftovers = Leftovers(database=database, contents=contents)
        self._trace = trace
        self.onward: IOnward | None = None
        self._space = space
        self._inline_limit = inline_limit
        self._now = now
        self._elsewhere = elsewhere
        self._inflow = inflow
        self._ids = AcceptanceIds(now)

    def new_id(self) -> str:
        return self._ids.new()

    def check_room(self, size: int) -> None:
        self._space.check(size)

    def writer(self) -> IContentWriter:
        return ContentWriter(self._contents, self._inline_limit, self._space.check, self._elsewhere, self._inflow)

    async def accept(self, acceptance: Acceptance) -> None:
        part = self.part(acceptance)
        try:
            self._space.check(acceptance.content.size)
        except StorageFull:
            await part.dropped(refused=True)
            raise
        try:
            place = await self._database.write(Shared(part.write) if part.shared else part.write)
        except (OverQuota, RecipientGone, TakenElsewhere):
            # The unit itself gave up. After any other failure nobody knows what is on the disk: the collector will.
            await part.dropped(refused=True)
            raise
        except BaseException:
            await part.dropped(refused=False)
            raise
        part.accepted(place)

    def part(self, acceptance: Acceptance) -> AcceptancePart:
        parcel = None
        if acceptance.onward:
            assert self.onward is not None
            parcel = self.onward.parcel(acceptance)
        return AcceptancePart.of(acceptance, self._trace, parcel, self._leftovers, int(self._now()))

    def arrived(self, handover: Handover) -> Awaitable[frozenset[str]]:
        return self._database.read(partial(have_arrived, handover=handover))

    def outgoing(self, content_id: int) -> Awaitable[OutgoingContent]:
        return outgoing_content(self._database, self._contents, content_id)
