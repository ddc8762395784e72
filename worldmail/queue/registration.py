"""Who works the queue: a row a runner, and the lock of its id, which dies with its process, or with its session.

A lock that hangs on a session may be lost and come back. Whoever takes a runner for dead, and has its lock, first
removes its row, as he found it then (`started`), and only then lets its recipients wait again; whoever has his own lock
back first writes in his row. One of the two comes first, and the other gives up: so no lease is lost unnoticed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial

from attrs import define, field

from worldmail.errors import TemporaryFailure
from worldmail.interfaces.database import Cursor, IDatabase
from worldmail.interfaces.queue import Standing
from worldmail.interfaces.store import ILeaseLock, ILeaseLocks, ITrace
from worldmail.queue.apart import MARK, mark_of
from worldmail.queue.destinations import Destination
from worldmail.queue.jobs import Leased
from worldmail.queue.removal import REMOVALS, REPORTED, WISHED, leased_of, tell_of_removal
from worldmail.queue.reports import IReports
from worldmail.queue.routes import OF_HOLD
from worldmail.queue.rows import FOREVER, fewer, may_be_due, read_message
from worldmail.queue.settling import Transaction
from worldmail.queue.states import Event, sources
from worldmail.wire.flat_json import FlatJson

BATCH = 200
"""Recipients that one unit lets wait again."""

UNKNOWN = "The server stopped while this was tried; whether the message was taken is not known"

_HELD = (
    "SELECT r.id, r.queued_id, r.destination_id, r.address, r.wish, d.route, r.wishes, r.attempts, r.expires"
    " FROM recipient r JOIN destination d ON d.id = r.destination_id WHERE r.runner_id = ? LIMIT ?"
)
_FREE = (
    "UPDATE recipient SET state = ?, runner_id = NULL, due = ?, look = CASE WHEN ? = 1 THEN ? ELSE look END,"
    f" reply = ?, server = NULL, tried = NULL, wish = NULL WHERE id = ? AND {sources(Event.RECLAIMED)}"
)
_GONE = f"DELETE FROM recipient WHERE id = ? AND {sources(Event.RECLAIMED)}"
_KEEP = (
    f"UPDATE recipient SET state = {Standing.LEASED.value}, runner_id = ? WHERE id = ? AND (runner_id = ? OR"
    f" ({sources(Event.LEASED)} AND destination_id = ? AND address = ? AND attempts = ? AND reply = ?))"
)
_NEXT = "SELECT min(runner_id) FROM recipient WHERE runner_id > ?"

_to_json = FlatJson(ascii=False).render


@define(kw_only=True)
class Registration:
    """One runner's entry, and the search for those that died.

    Args:
        locks: one for each id of a runner.
        node: the machine and process, for people.
        mark: what tells our content store from that of another machine; "" where all have one.
        apart: ids of other runners whose content lies apart from ours, as far as they have not been found dead.
        seconds: a clock that only grows.
    """

    database: IDatabase
    locks: ILeaseLocks
    trace: ITrace
    node: str
    mark: Callable[[], str] = field(default=lambda: "")
    reports: IReports
    now: Callable[[], float]
    seconds: Callable[[], float]
    id: int = field(default=0, init=False)
    apart: frozenset[int] = field(default=frozenset(), init=False)
    _mark: str = field(default="", init=False)
    _lock: ILeaseLock | None = field(default=None, init=False)
    _interruptions: int = field(default=0, init=False)
    _free_since: dict[int, float] = field(factory=dict, init=False)

    async def enter(self) -> int:
        """Become a runner, under a new id: what an old one had, anybody may take. Raises `TemporaryFailure`."""
        self._mark = self.mark()
        node = f"{self.node}{MARK}{self._mark}" if self._mark else self.node
        while True:
            id_ = await self.database.write(partial(_enter, node, int(self.now())))
            lock = await self.locks.lock(id_)
            if lock is None:
                continue
            interruptions = lock.interruptions
            try:
                row = await self.database.read(partial(_started, id_))
            except BaseException:
                await lock.release()
                raise
            if row is not None:
                break
            await lock.release()  # another took us for dead before we had the lock
        old, self.id, self._lock, self._interruptions = self._lock, id_, lock, interruptions
        if old is not None:  # it may have come back with the session that it belongs to
            await old.release()
        return id_

    def held(self) -> bool:
        """Is what was leased still ours, for certain?"""
        lock = self._lock
        return lock is not None and lock.held() and lock.interruptions == self._interruptions

    async def resume(self) -> bool:
        """The lock was in doubt. True if it is back and nobody has taken us for dead; False if it is lost.

        Raises: `TemporaryFailure` while nobody can tell.
        """
        lock = self._lock
        if lock is None or lock.lost():
            return False
        if not lock.held():
            raise TemporaryFailure(reason="nobody knows whose the lock of this runner is")
        interruptions = lock.interruptions
        self._free_since.clear()  # what was free while the database was away says nothing
        if not await self.database.write(partial(_go_on, self.id, int(self.now()))):
            return False
        self._interruptions = interruptions
        return True

    async def keep(self, some: Sequence[tuple[Leased, Destination]]) -> set[int]:
        """Lease to us, under our id, what was leased to us under another one before and nobody has taken up since.

        Its conversations go on. Gives the ids. Raises `TemporaryFailure`; it may be done again.
        """
        kept: set[int] = set()
        for start in range(0, len(some), BATCH):
            kept |= await self.database.write(partial(_keep, self.id, some[start : start + BATCH]))
        return kept

    async def leave(self) -> None:
        """Nothing is leased any more."""
        lock, self._lock = self._lock, None
        if lock is not None:
            try:
                await self.database.write(partial(_leave, self.id))
            finally:
                await lock.release()

    async def reclaim(self, *, at_once: bool = False) -> int:
        """Let wait again what dead runners had leased; how many recipients.

        `at_once`: without the patience with which locks are looked at where a session may be lost and come back.
        """
        runners = await self.database.read(_runners)
        others = [id_ for id_ in sorted(runners) if id_ != self.id]
        self.apart = frozenset(id_ for id_ in others if self._mark and runners[id_] not in ("", self._mark))
        try:
            free = await self.locks.free(others) if others else []
        except BaseException:
            self._free_since.clear()
            raise
        now = self.seconds()
        self._free_since = {id_: self._free_since.get(id_, now) for id_ in free}
        reclaimed = 0
        for id_, since in list(self._free_since.items()):
            if at_once or now - since >= self.locks.patience:
                reclaimed += await self._reclaim(id_)
        return reclaimed

    async def _reclaim(self, id_: int) -> int:
        lock = await self.locks.lock(id_)
        if lock is None:
            return 0
        reclaimed = 0
        try:
            started = await self.database.read(partial(_started, id_))
            if started is None or await self.database.write(partial(_bury, id_, started)):
                while batch := await self.database.write(partial(self._free, id_)):
                    reclaimed += batch
        finally:
            await lock.release()
        return reclaimed

    async def strays(self, known: Collection[int], suspects: Collection[int]) -> set[int]:
        """What is leased to us and not known here: a unit came about though that could not be told.

        Those who were suspects before wait again.
        """
        leased = await self.database.read(partial(_leased_to, self.id))
        unknown = leased.difference(known)
        sure = sorted(unknown.intersection(suspects))[:BATCH]
        if sure:
            await self.database.write(partial(self._free, self.id, only=frozenset(sure)))
        return unknown.difference(sure)

    def _free(self, id_: int, cursor: Cursor, only: Collection[int] | None = None) -> int:
        now = int(self.now())
        rows = cursor.all(_HELD, (id_, BATCH)) if only is None else cursor.all(_HELD, (id_, FOREVER))
        if only is not None:
            rows = [row for row in rows if row[0] in only]
        told: dict[tuple[int, Event], list[str]] = {}
        reported: dict[int, list[Leased]] = {}
        for recipient, queued_id, destination, address, wish, route, *rest in rows:
            event = Event.REMOVED if wish in REMOVALS else Event.RECLAIMED
            told.setdefault((queued_id, event), []).append(address)
            if wish == REPORTED:
                reported.setdefault(queued_id, []).append(leased_of(recipient, address, *rest))
            if event is Event.REMOVED:
                cursor.run(_GONE, (recipient,))
                continue
            standing = Standing.HELD if wish == "hold" or route.startswith(OF_HOLD) else Standing.WAITING
            cursor.run(_FREE, (standing.value, now, int(wish == "hold"), FOREVER, UNKNOWN, recipient))
            if standing is Standing.WAITING:
                may_be_due(cursor, destination, now)
        for queued_id, some in reported.items():
            message = read_message(cursor, queued_id)
            tell_of_removal(cursor, self.reports, message, some, Transaction(server=""), now)
        self._tell(cursor, told, now)
        return len(rows)

    def _tell(self, cursor: Cursor, told: Mapping[tuple[int, Event], Sequence[str]], now: int) -> None:
        for (queued_id, event), addresses in told.items():
            row = cursor.one("SELECT acceptance FROM queued WHERE id = ?", (queued_id,))
            if row is not None:
                said = UNKNOWN if event is Event.RECLAIMED else WISHED
                self.trace.record(cursor, row[0], now, event.value, (), _to_json({"to": addresses, "said": said}))
        for (queued_id, event), addresses in told.items():
            if event is Event.REMOVED:
                fewer(cursor, queued_id, len(addresses), now)


def _leased_to(id_: int, cursor: Cursor) -> set[int]:
    return {row[0] for row in cursor.all("SELECT id FROM recipient WHERE runner_id = ?", (id_,))}


def _enter(node: str, now: int, cursor: Cursor) -> int:
    row = cursor.one("INSERT INTO runner (node, started) VALUES (?, ?) RETURNING id", (node, now))
    assert row is not None
    return int(row[0])


def _started(id_: int, cursor: Cursor) -> int | None:
    row = cursor.one("SELECT started FROM runner WHERE id = ?", (id_,))
    return None if row is None else int(row[0])


def _go_on(id_: int, now: int, cursor: Cursor) -> bool:
    """Whoever read `started` before and takes us for dead finds another one now."""
    sql = "UPDATE runner SET started = CASE WHEN started < ? THEN ? ELSE started + 1 END WHERE id = ?"
    return bool(cursor.run(sql, (now, now, id_)))


def _bury(id_: int, started: int, cursor: Cursor) -> bool:
    return bool(cursor.run("DELETE FROM runner WHERE id = ? AND started = ?", (id_, started)))


def _keep(id_: int, some: Sequence[tuple[Leased, Destination]], cursor: Cursor) -> set[int]:
    """What waits again was tried by nobody since, if the number of attempts and the words are those of the reclaim."""
    kept: set[int] = set()
    for leased, destination in some:
        untouched = (destination.id, str(leased.recipient.address), leased.attempts, UNKNOWN)
        if cursor.run(_KEEP, (id_, leased.id, leased.runner_id, *untouched)):
            kept.add(leased.id)
    return kept


def _leave(id_: int, cursor: Cursor) -> None:
    cursor.run("DELETE FROM runner WHERE id = ?", (id_,))


def _runners(cursor: Cursor) -> dict[int, str]:
    """All that have a row, and all that something is leased to: one step in the index for each. With their marks."""
    found = {row[0]: mark_of(row[1]) for row in cursor.all("SELECT id, node FROM runner")}
    row = cursor.one(_NEXT, (0,))
    while row is not None and row[0] is not None:
        found.setdefault(row[0], "")
        row = cursor.one(_NEXT, (row[0],))
    return found
