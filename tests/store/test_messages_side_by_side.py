"""Two nodes change the same mailboxes on one PostgreSQL store at once: what is counted and told is true."""

from __future__ import annotations

import os
import random
from typing import Any

import pytest
from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredList

from worldmail.config.sections import StoreSettings
from worldmail.errors import OverQuota
from worldmail.interfaces.database import Cursor, Shared
from worldmail.interfaces.messages import FlagChange
from worldmail.store import ContentFiles, Store, open_store
from worldmail.store.quota import recount_domain
from worldmail.testing.contracts import messages
from worldmail.testing.postgres import PostgresProcess
from worldmail.testing.world import ManualClock

FLAGS = (1, 4, 8, 9)
ALL = [(1, 1 << 32)]

_COUNTS = (
    "SELECT m.id FROM mailbox m LEFT JOIN message x ON x.mailbox_id = m.id"
    " LEFT JOIN mark k ON k.mailbox_id = x.mailbox_id AND x.uid BETWEEN k.first AND k.last GROUP BY m.id"
    " HAVING m.messages <> count(x.uid) OR m.octets <> coalesce(sum(x.size), 0) OR m.uidnext <= coalesce(max(x.uid), 0)"
    " OR m.seen <> coalesce(sum(k.flags & 1), 0) OR m.deleted <> coalesce(sum((k.flags & 8) / 8), 0)"
    " OR m.deleted_octets <> coalesce(sum((k.flags & 8) / 8 * x.size), 0)"
    " OR m.highestmodseq < coalesce(max(k.modseq), 0) OR m.highestmodseq < coalesce(max(x.arrived), 0)"
)
_FORGOTTEN = (
    "SELECT c.id FROM content c WHERE NOT EXISTS (SELECT 1 FROM message x WHERE x.content_id = c.id)"
    " AND NOT EXISTS (SELECT 1 FROM orphan o WHERE o.content_id = c.id)"
)
_DOMAIN = "SELECT octets - (SELECT coalesce(sum(octets), 0) FROM mailbox) FROM domain"
_TWICE = (
    "SELECT mailbox_id, uid FROM expunged GROUP BY mailbox_id, uid HAVING count(*) > 1"
    " UNION ALL SELECT m.mailbox_id, m.uid FROM message m"
    " JOIN expunged e ON e.mailbox_id = m.mailbox_id AND e.uid = m.uid"
)
_MARKS = (
    "SELECT k.mailbox_id, k.first FROM mark k WHERE k.first > k.last OR EXISTS (SELECT 1 FROM mark o"
    " WHERE o.mailbox_id = k.mailbox_id AND o.first > k.first AND o.first <= k.last) OR NOT EXISTS"
    " (SELECT 1 FROM message m WHERE m.mailbox_id = k.mailbox_id AND m.uid BETWEEN k.first AND k.last)"
)


