"""Directory and store together: an account that holds more mail than one unit removes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from attrs import evolve
from twisted.internet import reactor
from twisted.internet.task import Clock, deferLater
from twisted.trial.unittest import TestCase

from worldmail.app.assembly import REMOVING_FIRST, finishing_removals
from worldmail.app.ground import StoreParts, build_store
from worldmail.config.settings import ServerSettings, Settings
from worldmail.errors import RecipientGone, TemporaryFailure
from worldmail.interfaces.store import Acceptance
from worldmail.mail.address import Address
from worldmail.mail.envelope import Delivery, Envelope, Origin, Recipient
from worldmail.store import provision
from worldmail.testing.accounts import CHEAP
from worldmail.testing.world import MemoryJournal

BOB = Address.parse("bob@example.test")
TABLES = ("message", "mailbox", "account", "scram_key", "expunged")


class RemovalTests(TestCase):
    async def setUp(self) -> None:
        data = Path(self.mktemp())
        data.mkdir(parents=True)
        self.settings = evolve(Settings(), server=ServerSettings(data=data), auth=CHEAP)
        self.mine = await self.open()
        self.theirs = await self.open()
        await self.mine.admin.add_domain("example.test")
        self.bob = (await self.mine.admin.add_account(BOB, "secret")).id
        self.patch(provision, "SLICE", 2)

    async def open(self) -> StoreParts:
        """Another process on the store, as far as the store can tell."""
        parts = build_store(self.settings, reactor, MemoryJournal())
        parts.database.start()
        self.addCleanup(parts.database.stop)
        self.addCleanup(parts.passwords.stop)
        await parts.check_key()
        return parts

    async def deliver(self, parts: StoreParts, account_id: int) -> None:
        writer = parts.store.acceptance.writer()
        writer.write(b"Subject: x\r\n\r\nx\r\n")
        recipient = Recipient(address=BOB)
        await parts.store.acceptance.accept(
            Acceptance(
                id=parts.store.acceptance.new_id(),
                received=1,
                envelope=Envelope(sender=None, recipients=(recipient,)),
                origin=Origin(session="s", protocol="ESMTP", client="192.0.2.1"),
                content=await writer.finish(),
                deliveries=(Delivery(account_id=account_id, recipient=recipient),),
                message_id=None,
            )
        )

    async def rows(self, table: str) -> int:
        ((count,),) = await self.theirs.database.read(lambda cursor: cursor.all(f"SELECT count(*) FROM {table}"))
        return int(count)

    async def test_it_goes_in_slices_and_for_other_processes_at_once(self) -> None:
        for _ in range(5):
            await self.deliver(self.mine, self.bob)
        inbox = await self.mine.mailboxes.status(self.bob, "INBOX")
        assert inbox is not None
        await self.mine.mailboxes.expunge(inbox.id, [1])
        left: list[int] = []

        async def look(seconds: float) -> None:
            """What another process sees and can do between two slices."""
            assert await self.theirs.admin.accounts() == [] and seconds > 0
            assert await self.theirs.mailboxes.status(self.bob, "INBOX") is None
            with self.assertRaises(RecipientGone):
                await self.deliver(self.theirs, self.bob)
            left.append(await self.rows("message"))

        self.mine.admin._sleep = look
        await self.mine.admin.remove_account(BOB)
        assert left == [2, 0]  # two messages a slice; the third one has the record of the expunged one, and is the last
        assert [await self.rows(table) for table in TABLES] == [0] * len(TABLES)
        again = await self.theirs.admin.add_account(BOB, "secret")
        assert again.id > self.bob
        await self.deliver(self.theirs, again.id)

    async def test_a_server_that_stops_leaves_the_rest_to_the_next_one(self) -> None:
        for _ in range(6):
            await self.deliver(self.mine, self.bob)

        async def busy(seconds: float) -> None:
            raise TemporaryFailure(reason="the database is busy")

        self.mine.admin._sleep = busy
        await self.mine.admin.remove_account(BOB)
        assert await self.rows("message") == 4
        time = Clock()
        service = finishing_removals(self.mine, time)
        stopped: list[Any] = []

        async def stop(seconds: float) -> None:
            stopped.append(service.stopService())

        self.mine.admin._sleep = stop
        service.startService()
        time.advance(REMOVING_FIRST)
        while not stopped:
            await deferLater(reactor, 0.01)
        await stopped[0]
        assert len(stopped) == 1 and await self.rows("message") == 2
