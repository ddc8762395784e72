"""Administrators' hands on the queue, from any process.

What waits or is held is changed where it lies. Of what a runner has leased only a wish can be written, which it looks
at when its attempt has failed for now.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from attrs import evolve, frozen
from zope.interface import implementer

from worldmail.errors import BadValue, NoSuchThing
from worldmail.interfaces.database import Cursor, IDatabase
from worldmail.interfaces.directory import IDirectory
from worldmail.interfaces.holds import Release
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
from worldmail.interfaces.store import IAcceptance, ITrace
from worldmail.interfaces.world import IClock
from worldmail.mail.address import Address
from worldmail.mail.domain import normal_domain
from worldmail.mail.envelope import OriginalRecipient
from worldmail.queue.expansion import is_elsewhere, sort_out
from worldmail.queue.jobs import read_recipient, write_wishes
from worldmail.queue.parcels import LOCAL
from worldmail.queue.removal import REPORTED, SILENT, leased_of, tell_of_removal
from worldmail.queue.reports import IReports
from worldmail.queue.routes import OF_HOLD
from worldmail.queue.rows import FOREVER, STEERED, destination_id, fewer, read_message, recount_due
from worldmail.queue.selecting import SLICE, Matched, counters, destinations, matched, shown
from worldmail.queue.settling import Transaction
from worldmail.queue.states import Event, sources
from worldmail.queue.telling import Teller
from worldmail.wire.flat_json import FlatJson

SIDE_BY_SIDE = 20
"""Reports that are made at once."""

_RETRY = f"UPDATE recipient SET due = ? WHERE id = ? AND {sources(Event.LEASED)}"
_HOLD = f"UPDATE recipient SET state = 1, due = ?, look = ? WHERE id = ? AND look < ? AND {sources(Event.HELD)}"
_WISH = "UPDATE recipient SET wish = ? WHERE id = ? AND state = 2"
_RELEASE = f"UPDATE recipient SET state = 0, due = ?, expires = ?, look = ? WHERE id = ? AND {sources(Event.RELEASED)}"
_PUT_BACK = (
    f"UPDATE recipient SET due = ?, expires = ?, look = ? WHERE id = ? AND look = ? AND {sources(Event.RELEASED)}"
)
_ROUTE = "SELECT route, domain FROM destination WHERE id = ?"
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
    teller: Teller
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
        return await self._each(selection, (Standing.WAITING,), partial(self._retry, selection.id is not None))

    async def hold(self, selection: Selection) -> int:
        """See `IQueueAdmin.hold`."""
        return await self._each(selection, tuple(Standing), self._hold)

    async def release(self, selection: Selection) -> int:
        """See `IQueueAdmin.release`."""
        stay: dict[str, str] = {}
        released = await self._each(selection, (Standing.HELD,), partial(self._release, stay))
        if stay:
            raise BadValue(_why_it_stays(stay, released))
        return released

    async def remove(self, selection: Selection, report: bool) -> int:
        """See `IQueueAdmin.remove`."""
        removed = await self._each(selection, (Standing.LEASED,), partial(self._wish_away, report))
        newest = await self.database.read(_newest)  # what comes later, reports above all, is not meant
        after = 0
        while after < newest:
            unit = partial(self._removal, selection=selection, after=after, newest=newest, report=report)
            after, some, told = await self.database.write_long(unit)
            removed += some
            for start in range(0, len(told), SIDE_BY_SIDE):
                for queued_id in told[start : start + SIDE_BY_SIDE]:
                    self.teller.wrote(queued_id)
                await self.teller.settled()
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

    def _retry(self, early: bool, cursor: Cursor, row: Matched, now: int) -> Event | None:
        """`early`: also what its sender wants to be sent later."""
        if not early and _not_before(row, now) > now:
            return None
        cursor.run("UPDATE destination SET rest_until = 0 WHERE id = ? AND rest_until > 0", (row.destination_id,))
        return Event.RETRIED if cursor.run(_RETRY, (now, row.id)) else None

    def _hold(self, cursor: Cursor, row: Matched, now: int) -> Event | None:
        """`due` is from now on when it was held: that time does not count for its end. A later one, which its sender
        wants, stays: its time had not begun. `look`, for ever, keeps it from releases of its hold and from turns."""
        if row.standing is Standing.LEASED:
            return Event.HELD if cursor.run(_WISH, ("hold", row.id)) else None
        return Event.HELD if cursor.run(_HOLD, (_not_before(row, now), FOREVER, row.id, FOREVER)) else None

    def _release(self, stay: dict[str, str], cursor: Cursor, row: Matched, now: int) -> Event | None:
        """`stay`: is told the domains of what has nowhere to go but to who fetches it, with their holds."""
        expires = row.expires + max(0, now - row.due)
        due = _not_before(row, now)
        route, domain = cursor.one(_ROUTE, (row.destination_id,)) or ("", "")
        if self._is_fetched(route):
            changed = cursor.run(_PUT_BACK, (due, expires, expires, row.id, FOREVER))
            if changed:
                return Event.RELEASED
            sender = Address.parse(row.sender) if row.sender else None
            if not self.routes.onward(sender, domain).name:  # the DNS names us, as long as we hold it for others
                stay[domain] = route.removeprefix(OF_HOLD)
                return None
        return Event.RELEASED if cursor.run(_RELEASE, (due, expires, expires, row.id)) else None

    def _is_fetched(self, route: str) -> bool:
        """Is it a hold's, from which somebody fetches it? What was kept back there waits for that again."""
        hold = self.routes.hold(route.removeprefix(OF_HOLD)) if route.startswith(OF_HOLD) else None
        return hold is not None and hold.release is Release.ODMR

    def _wish_away(self, report: bool, cursor: Cursor, row: Matched, now: int) -> Event | None:
        return Event.REMOVED if cursor.run(_WISH, (REPORTED if report else SILENT, row.id)) else None

    def _redirect(
        self, address: Address, domain: str, here: bool, cursor: Cursor, row: Matched, now: int
    ) -> Event | None:
        recipient = read_recipient(row.address, row.wishes)
        original = recipient.original or OriginalRecipient(address_type="rfc822", address=row.address)
        sender = Address.parse(row.sender) if row.sender else None
        route: Route = LOCAL if here else self.routes.onward(sender, domain)
        target = destination_id(cursor, route.destination(domain), domain, route.name)
        due = _not_before(row, now)
        expires = due + round(self.lifetime)
        values = (
            str(address),
            write_wishes(evolve(recipient, original=original)),
            target,
            due,
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

    def _removal(
        self, cursor: Cursor, *, selection: Selection, after: int, newest: int, report: bool
    ) -> tuple[int, int, list[int]]:
        """One slice: its last recipient (`newest` if it was the last slice), how many, and the messages to tell of."""
        now = int(self.clock.now())
        rows = matched(cursor, selection, after, (Standing.WAITING, Standing.HELD))
        messages: dict[int, list[Matched]] = {}
        for row in rows:
            if row.id <= newest and cursor.run(_REMOVE, (row.id,)):
                messages.setdefault(row.queued_id, []).append(row)
        told = []
        for queued_id, gone in messages.items():
            if report and self._told(cursor, queued_id, gone, now):
                told.append(queued_id)
            fewer(cursor, queued_id, len(gone), now)
            self._tell(cursor, gone[0].acceptance, Event.REMOVED, [row.address for row in gone], now)
        for destination in sorted({row.destination_id for row in rows}):
            recount_due(cursor, destination)
        return rows[-1].id if len(rows) == SLICE else newest, sum(map(len, messages.values())), told

    def _told(self, cursor: Cursor, queued_id: int, gone: Sequence[Matched], now: int) -> bool:
        some = [leased_of(row.id, row.address, row.wishes, row.attempts, row.expires) for row in gone]
        message = read_message(cursor, queued_id)
        return tell_of_removal(cursor, self.reports, message, some, Transaction(server=""), now)


def _why_it_stays(stay: Mapping[str, str], released: int) -> str:
    domain, hold = min(stay.items())
    done = f"{released} recipient{'' if released == 1 else 's'} released, but " if released else ""
    return (
        f"{done}mail for {domain} waits in the hold {hold} for who fetches it, and knows no other way: let the site"
        f" fetch it (there: worldmail agent run), set a way first (worldmail route add NAME domain={domain} via=host"
        f" host=HOST, or worldmail hold set {hold} release=host host=HOST), or send it"
        " elsewhere (worldmail queue redirect)"
    )


def _not_before(row: Matched, now: int) -> int:
    """Now, or the later moment that its sender wants (RFC 4865): what waits for anything else was due when it came, or
    was tried."""
    return now if row.attempts else max(row.due, now)


def _newest(cursor: Cursor) -> int:
    row = cursor.one("SELECT max(id) FROM recipient")
    return 0 if row is None or row[0] is None else int(row[0])
