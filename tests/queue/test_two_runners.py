"""Two servers work one queue on one PostgreSQL: nothing is sent twice, and one takes over from the other."""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from typing import Any

import pytest
from attrs import frozen
from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from worldmail.app.outgoing import Below
from worldmail.config.delivery import QueueSettings
from worldmail.config.sections import StoreSettings
from worldmail.interfaces.outbound import RecipientFate
from worldmail.interfaces.queue import Selection, Standing
from worldmail.interfaces.resting import Behind
from worldmail.interfaces.store import Acceptance, Onward
from worldmail.mail.address import Address
from worldmail.mail.envelope import Envelope, Origin, Recipient
from worldmail.queue.expansion import Expansion
from worldmail.queue.forgetting import Forgetting
from worldmail.queue.opening import Queue, Surroundings, open_queue
from worldmail.queue.registration import Registration
from worldmail.queue.steering import QueueAdmin
from worldmail.store import ContentFiles, Store, open_store
from worldmail.testing.outbound import LATER, NEVER, TAKEN, Elsewhere
from worldmail.testing.postgres import PostgresProcess
from worldmail.testing.queue import MESSAGE, TestRoutes
from worldmail.testing.world import MemoryDirectory, MemoryJournal
from worldmail.transport.clock import ReactorClock

DOMAINS = "a.test", "b.test", "c.test"


@frozen(kw_only=True)
class Server:
    """One node."""

    database: Any
    store: Store
    queue: Queue
    registration: Registration


def moody(seed: int) -> Elsewhere:
    """Servers that put off and refuse some, by chance."""
    chance = random.Random(seed)

    class Moody(Elsewhere):
        def answer(self, host: str, address: str) -> RecipientFate:
            return chance.choice((TAKEN, TAKEN, TAKEN, LATER, NEVER))

    return Moody()


