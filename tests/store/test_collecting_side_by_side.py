"""Content that is collected while it comes again: two nodes on one PostgreSQL store, at each step of the collector."""

from __future__ import annotations

import os
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.threads import blockingCallFromThread

from worldmail.config.sections import StoreSettings
from worldmail.interfaces.database import Cursor, Shared
from worldmail.store import ContentFiles, Store, open_store
from worldmail.store.collector import remove_orphans
from worldmail.testing.contracts import messages
from worldmail.testing.postgres import PostgresProcess
from worldmail.testing.world import ManualClock

LATER = 1 << 40
OCTETS = b"Subject: x\r\n\r\n" + b"the same octets\r\n" * 20
ALL = [(1, 1 << 32)]

_DANGLING = "SELECT m.uid FROM message m LEFT JOIN content c ON c.id = m.content_id WHERE c.id IS NULL"


def in_reactor(work: Callable[[], Deferred[None]]) -> None:
    """Do it in the reactor's thread, and wait for it in this one."""
    wait: Any = blockingCallFromThread
    wait(reactor, work)


class Interrupted:
    """A cursor that does something else in front of one of its statements, in the middle of the unit."""

    def __init__(self, cursor: Cursor, before: int, act: Callable[[], object]) -> None:
        self._cursor, self._left, self._act = cursor, before, act

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._cursor, name)

        def counted(*arguments: Any) -> Any:
            self._left -= 1
            if self._left == 0:
                self._act()
            return real(*arguments)

        return counted


