"""Two nodes work on one PostgreSQL store at once: everything is counted as if one had followed the other."""

from __future__ import annotations

import os
import random
from typing import Any

import pytest
from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredList

from worldmail.config.sections import StoreSettings
from worldmail.errors import RecipientGone
from worldmail.interfaces.database import Cursor
from worldmail.store import ContentFiles, Store, open_store
from worldmail.store.provision import remove_mailboxes
from worldmail.store.upkeep import TraceFiling
from worldmail.testing.contracts import acceptance
from worldmail.testing.postgres import PostgresProcess
from worldmail.testing.world import ManualClock

LATER = 2_000_000_000
CONTENTS = [b"%d\r\n" % number for number in range(6)]

_COUNTS = (
    "SELECT m.id FROM mailbox m LEFT JOIN message x ON x.mailbox_id = m.id GROUP BY m.id"
    " HAVING m.messages <> count(x.uid) OR m.octets <> coalesce(sum(x.size), 0) OR m.uidnext <= coalesce(max(x.uid), 0)"
)
_FORGOTTEN = (
    "SELECT c.id FROM content c WHERE NOT EXISTS (SELECT 1 FROM message x WHERE x.content_id = c.id)"
    " AND NOT EXISTS (SELECT 1 FROM orphan o WHERE o.content_id = c.id)"
)


@pytest.mark.usefixtures("postgres")
class TestTwoNodes(acceptance.StoreCase):
    postgres: PostgresProcess

    def setUp(self) -> None:
        self.url = self.postgres.url()
        self.contents = ContentFiles(os.path.abspath(self.mktemp()), reactor)
        self.nodes = [self.node(), self.node()]
        self.random = random.Random(17)

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
                "INSERT INTO account (domain_id, address, name, enabled, generation, created, password, settings)"
                " SELECT 1, 'rcpt' || (count(*) + 1), '', 1, 1, 0, '', '{}' FROM account RETURNING id"
            )
            assert row is not None
            store.mailboxes.account_added(cursor, row[0])
            return int(row[0])

        return await database.write(unit)

    async def deliver(self, store: Store, accounts: list[int], times: int) -> int:
        """The same few contents, to all accounts in any order; how many were accepted."""
        accepted = 0
        for _ in range(times):
            self.acceptance = store.acceptance
            chosen = self.random.sample(accounts, self.random.randint(1, len(accounts)))
            try:
                await self.accept(self.random.choice(CONTENTS), *chosen)
            except RecipientGone:
                continue
            accepted += 1
        return accepted

    async def expunge(self, store: Store, account: int, times: int) -> None:
        """Some of what is there, among it what the other node removes."""
        for _ in range(times):
            status = await store.mailboxes.status(account, "INBOX")
            assert status is not None
            rows = await store.mailboxes.messages(status.id)
            await store.mailboxes.expunge(status.id, [row.uid for row in rows if self.random.random() < 0.5])

    async def collect(self, store: Store, times: int) -> None:
        """Content that nothing refers to now."""
        for _ in range(times):
            await store.collector.collect(LATER)

    async def all_of(self, *work: Any) -> list[Any]:
        results = await DeferredList([Deferred.fromCoroutine(each) for each in work], fireOnOneErrback=True)
        return [result for _, result in results]

    def sound(self) -> None:
        assert self.postgres.rows(self.url, _COUNTS) == []
        assert self.postgres.rows(self.url, _FORGOTTEN) == []

    async def test_deliveries_removals_and_collections_that_meet_lose_and_invent_nothing(self) -> None:
        accounts = [await self.new_account() for _ in range(3)]
        work = []
        for _, store in self.nodes:
            work += [self.deliver(store, accounts, 25) for _ in range(3)]
            work += [self.expunge(store, account, 8) for account in accounts]
            work.append(self.collect(store, 8))
        accepted = sum(filter(None, await self.all_of(*work)))
        self.sound()
        assert accepted == 150
        assert self.postgres.rows(self.url, "SELECT count(*) FROM trace") == [(150,)]

    async def test_mail_for_an_account_that_another_node_removes_is_refused_or_removed_with_it(self) -> None:
        gone, stays = await self.new_account(), await self.new_account()
        database, store = self.nodes[1]

        async def remove() -> None:
            done = False
            while not done:
                await database.write_long(lambda cursor: store.mailboxes.account_closed(cursor, gone))
                done = await database.write_long(lambda cursor: remove_mailboxes(cursor, gone, LATER))

        await self.deliver(store, [gone, stays], 10)
        await self.all_of(remove(), *(self.deliver(node, [gone, stays], 20) for _, node in self.nodes * 2))
        self.sound()
        assert self.postgres.rows(self.url, f"SELECT 1 FROM mailbox WHERE account_id = {gone}") == []

    async def test_every_message_is_found_by_its_keys_however_the_nodes_file_them(self) -> None:
        account = await self.new_account()
        filings = [TraceFiling(database=database, kept=0) for database, _ in self.nodes]

        async def file(filing: TraceFiling) -> None:
            for _ in range(10):
                await filing.file()

        deliveries = [self.deliver(store, [account], 20) for _, store in self.nodes * 2]
        await self.all_of(*deliveries, *map(file, filings))
        assert len(await self.nodes[1][1].trace.find(f"rcpt{account}@example.test")) == 80