@pytest.mark.usefixtures("postgres")
class TestTwoServers(TestCase):
    postgres: PostgresProcess
    timeout = 120

    def setUp(self) -> None:
        self.url = self.postgres.url()
        self.journal = MemoryJournal()
        self.elsewhere = moody(23)
        self.contents = ContentFiles(os.path.abspath(self.mktemp()), reactor)

    def server(self) -> Server:
        database = self.postgres.database(reactor, self.url)
        database.start()
        self.addCleanup(database.stop)
        clock = ReactorClock(reactor=reactor)
        directory = os.path.abspath(self.mktemp())
        os.makedirs(directory)
        settings = StoreSettings(minimum_free=0, orphan_grace=60)
        store = open_store(settings, directory, database, self.contents, clock, reactor, database.locks)
        later: Any = reactor
        queue = open_queue(
            QueueSettings(first_retry=1, longest_retry=1),
            Surroundings(
                database=database,
                changes=database.changes,
                clock=clock,
                journal=self.journal,
                trace=store.trace,
                acceptance=store.acceptance,
                directory=MemoryDirectory(),
                locks=Below(database.locks),
                host="mail.example.test",
                node="n",
                grace=5.0,
                later=later.callLater,
            ),
            routes=TestRoutes(),
            expansion=Expansion(folders=store.folders, delimiters="+"),
            ways=self.elsewhere,
            outbound=self.elsewhere,
        )
        store.acceptance.onward = queue.parcels
        return Server(database=database, store=store, queue=queue, registration=queue.service._registration)

    async def accept(self, server: Server, *addresses: str) -> str:
        acceptance = server.store.acceptance
        writer = acceptance.writer()
        writer.write(MESSAGE)
        recipients = tuple(Recipient(address=Address.parse(address)) for address in addresses)
        made = Acceptance(
            id=acceptance.new_id(),
            received=1,
            envelope=Envelope(sender=Address.parse("eve@yonder.test"), recipients=recipients),
            origin=Origin(session="s", protocol="ESMTP", client="192.0.2.9", helo="h"),
            content=await writer.finish(),
            deliveries=(),
            message_id=None,
            unrepeatable=True,
            onward=tuple(Onward(recipient=recipient) for recipient in recipients),
        )
        await acceptance.accept(made)
        return made.id

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return self.postgres.rows(self.url, sql)

    async def until(self, sql: str, expected: int = 0) -> None:
        for _ in range(600):
            if self.rows(sql)[0][0] == expected:
                return
            await deferLater(reactor, 0.1, lambda: None)
        raise AssertionError((sql, self.rows(sql), self.rows("SELECT address, state, due, runner_id FROM recipient")))

    async def test_each_recipient_is_tried_by_one_and_delivered_once(self) -> None:
        servers = [self.server(), self.server()]
        for server in servers:
            server.queue.service.startService()
        accepted = {}

        async def many(server: Server, number: int) -> None:
            for i in range(30):
                addresses = [f"r{number}-{i}-{domain[0]}@{domain}" for domain in DOMAINS]
                accepted[await self.accept(server, *addresses)] = addresses

        work = [Deferred.fromCoroutine(many(servers[i % 2], i)) for i in range(4)]
        await DeferredList(work, fireOnOneErrback=True, consumeErrors=True)
        await self.until("SELECT count(*) FROM recipient")
        await self.until("SELECT count(*) FROM queued")
        taken = Counter(self.elsewhere.taken)
        assert set(taken.values()) == {1}, "nothing was delivered twice"
        ends = Counter(
            row[0] for row in self.rows("SELECT event FROM trace WHERE event NOT IN ('accepted', 'deferred')")
        )
        assert set(ends) == {"delivered", "failed"}
        sent = self.rows("SELECT acceptance, detail FROM trace WHERE event IN ('delivered', 'failed')")
        for acceptance, addresses in accepted.items():
            told = " ".join(detail for id_, detail in sent if id_ == acceptance)
            assert all(told.count(address) == 1 for address in addresses), (acceptance, told)
        assert self.rows("SELECT id FROM queued") == [] and self.journal.failures == []
        for server in servers:
            await server.queue.service.stopService()
        assert self.rows("SELECT id FROM runner") == []

    async def test_one_takes_over_from_another_whose_lock_is_gone(self) -> None:
        dead, alive = self.server(), self.server()
        self.elsewhere = Elsewhere()
        dead, alive = self.server(), self.server()
        dead.queue.service.startService()
        await self.until("SELECT count(*) FROM runner", 1)
        self.elsewhere.stalls = True
        id_ = await self.accept(dead, "bob@a.test", "carol@b.test")
        await self.until("SELECT count(*) FROM recipient WHERE state = 2", 2)
        alive.queue.service.startService()
        await self.until("SELECT count(*) FROM runner", 2)
        assert await alive.registration.reclaim() == 0, "who holds his lock is left alone"
        self.elsewhere.stalls = False
        for chore in dead.queue.service._chores:
            if (ended := chore.stopService()) is not None:
                await ended
        await dead.database.stop()  # as if its process were gone: so is its lock
        for _ in range(600):
            if await alive.registration.reclaim():
                break
            await deferLater(reactor, 0.1, lambda: None)
        await self.until("SELECT count(*) FROM recipient")
        events = [row[0] for row in self.rows(f"SELECT event FROM trace WHERE acceptance = '{id_}' ORDER BY id")]
        assert events.count("delivered") == 2 and "reclaimed" in events
        await alive.queue.service.stopService()
        await dead.queue.service._looking.stop()

    async def test_a_destination_that_one_forgets_the_other_makes_anew(self) -> None:
        servers = [self.server(), self.server()]
        self.elsewhere = Elsewhere()
        servers = [self.server(), self.server()]
        for server in servers:
            server.queue.service.startService()
        for server in servers:
            await self.accept(server, "bob@a.test")
        await self.until("SELECT count(*) FROM queued")
        forgetting = Forgetting(database=servers[0].database, now=lambda: time.time() + 90_000)
        await forgetting.round()
        forgetting.now = lambda: time.time() + 180_000
        assert await forgetting.round() == 1 and self.rows("SELECT id FROM destination") == []
        for server in servers:
            await self.accept(server, "carol@a.test", "dan@a.test")
        await self.until("SELECT count(*) FROM queued")
        assert len(self.elsewhere.taken) == 6 and len(self.rows("SELECT id FROM destination")) == 1
        for server in servers:
            await server.queue.service.stopService()

    async def test_an_administrator_and_the_state_of_a_link_come_to_what_waits(self) -> None:
        server = self.server()
        settings = QueueSettings()
        admin = QueueAdmin(
            database=server.database,
            clock=ReactorClock(reactor=reactor),
            trace=server.store.trace,
            acceptance=server.store.acceptance,
            routes=TestRoutes(),
            directory=MemoryDirectory(),
            reports=server.queue.overdue.reports,
            teller=server.queue.overdue.teller,
            lifetime=settings.lifetime,
        )
        id_ = await self.accept(server, "bob@a.test", "carol@b.test", "dan@c.test")
        (message,) = await admin.messages(Selection(id=id_, sender="eve@yonder.test", domain="b.test"), 10)
        assert [recipient.address for recipient in message.recipients] == ["carol@b.test"]
        assert await admin.hold(Selection(destination="mx a")) == 1
        assert await admin.retry(Selection(route="nobody's")) == 0 and await admin.retry(Selection()) == 2
        assert await admin.release(Selection(standing=Standing.HELD)) == 1
        assert await admin.redirect(Selection(recipient="BOB@a.test"), Address.parse("eve@b.test")) == 1
        counters = await admin.counters()
        assert counters.messages == 1 and counters.recipients[Standing.WAITING] == 3
        assert {one.key: one.waiting for one in await admin.destinations(5)} == {"mx b.test": 2, "mx c.test": 1}
        for state in (Behind(since=1), Behind(small_first=True)):
            await server.queue.resting.follow({"*": state, "none": Behind()})
            await server.queue.resting.waiting(["*", "none"], 1000)
        assert self.rows("SELECT count(*) FROM destination WHERE down_since IS NOT NULL") == [(0,)]
        assert await server.queue.overdue.round() == 0
        assert await admin.remove(Selection(recipient="dan@c.test"), True) == 1
        server.queue.service.startService()
        await self.until("SELECT count(*) FROM recipient WHERE address NOT LIKE '%b.test'")
        await server.queue.service.stopService()
        self.rows("UPDATE recipient SET look = 1, expires = 1")
        await server.queue.overdue.round()
        await server.queue.teller.settled()
        assert await admin.remove(Selection(), False) >= 0
        assert self.rows("SELECT id FROM queued") == [] and self.journal.failures == []
