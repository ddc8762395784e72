"""Two nodes on one PostgreSQL store: mail comes, is read, moved, removed and collected at once, and accounts go."""

from __future__ import annotations

import contextlib
import os
import random
from typing import Any

import pytest
from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredList

from worldmail.config.sections import StoreSettings
from worldmail.errors import MessageGone, NoSuchMailbox, OverQuota, RecipientGone, Refusal
from worldmail.interfaces.database import Cursor, Shared
from worldmail.interfaces.directory import Account
from worldmail.interfaces.messages import FlagChange
from worldmail.interfaces.store import Acceptance
from worldmail.mail.address import Address
from worldmail.mail.envelope import Delivery, Envelope, Recipient
from worldmail.store import ContentFiles, Store, open_store
from worldmail.store.quota import recount_domain
from worldmail.testing.contracts import messages
from worldmail.testing.contracts.acceptance import ORIGIN
from worldmail.testing.postgres import PostgresProcess
from worldmail.testing.recount import faults
from worldmail.testing.world import ManualClock

LATER = 1 << 40
ALL = [(1, 1 << 32)]
GONE = (NoSuchMailbox, RecipientGone, MessageGone, OverQuota)


@pytest.mark.usefixtures("postgres")
class TestTwoNodes(messages.MessagesCase):
    postgres: PostgresProcess

    def setUp(self) -> None:
        self.url = self.postgres.url()
        self.contents = ContentFiles(os.path.abspath(self.mktemp()), reactor)
        self.nodes = [self.node(), self.node()]
        self.random = random.Random(7)
        self.acceptance, self.mailboxes = self.nodes[0][1].acceptance, self.nodes[0][1].mailboxes

    def node(self) -> tuple[Any, Store]:
        """One more: its database and its store."""
        database = self.postgres.database(reactor, self.url)
        database.start()
        self.addCleanup(database.stop)
        directory = os.path.abspath(self.mktemp())
        os.makedirs(directory)
        settings = StoreSettings(minimum_free=0, orphan_grace=60, inline_limit=64)
        return database, open_store(
            settings, directory, database, self.contents, ManualClock(), reactor, database.locks
        )

    async def new_account(self, quota: int | None = None) -> int:
        database, store = self.nodes[0]

        def unit(cursor: Cursor) -> int:
            cursor.run("INSERT INTO domain (id, name, kind) VALUES (1, 'example.test', 'local') ON CONFLICT DO NOTHING")
            row = cursor.one(
                "INSERT INTO account (domain_id, address, name, enabled, generation, created, password, settings,"
                " quota) SELECT 1, 'rcpt' || (count(*) + 1) || '@example.test', '', 1, 1, 0, '', '{}',"
                " CAST(? AS BIGINT) FROM account RETURNING id",
                (quota,),
            )
            assert row is not None
            store.mailboxes.account_added(cursor, row[0])
            return int(row[0])

        return await database.write(unit)

    def octets(self) -> bytes:
        """One of few, half of them in files."""
        return b"%d\r\n" % self.random.randint(1, 6) * self.random.choice((1, 40))

    async def come(self, store: Store, accounts: list[int]) -> None:
        """One message by SMTP, to two mailboxes of some accounts each."""
        writer = store.acceptance.writer()
        writer.write(self.octets())
        recipient = Recipient(address=Address.parse("rcpt@example.test"))
        some = self.random.sample(accounts, self.random.randint(1, len(accounts)))
        boxes = self.random.sample(["INBOX", "Trash", "Junk"], 2)
        await store.acceptance.accept(
            Acceptance(
                id=store.acceptance.new_id(),
                received=1_700_000_000,
                envelope=Envelope(sender=None, recipients=(recipient,)),
                origin=ORIGIN,
                content=await writer.finish(),
                unrepeatable=self.random.random() < 0.5,
                deliveries=tuple(
                    Delivery(account_id=account, recipient=recipient, mailbox=box) for account in some for box in boxes
                ),
                message_id=None,
            )
        )

    async def busy(self, store: Store, accounts: list[int], boxes: list[int], times: int) -> None:
        """Whatever happens to mailboxes, on one node."""
        for _ in range(times):
            here, there = self.random.choice(boxes), self.random.choice(boxes)
            low = self.random.randint(1, 30)
            some = [(low, low + self.random.randint(0, 10))]
            try:
                match self.random.randint(0, 8):
                    case 0 | 1 | 2:
                        await self.come(store, accounts)
                    case 3:
                        await store.messages.append(here, [await self.appending(self.octets(), 9, "word")])
                    case 4:
                        await store.messages.copy(here, some, there)
                    case 5:
                        await store.messages.move(here, some, there)
                    case 6:
                        flags = self.random.choice((1, 8, 9))
                        await store.messages.change_flags(here, some, FlagChange(how="add", flags=flags))
                    case 7:
                        await store.mailboxes.expunge(here, range(low, low + 5))
                        await store.messages.expunge(here, ALL, deleted_only=True)
                    case 8:
                        await store.collector.collect(LATER)
            except GONE:
                pass

    async def folders(self, store: Store, account: Account, times: int) -> None:
        """Names come and go while mail comes to them."""
        names = ["Trash", "Junk", "other", "INBOX"]
        for _ in range(times):
            name, to = self.random.choice(names), self.random.choice(names)
            for work in (store.folders.rename(account, name, to), store.folders.create(account, name)):
                with contextlib.suppress(Refusal):
                    await work
            if name in ("Trash", "other"):
                with contextlib.suppress(Refusal):
                    await store.folders.delete(account, name)

    async def test_nothing_is_lost_miscounted_or_left_behind(self) -> None:
        ids = [await self.new_account(), await self.new_account(), await self.new_account(quota=900)]
        boxes = [await self.box(account, name) for account in ids for name in ("INBOX", "Trash", "Junk")]
        (database, first), (_, second) = self.nodes

        def unit(cursor: Cursor) -> None:
            cursor.run("UPDATE domain SET quota = ?", (1 << 40,))
            recount_domain(cursor, 1)

        await database.write(Shared(unit))
        owner = Account(
            id=ids[0], address=Address.parse("rcpt1@example.test"), name="", enabled=True, generation=1, quota=None,
            max_message=None, legacy_auth=False,
        )  # fmt: skip
        work = [self.busy(store, ids, boxes, 25) for store in (first, second, first, second)]
        work += [self.folders(store, owner, 8) for store in (first, second)]
        await DeferredList([Deferred.fromCoroutine(each) for each in work], fireOnOneErrback=True)
        await first.folders.empty()
        assert await database.read(faults) == []
        await self.all_can_be_read()
        await self.remove(ids[0])
        assert await database.read(faults) == []
        await first.collector.collect(LATER)
        await self.all_can_be_read()

    async def remove(self, account: int) -> None:
        database, store = self.nodes[1]

        def close(cursor: Cursor) -> None:
            cursor.run("UPDATE account SET enabled = -1 WHERE id = ?", (account,))
            for each in store.participants:
                each.account_closed(cursor, account)

        def clear(cursor: Cursor) -> bool:
            return sum(each.account_removed(cursor, account) for each in store.participants) == 2

        await database.write(close)
        while not await database.write_long(clear):
            pass

    async def all_can_be_read(self) -> None:
        """Each message that is told of has its octets, as many as are told."""
        database, store = self.nodes[1]
        rows = await database.read(lambda cursor: cursor.all("SELECT mailbox_id, uid, size FROM message"))
        for box, uid, size in rows:
            octets = b"".join([chunk async for chunk in store.messages.read(box, uid)])
            assert len(octets) == size
