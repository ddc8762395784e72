"""Who works the queue: a row a runner, and the lock of its id, which dies with its process."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial

from attrs import define, field

from worldmail.interfaces.database import Cursor, IDatabase
from worldmail.interfaces.queue import Standing
from worldmail.interfaces.store import IMaildropLock, IMaildropLocks, ITrace
from worldmail.queue.rows import FOREVER, fewer, may_be_due
from worldmail.queue.states import Event, sources
from worldmail.wire.flat_json import FlatJson

BATCH = 200
"""Recipients that one unit lets wait again."""

UNKNOWN = "The server stopped while this was tried; whether the message was taken is not known"

_HELD = "SELECT id, queued_id, destination_id, address, wish FROM recipient WHERE runner_id = ? LIMIT ?"
_FREE = (
    "UPDATE recipient SET state = ?, runner_id = NULL, due = ?, look = CASE WHEN ? = 1 THEN ? ELSE look END,"
    f" reply = ?, wish = NULL WHERE id = ? AND {sources(Event.RECLAIMED)}"
)
_GONE = f"DELETE FROM recipient WHERE id = ? AND {sources(Event.RECLAIMED)}"

_to_json = FlatJson(ascii=False).render


@define(kw_only=True)
class Registration:
    """One runner's entry, and the search for those that died.

    Args:
        locks: one for each id of a runner.
        node: the machine and process, for people.
    """

    database: IDatabase
    locks: IMaildropLocks
    trace: ITrace
    node: str
    now: Callable[[], float]
    id: int = field(default=0, init=False)
    _lock: IMaildropLock | None = field(default=None, init=False)

    async def enter(self) -> int:
        """Become a runner, under a new id: what an old one had, anybody may take. Raises `TemporaryFailure`."""
        while True:
            id_ = await self.database.write(partial(_enter, self.node, int(self.now())))
            lock = await self.locks.lock(id_)
            if lock is None:
                continue
            try:
                there = await self.database.read(partial(_is_there, id_))
            except BaseException:
                await lock.release()
                raise
            if there:
                break
            await lock.release()  # another took us for dead before we had the lock
        old, self.id, self._lock = self._lock, id_, lock
        if old is not None:  # it may have come back with the session that it belongs to
            await old.release()
        return id_

    def held(self) -> bool:
        """Is what was leased still ours?"""
        return self._lock is not None and self._lock.held()

    async def leave(self) -> None:
        """Nothing is leased any more."""
        lock, self._lock = self._lock, None
        if lock is not None:
            try:
                await self.database.write(partial(_leave, self.id))
            finally:
                await lock.release()

    async def reclaim(self) -> int:
        """Let wait again what dead runners had leased; how many recipients."""
        reclaimed = 0
        for id_ in await self.database.read(_runners):
            if id_ == self.id:
                continue
            lock = await self.locks.lock(id_)
            if lock is None:
                continue
            try:
                while batch := await self.database.write(partial(self._free, id_)):
                    reclaimed += batch
                await self.database.write(partial(_leave, id_))
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
        for recipient, queued_id, destination, address, wish in rows:
            told.setdefault((queued_id, Event.REMOVED if wish == "remove" else Event.RECLAIMED), []).append(address)
            if wish == "remove":
                cursor.run(_GONE, (recipient,))
                continue
            standing = Standing.HELD if wish == "hold" else Standing.WAITING
            cursor.run(_FREE, (standing.value, now, standing.value, FOREVER, UNKNOWN, recipient))
            if standing is Standing.WAITING:
                may_be_due(cursor, destination, now)
        for (queued_id, event), addresses in told.items():
            row = cursor.one("SELECT acceptance FROM queued WHERE id = ?", (queued_id,))
            if row is not None:
                said = UNKNOWN if event is Event.RECLAIMED else "by an administrator, while it was tried"
                self.trace.record(cursor, row[0], now, event.value, (), _to_json({"to": addresses, "said": said}))
        for (queued_id, event), addresses in told.items():
            if event is Event.REMOVED:
                fewer(cursor, queued_id, len(addresses), now)
        return len(rows)


def _leased_to(id_: int, cursor: Cursor) -> set[int]:
    return {row[0] for row in cursor.all("SELECT id FROM recipient WHERE runner_id = ?", (id_,))}


def _enter(node: str, now: int, cursor: Cursor) -> int:
    row = cursor.one("INSERT INTO runner (node, started) VALUES (?, ?) RETURNING id", (node, now))
    assert row is not None
    return int(row[0])


def _is_there(id_: int, cursor: Cursor) -> bool:
    return cursor.one("SELECT 1 FROM runner WHERE id = ?", (id_,)) is not None


def _leave(id_: int, cursor: Cursor) -> None:
    cursor.run("DELETE FROM runner WHERE id = ?", (id_,))


def _runners(cursor: Cursor) -> list[int]:
    """All that have a row, and all that something is leased to."""
    rows = cursor.all("SELECT id FROM runner") + cursor.all(
        "SELECT DISTINCT runner_id FROM recipient WHERE runner_id IS NOT NULL"
    )
    return sorted({row[0] for row in rows})
