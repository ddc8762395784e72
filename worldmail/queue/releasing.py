"""Letting go what waits in holds: for who asks by ETRN (RFC 1985), and for what else may release them.

What is released waits for its turn like other mail of its destination, and goes where its hold says. What is not taken
there waits in the hold again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from functools import partial

from attrs import define, field, frozen

from worldmail.interfaces.database import Cursor, IDatabase, Row
from worldmail.interfaces.holds import Hold, Release
from worldmail.interfaces.queue import IRoutes, Standing
from worldmail.interfaces.releases import CannotRelease, NotAllowed, ReleaseRequest, Started, Wanted
from worldmail.interfaces.store import ITrace
from worldmail.interfaces.world import IClock, IJournal
from worldmail.queue.rows import FOREVER, STEERED, recount_due
from worldmail.queue.states import Event, sources
from worldmail.wire.flat_json import FlatJson
from worldmail.wire.networks import NetworkSet

SLICE = 500
"""Recipients that one unit releases."""

OFTEN = 20
"""Releases of one hold within `WINDOW` seconds, beyond which it is refused for now."""

WINDOW = 60.0

# Keys of a hold's destinations begin with its name and a space; "!" is what follows a space.
_DESTINATIONS = "SELECT id, domain FROM destination WHERE key >= ? AND key < ? ORDER BY id"
_WAITING = "SELECT DISTINCT queued_id FROM recipient WHERE destination_id = ? AND state = {} AND due <= ? AND look < ?"
_NEXT = (
    "SELECT r.id, r.address, q.acceptance FROM recipient r JOIN queued q ON q.id = r.queued_id"
    " WHERE r.destination_id = ? AND r.state = 1 AND r.look < ? AND r.id > ? ORDER BY r.id LIMIT ?"
)
_RELEASE = (
    f"UPDATE recipient SET state = 0, due = CASE WHEN due > ? THEN due ELSE ? END WHERE id = ?"
    f" AND {sources(Event.RELEASED)}"
)
_WAKE = "UPDATE destination SET rest_until = 0, failures = 0 WHERE id = ?"

_to_json = FlatJson(ascii=False).render


@frozen(kw_only=True)
class Held:
    """A destination with mail of a hold: the id of its row, its domain."""

    id: int
    domain: str


def held_destinations(hold: Hold, domains: Iterable[str] | None, cursor: Cursor) -> list[Held]:
    """Those of a hold that were ever used; of these domains ("." before one: all below it), None for all."""
    rows: list[Row] = cursor.all(_DESTINATIONS, (f"hold {hold.name} ", f"hold {hold.name}!"))
    wanted = None if domains is None else tuple(domains)
    return [
        Held(id=row[0], domain=row[1])
        for row in rows
        if wanted is None or any(row[1] == each or (each[0] == "." and row[1].endswith(each)) for each in wanted)
    ]


def is_of(routes: IRoutes, hold: Hold, held: Held) -> bool:
    """Is it this hold's still? A domain that is in another hold now is that one's, with all that waits for it."""
    now = routes.holding(held.domain)
    return now is None or now.name == hold.name


def count_waiting(destinations: Sequence[Held], now: int, cursor: Cursor) -> int:
    """Messages that wait there, those left out that an administrator holds, or their sender wants to be sent later."""
    found: set[int] = set()
    for each in destinations:
        for state in (Standing.WAITING, Standing.HELD):
            found.update(row[0] for row in cursor.all(_WAITING.format(state.value), (each.id, now, FOREVER)))
    return len(found)


def are_leased(destinations: Sequence[Held], cursor: Cursor) -> bool:
    """Is somebody at it, or what became of it not written yet?"""
    sql = f"SELECT 1 FROM recipient WHERE destination_id = ? AND state = {Standing.LEASED.value} LIMIT 1"
    return any(cursor.one(sql, (each.id,)) is not None for each in destinations)


@define(kw_only=True, eq=False)
class Releasing:
    """Releases for who may."""

    database: IDatabase
    routes: IRoutes
    trace: ITrace
    clock: IClock
    journal: IJournal
    _recent: dict[str, deque[float]] = field(factory=dict, init=False)

    async def release(self, request: ReleaseRequest) -> Started:
        """See `IReleases.release`."""
        meant = [(hold, domains) for hold, domains in self._meant(request) if may_release(hold, request)]
        if not meant:
            self._tell(request, (), "not allowed")
            raise NotAllowed
        asked = [hold for hold, _ in meant]
        sent = [(hold, domains) for hold, domains in meant if hold.release is not Release.ODMR]
        if not sent:
            self._tell(request, asked, "it is fetched by ODMR alone")
            raise CannotRelease
        now = [(hold, domains) for hold, domains in sent if not self.too_often(hold)]
        if not now:
            self._tell(request, asked, "too often")
            raise CannotRelease
        destinations = [each for hold, domains in now for each in await self._destinations(hold, domains)]
        waiting = await self._start(destinations, _said(request))
        under_way = not waiting and await self.database.scan(partial(are_leased, destinations))
        self._tell(request, [hold for hold, _ in now], None, waiting)
        return Started(messages=waiting, under_way=under_way)

    def may_ask(self, client: str) -> bool:
        """See `IReleases.may_ask`."""
        return any(client in NetworkSet(hold.networks) for hold in self.routes.holds() if hold.networks)

    async def let_go(self, hold: Hold, domains: Iterable[str] | None, said: str) -> int:
        """Release what waits in a hold for these domains (None: all); how many messages that is.

        Args:
            said: why, as the trace tells it: "released by a finger query from 192.0.2.1".
        """
        return await self._start(await self._destinations(hold, domains), said)

    async def _destinations(self, hold: Hold, domains: Iterable[str] | None) -> list[Held]:
        found = await self.database.read(partial(held_destinations, hold, domains))
        return [each for each in found if is_of(self.routes, hold, each)]

    async def _start(self, destinations: Sequence[Held], said: str) -> int:
        waiting: int = await self.database.scan(partial(count_waiting, destinations, int(self.clock.now())))
        some = waiting or await self.database.scan(
            partial(count_waiting, destinations, FOREVER)
        )  # for later: let go too
        for each in destinations if some else ():
            after: int | None = 0
            while after is not None:
                after = await self.database.write_long(
                    partial(self._slice, destination=each.id, said=said, after=after)
                )
        return waiting

    def too_often(self, hold: Hold) -> bool:
        """Was this hold released as often as it may be, by whatever way? Counts the release that is asked for."""
        now = self.clock.seconds()
        recent = self._recent.setdefault(hold.name, deque(maxlen=OFTEN))
        if len(recent) == OFTEN and recent[0] > now - WINDOW:
            return True
        recent.append(now)
        return False

    def _meant(self, request: ReleaseRequest) -> Iterator[tuple[Hold, tuple[str, ...] | None]]:
        """The holds, and which of their domains: None for all."""
        name = request.name
        if request.wanted is Wanted.QUEUE:
            hold = self.routes.hold(name)
            if hold is not None:
                yield hold, None
        elif request.wanted is Wanted.DOMAIN:
            hold = self.routes.holding(name)
            if hold is not None:
                yield hold, (name,)
        else:  # RFC 1985 §5.3: all that lies below may be in several
            over = (self.routes.holding(name), self.routes.holding(f"x.{name}"))
            for hold in self.routes.holds():
                if hold in over or any(f".{domain}".endswith(f".{name}") for domain in hold.domains):
                    yield hold, (name, f".{name}")

    def _slice(self, cursor: Cursor, *, destination: int, said: str, after: int) -> int | None:
        """Some of it; the id of the last one, None behind all."""
        now = int(self.clock.now())
        rows = cursor.all(_NEXT, (destination, FOREVER, after, SLICE))
        told: dict[str, list[str]] = {}
        for id_, address, acceptance in rows:
            if cursor.run(_RELEASE, (now, now, id_)):
                told.setdefault(acceptance, []).append(address)
        for acceptance, addresses in told.items():
            self.trace.record(
                cursor, acceptance, now, Event.RELEASED.value, (), _to_json({"to": addresses, "said": said})
            )
        cursor.run(_WAKE, (destination,))
        recount_due(cursor, destination)
        cursor.notice(STEERED, destination)
        return int(rows[-1][0]) if len(rows) == SLICE else None

    def _tell(
        self, request: ReleaseRequest, holds: Iterable[Hold], refused: str | None, messages: int | None = None
    ) -> None:
        self.journal.record(
            "release",
            session=request.session,
            client=request.client,
            account=None if request.account is None else str(request.account.address),
            asked=f"{request.wanted.value}{request.name}",
            hold=",".join(hold.name for hold in holds) or None,
            messages=messages,
            refused=refused,
        )


def _said(request: ReleaseRequest) -> str:
    by = f"asked for by ETRN from {request.client}"
    return by if request.account is None else f"{by} ({request.account.address})"


def may_release(hold: Hold, request: ReleaseRequest) -> bool:
    """Is this one of those that the hold names?"""
    if request.account is not None and request.account.address.key in hold.accounts:
        return True
    return request.client in NetworkSet(hold.networks)