@pytest.mark.usefixtures("postgres")
class TestCollecting(messages.MessagesCase):
    postgres: PostgresProcess
    inline_limit = 64

    def setUp(self) -> None:
        self.url = self.postgres.url()
        self.contents = ContentFiles(os.path.abspath(self.mktemp()), reactor)
        self.nodes = [self.node(), self.node()]
        self.acceptance, self.mailboxes = self.nodes[0][1].acceptance, self.nodes[0][1].mailboxes

    def node(self) -> tuple[Any, Store]:
        """One more: its database and its store."""
        database = self.postgres.database(reactor, self.url)
        database.start()
        self.addCleanup(database.stop)
        directory = os.path.abspath(self.mktemp())
        os.makedirs(directory)
        settings = StoreSettings(minimum_free=0, orphan_grace=60, inline_limit=self.inline_limit)
        return database, open_store(
            settings, directory, database, self.contents, ManualClock(), reactor, database.locks
        )

    async def new_account(self, quota: int | None = None) -> int:
        database, store = self.nodes[0]

        def unit(cursor: Cursor) -> int:
            cursor.run("INSERT INTO domain (id, name, kind) VALUES (1, 'example.test', 'local') ON CONFLICT DO NOTHING")
            row = cursor.one(
                "INSERT INTO account (domain_id, address, name, enabled, generation, created, password, settings)"
                " SELECT 1, 'rcpt' || (count(*) + 1), '', 1, 1, 0, '', '{}' FROM account RETURNING id"
            )
            assert row is not None
            store.mailboxes.account_added(cursor, row[0])
            return int(row[0])

        return await database.write(unit)

    async def collected(self, before: int, work: Callable[[], Coroutine[Any, Any, None]]) -> bool:
        """Collect on the first node; in front of the statement of this number, the second does its work, once."""
        done: list[bool] = []

        def act() -> None:
            if not done:
                done.append(True)
                in_reactor(lambda: Deferred.fromCoroutine(begin()))

        async def begin() -> None:
            running = Deferred.fromCoroutine(work())
            under_way.append(running)
            for _ in range(20):
                if running.called:
                    break
                pause: Deferred[None] = Deferred()
                reactor.callLater(0.02, pause.callback, None)
                await pause

        under_way: list[Deferred[Any]] = []
        database, _ = self.nodes[0]

        def unit(cursor: Cursor) -> tuple[int, list[str], list[int]]:
            interrupted: Any = Interrupted(cursor, before, act)
            return remove_orphans(interrupted, LATER)

        _, places, _ = await database.write_long(Shared(unit))
        for place in places:
            await self.contents.remove(place)
        for running in under_way:
            await running
        return bool(done)

    async def whole(self, box: int) -> None:
        """Every message is there with its octets, and what is kept is needed or noted."""
        _, second = self.nodes[1]
        assert self.postgres.rows(self.url, _DANGLING) == []
        for mark in await second.messages.tail(box, below=LATER):
            octets = b"".join([chunk async for chunk in second.messages.read(box, mark.uid)])
            assert octets == OCTETS
        kept = self.postgres.rows(
            self.url,
            "SELECT c.id FROM content c WHERE NOT EXISTS (SELECT 1 FROM message m WHERE m.content_id = c.id)"
            " AND NOT EXISTS (SELECT 1 FROM orphan o WHERE o.content_id = c.id)",
        )
        assert kept == []

    async def orphan(self, box: int) -> None:
        """A content whose last message has gone."""
        store = self.nodes[0][1]
        await store.messages.append(box, [await self.appending(OCTETS)])
        await store.messages.expunge(box, ALL, deleted_only=False)

    async def test_what_is_appended_again_in_the_middle_of_the_collecting_is_kept(self) -> None:
        box = await self.box(await self.new_account())
        for before in range(1, 6):
            await self.orphan(box)

            async def again() -> None:
                await self.nodes[1][1].messages.append(box, [await self.appending(OCTETS)])

            acted = await self.collected(before, again)
            assert len(await self.nodes[0][1].messages.tail(box, below=LATER)) == int(acted)
            await self.whole(box)
            await self.nodes[0][1].messages.expunge(box, ALL, deleted_only=False)
            assert acted == (before < 5)

    async def test_what_is_copied_and_expunged_in_the_middle_is_kept_or_noted(self) -> None:
        account = await self.new_account()
        box, other = await self.box(account), await self.box(account, "Trash")
        first, second = self.nodes[0][1].messages, self.nodes[1][1].messages
        for before in range(1, 6):
            await self.orphan(box)
            await first.append(box, [await self.appending(OCTETS)])

            async def moved() -> None:
                await second.copy(box, ALL, other)
                await second.expunge(box, ALL, deleted_only=False)

            await self.collected(before, moved)
            await moved()
            await self.whole(other)
            assert len(await first.tail(other, below=LATER)) > 0
            await first.expunge(other, ALL, deleted_only=False)
            await self.whole(other)

    async def test_what_is_replaced_by_the_same_octets_is_kept(self) -> None:
        box = await self.box(await self.new_account())
        messages = self.nodes[1][1].messages
        for before in range(1, 6):
            await self.orphan(box)
            uid = (await messages.append(box, [await self.appending(OCTETS)])).uids[0][0]
            await self.orphan(await self.box(1, "Trash"))

            async def replaced(uid: int = uid) -> None:
                await messages.replace(box, uid, box, await self.appending(OCTETS))

            if not await self.collected(before, replaced):
                await replaced()
            assert len(await messages.tail(box, below=LATER)) == 1
            await self.whole(box)
            await messages.expunge(box, ALL, deleted_only=False)

    async def test_two_collectors_at_once_remove_all_and_nothing_else(self) -> None:
        account = await self.new_account()
        box, kept = await self.box(account), await self.box(account, "Trash")
        await self.nodes[0][1].messages.append(kept, [await self.appending(OCTETS)])
        await self.orphan(box)
        for number in range(30):
            await self.nodes[0][1].messages.append(box, [await self.appending(b"%d\r\n" % number * 100)])
        await self.nodes[0][1].messages.expunge(box, ALL, deleted_only=False)
        removed = [await each for each in [Deferred.fromCoroutine(s.collector.collect(LATER)) for _, s in self.nodes]]
        assert sum(removed) == 30
        await self.whole(kept)
        assert await self.nodes[0][1].collector.sweep(LATER) == 0