@pytest.mark.usefixtures("postgres")
class TestTwoNodes(messages.MessagesCase):
    postgres: PostgresProcess

    def setUp(self) -> None:
        self.url = self.postgres.url()
        self.contents = ContentFiles(os.path.abspath(self.mktemp()), reactor)
        self.nodes = [self.node(), self.node()]
        self.random = random.Random(23)
        self.acceptance, self.mailboxes = self.nodes[0][1].acceptance, self.nodes[0][1].mailboxes

    def node(self) -> tuple[Any, Store]:
        """One more: its database and its store."""
        database = self.postgres.database(reactor, self.url)
        database.start()
        self.addCleanup(database.stop)
        directory = os.path.abspath(self.mktemp())
        os.makedirs(directory)
        settings = StoreSettings(minimum_free=0, orphan_grace=60)
        clock = ManualClock()
        return database, open_store(settings, directory, database, self.contents, clock, reactor, database.locks)

    async def new_account(self, quota: int | None = None) -> int:
        database, store = self.nodes[0]

        def unit(cursor: Cursor) -> int:
            cursor.run("INSERT INTO domain (id, name, kind) VALUES (1, 'example.test', 'local') ON CONFLICT DO NOTHING")
            row = cursor.one(
                "INSERT INTO account (domain_id, address, name, enabled, generation, created, password, settings,"
                " quota) SELECT 1, 'rcpt' || (count(*) + 1), '', 1, 1, 0, '', '{}', CAST(? AS BIGINT) FROM account"
                " RETURNING id",
                (quota,),
            )
            assert row is not None
            store.mailboxes.account_added(cursor, row[0])
            return int(row[0])

        return await database.write(unit)

    async def all_of(self, *work: Any) -> list[Any]:
        results = await DeferredList([Deferred.fromCoroutine(each) for each in work], fireOnOneErrback=True)
        return [result for _, result in results]

    def some(self) -> list[tuple[int, int]]:
        low = self.random.randint(1, 30)
        return [(low, low + self.random.randint(0, 10))]

    async def busy(self, store: Store, boxes: list[int], times: int) -> None:
        """Whatever IMAP does, in any mailbox, in any order."""
        for _ in range(times):
            here, there = self.random.choice(boxes), self.random.choice(boxes)
            match self.random.randint(0, 6):
                case 0 | 1:
                    flags = self.random.choice(FLAGS)
                    content = await self.appending(b"%d\r\n" % self.random.randint(1, 9), flags, f"k{flags}")
                    await store.messages.append(here, [content])
                case 2:
                    change = FlagChange(how="add", flags=self.random.choice(FLAGS), keywords=("Mixed",))
                    await store.messages.change_flags(here, self.some(), change)
                case 3:
                    change = FlagChange(how="remove", flags=self.random.choice(FLAGS), keywords=("mixeD",))
                    await store.messages.change_flags(here, ALL, change)
                case 4:
                    await store.messages.copy(here, self.some(), there)
                case 5:
                    await store.messages.move(here, self.some(), there)
                case 6:
                    await store.messages.expunge(here, ALL, deleted_only=True)

    async def observe(self, store: Store, box: int, times: int) -> None:
        """A session that is told of it all ends up with what is there."""
        known: dict[int, tuple[int, str | None]] = {}
        uidnext, modseq = 1, 0
        for turn in range(times + 1):
            if turn == times:  # all others are through
                await self.others
            told = await store.messages.changes(box, since=modseq, uidnext=uidnext)
            assert told is not None
            for uid in told.expunged:
                known.pop(uid, None)
            assert told.further is None
            for alike in told.changed:
                known.update(dict.fromkeys(known.keys() & {*range(alike.first, alike.last + 1)}, alike[2:4]))
            for mark in told.arrived:
                known[mark.uid] = (mark.flags, mark.keywords)
            assert told.messages == len(known)
            assert told.highestmodseq >= modseq
            uidnext, modseq = told.uidnext, told.highestmodseq
        marks = await store.messages.tail(box, below=1 << 40)
        assert known == {mark.uid: (mark.flags, mark.keywords) for mark in marks}

    async def test_changes_that_meet_are_counted_and_told_as_if_one_had_followed_the_other(self) -> None:
        one, two = await self.new_account(), await self.new_account()
        boxes = [await self.box(one), await self.box(one, "Trash"), await self.box(two)]
        (database, first), (_, second) = self.nodes

        def unit(cursor: Cursor) -> None:
            cursor.run("UPDATE domain SET quota = ?", (1 << 40,))
            recount_domain(cursor, 1)

        await database.write(Shared(unit))
        work = [self.busy(store, boxes, 12) for _, store in self.nodes * 3]
        self.others: Deferred[Any] = Deferred.fromCoroutine(self.all_of(*work))
        await self.all_of(*(self.observe(store, box, 25) for store in (first, second) for box in boxes))
        for question in (_COUNTS, _FORGOTTEN, _TWICE, _MARKS):
            assert self.postgres.rows(self.url, question) == []
        assert [int(row[0]) for row in self.postgres.rows(self.url, _DOMAIN)] == [0]

    async def test_a_quota_is_kept_whichever_mailboxes_and_nodes_the_mail_comes_to(self) -> None:
        account = await self.new_account(quota=50)
        boxes = [await self.box(account), await self.box(account, "Trash")]

        async def fill(store: Store, box: int) -> int:
            added = 0
            for _ in range(10):
                try:
                    await store.messages.append(box, [await self.appending(b"12345678\r\n")])
                    added += 1
                except OverQuota:
                    pass
            return added

        assert sum(await self.all_of(*(fill(store, box) for _, store in self.nodes for box in boxes))) == 5
        assert self.postgres.rows(self.url, _COUNTS) == []
