"""Administrators' hands on the queue, from any process.

What waits or is held is changed where it lies. Of what a runner has leased only a wish can be written, which it looks
at when its attempt has failed for now.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from typing import Any

from attrs import evolve, frozen
from zope.interface import implementer

from worldmail.errors import NoSuchThing, OverQuota, RecipientGone
from worldmail.interfaces.database import Cursor, IDatabase
from worldmail.interfaces.directory import IDirectory
from worldmail.interfaces.outbound import Fate, Phase, RecipientFate
from worldmail.interfaces.queue import (
    DestinationState,
    IQueueAdmin,
    IRoutes,
    QueueCounters,
    QueuedMessage,
    Route,
    Selection,
    Standing,
)
from worldmail.interfaces.store import IAcceptance, IAcceptancePart, ITrace
from worldmail.interfaces.world import IClock
from worldmail.mail.address import Address
from worldmail.mail.domain import normal_domain
from worldmail.mail.envelope import OriginalRecipient
from worldmail.queue.expansion import is_elsewhere, sort_out
from worldmail.queue.jobs import Leased, read_recipient, write_wishes
from worldmail.queue.parcels import LOCAL
from worldmail.queue.reports import Happened, IReports, Manner
from worldmail.queue.rows import FOREVER, STEERED, destination_id, fewer, read_message, recount_due
from worldmail.queue.selecting import Matched, counters, destinations, matched, shown
from worldmail.queue.settling import Transaction
from worldmail.queue.states import Event, sources
from worldmail.wire.flat_json import FlatJson

REMOVED = "5.0.0"  # RFC 3463 §3.1: nothing more is known

_RETRY = f"UPDATE recipient SET due = ? WHERE id = ? AND {sources(Event.LEASED)}"
_HOLD = f"UPDATE recipient SET state = 1, due = ?, look = ? WHERE id = ? AND {sources(Event.HELD)}"
_WISH = "UPDATE recipient SET wish = ? WHERE id = ? AND state = 2"
_RELEASE = f"UPDATE recipient SET state = 0, due = ?, expires = ?, look = ? WHERE id = ? AND {sources(Event.RELEASED)}"
_REMOVE = "DELETE FROM recipient WHERE id = ? AND state IN (0, 1)"
_REDIRECT = (
    "UPDATE recipient SET address = ?, wishes = ?, destination_id = ?, state = 0, due = ?, look = ?, expires = ?"
    f" WHERE id = ? AND {sources(Event.REDIRECTED)}"
)

_to_json = FlatJson(ascii=False).render


@implementer(IQueueAdmin)
@frozen(kw_only=True)
class QueueAdmin:
    """Provides `IQueueAdmin`.

    Args:
        lifetime: seconds that a redirected recipient has from now.
    """

    database: IDatabase
    clock: IClock
    trace: ITrace
    acceptance: IAcceptance
    routes: IRoutes
    directory: IDirectory
    reports: IReports
    lifetime: float

    def counters(self) -> Awaitable[QueueCounters]:
        """See `IQueueAdmin.counters`."""
        return self.database.scan(counters)

    def destinations(self, limit: int) -> Awaitable[list[DestinationState]]:
        """See `IQueueAdmin.destinations`."""
        return self.database.scan(partial(destinations, limit=limit))

    def messages(self, selection: Selection, limit: int) -> Awaitable[list[QueuedMessage]]:
        """See `IQueueAdmin.messages`."""
        return self.database.scan(partial(shown, selection=selection, limit=limit))

    async def retry(self, selection: Selection) -> int:
        """See `IQueueAdmin.retry`."""
        return await self._each(selection, (Standing.WAITING,), self._retry)

    async def hold(self, selection: Selection) -> int:
        """See `IQueueAdmin.hold`."""
        return await self._each(selection, (Standing.WAITING, Standing.LEASED), self._hold)

    async def release(self, selection: Selection) -> int:
        """See `IQueueAdmin.release`."""
        return await self._each(selection, (Standing.HELD,), self._release)

    async def remove(self, selection: Selection, report: bool) -> int:
        """See `IQueueAdmin.remove`."""
        removed = await self._each(selection, (Standing.LEASED,), self._wish_away)
        newest = await self.database.read(_newest)  # what comes later, reports above all, is not meant
        while chosen := await self.database.scan(partial(_one_message, selection, newest)):
            removed += await self._remove(chosen, report)
        return removed

    async def redirect(self, selection: Selection, address: Address) -> int:
        """See `IQueueAdmin.redirect`."""
        domain = normal_domain(address.domain)
        accounts, others = sort_out(await self.directory.resolve(address))
        here = not is_elsewhere(read_recipient(str(address), None), accounts, others)
        states = (Standing.WAITING, Standing.HELD)
        return await self._each(selection, states, partial(self._redirect, address, domain, here), address)

    async def export(self, id: str, write: Callable[[bytes], None]) -> None:
        """See `IQueueAdmin.export`."""
        row = await self.database.scan(
            lambda cursor: cursor.one("SELECT content_id FROM queued WHERE acceptance = ?", (id.upper(),))
        )
        if row is None:
            raise NoSuchThing(f"there is no message {id} in the queue")
        content = await self.acceptance.outgoing(row[0])
        async for chunk in content.chunks():
            write(chunk)

    # -- slices --------------------------------------------------------------------------

    async def _each(
        self,
        selection: Selection,
        states: Sequence[Standing],
        change: Callable[[Cursor, Matched, int], Event | None],
        instead: Address | None = None,
    ) -> int:
        """Change all that are meant, slice by slice; how many were. `instead`: where they are sent, for the trace."""
        after, changed = 0, 0
        while True:
            after, some = await self.database.write_long(
                partial(self._slice, selection=selection, after=after, states=states, change=change, instead=instead)
            )
            changed += some
            if not after:
                return changed

    def _slice(
        self,
        cursor: Cursor,
        *,
        selection: Selection,
        after: int,
        states: Sequence[Standing],
        change: Callable[[Cursor, Matched, int], Event | None],
        instead: Address | None,
    ) -> tuple[int, int]:
        now = int(self.clock.now())
        rows = matched(cursor, selection, after, states)
        done: dict[tuple[str, Event], list[str]] = {}
        changed = 0
        for row in rows:
            event = change(cursor, row, now)
            if event is not None:
                changed += 1
            if event is not None and row.standing is not Standing.LEASED:  # of these the trace is told when it is done
                done.setdefault((row.acceptance, event), []).append(row.address)
        for destination in sorted({row.destination_id for row in rows}):
            recount_due(cursor, destination)
            cursor.notice(STEERED, destination)
        for (acceptance, event), addresses in done.items():
            self._tell(cursor, acceptance, event, addresses, now, instead)
        return rows[-1].id if rows else 0, changed

    def _tell(
        self,
        cursor: Cursor,
        acceptance: str,
        event: Event,
        addresses: Iterable[str],
        now: int,
        instead: Address | None = None,
    ) -> None:
        detail: dict[str, Any] = {"to": list(addresses), "said": "by an administrator"}
        keys: tuple[str, ...] = ()
        if instead is not None:
            detail["instead"], keys = str(instead), (instead.key,)
        self.trace.record(cursor, acceptance, now, event.value, keys, _to_json(detail))

    def _retry(self, cursor: Cursor, row: Matched, now: int) -> Event | None:
        cursor.run("UPDATE destination SET rest_until = 0 WHERE id = ? AND rest_until > 0", (row.destination_id,))
        return Event.RETRIED if cursor.run(_RETRY, (now, row.id)) else None

    def _hold(self, cursor: Cursor, row: Matched, now: int) -> Event | None:
        """`due` is from now on when it was held: that time does not count for its end."""
        if row.standing is Standing.LEASED:
            return Event.HELD if cursor.run(_WISH, ("hold", row.id)) else None
        return Event.HELD if cursor.run(_HOLD, (now, FOREVER, row.id)) else None

    def _release(self, cursor: Cursor, row: Matched, now: int) -> Event | None:
        expires = row.expires + max(0, now - row.due)
        return Event.RELEASED if cursor.run(_RELEASE, (now, expires, expires, row.id)) else None

    def _wish_away(self, cursor: Cursor, row: Matched, now: int) -> Event | None:
        return Event.REMOVED if cursor.run(_WISH, ("remove", row.id)) else None

    def _redirect(
        self, address: Address, domain: str, here: bool, cursor: Cursor, row: Matched, now: int
    ) -> Event | None:
        recipient = read_recipient(row.address, row.wishes)
        original = recipient.original or OriginalRecipient(address_type="rfc822", address=row.address)
        sender = Address.parse(row.sender) if row.sender else None
        route: Route = LOCAL if here else self.routes.onward(sender, domain)
        target = destination_id(cursor, route.destination(domain), domain, route.name)
        expires = now + round(self.lifetime)
        values = (
            str(address),
            write_wishes(evolve(recipient, original=original)),
            target,
            now,
            expires,
            expires,
            row.id,
        )
        if not cursor.run(_REDIRECT, values):
            return None
        recount_due(cursor, target)
        cursor.notice(STEERED, target)
        return Event.REDIRECTED

    # -- removal ---------------------------------------------------------------------------

    async def _remove(self, rows: Sequence[Matched], report: bool, manner: Manner = Manner.NOW) -> int:
        """Remove recipients of one message; with a report it is in the same unit."""
        message = await self.database.read(partial(read_message, queued_id=rows[0].queued_id))
        part: IAcceptancePart | None = None
        if report:
            fate = RecipientFate(
                fate=Fate.FAILED,
                status=REMOVED,
                phase=Phase.NAME,
                reason="An administrator of the mail system removed the message from the queue",
            )
            happened = [
                Happened(
                    event=Event.FAILED,
                    leased=Leased(
                        id=row.id,
                        recipient=read_recipient(row.address, row.wishes),
                        attempts=row.attempts,
                        expires=row.expires,
                        warned=True,
                    ),
                    fate=fate,
                )
                for row in rows
            ]
            part = await self.reports.part(message, happened, Transaction(server=""), manner)
        try:
            removed, result = await self.database.write_long(partial(self._removal, rows=rows, part=part))
        except BaseException as error:
            refused = isinstance(error, (OverQuota, RecipientGone))
            if part is not None:
                await part.dropped(refused=refused)
            if not refused or manner is Manner.BY_QUEUE:
                raise
            return await self._remove(rows, report, Manner.BY_QUEUE)
        if part is not None:
            part.accepted(result)
        return removed

    def _removal(self, cursor: Cursor, *, rows: Sequence[Matched], part: IAcceptancePart | None) -> tuple[int, object]:
        now = int(self.clock.now())
        gone = [row for row in rows if cursor.run(_REMOVE, (row.id,))]
        if gone:
            fewer(cursor, rows[0].queued_id, len(gone), now)
            self._tell(cursor, rows[0].acceptance, Event.REMOVED, [row.address for row in gone], now)
        for destination in sorted({row.destination_id for row in gone}):
            recount_due(cursor, destination)
        return len(gone), None if part is None else part.write(cursor)


def _newest(cursor: Cursor) -> int:
    row = cursor.one("SELECT max(id) FROM recipient")
    return 0 if row is None or row[0] is None else int(row[0])


def _one_message(selection: Selection, newest: int, cursor: Cursor) -> list[Matched]:
    """Recipients of one message that are meant and are nobody's."""
    rows = matched(cursor, selection, 0, (Standing.WAITING, Standing.HELD))
    return [row for row in rows if row.queued_id == rows[0].queued_id and row.id <= newest]
