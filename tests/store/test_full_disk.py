"""A disk that is really full: new mail is refused for the time being, deleting works, and all recovers by itself."""

from __future__ import annotations

import os
import subprocess
from typing import Any

import pytest
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from worldmail.config.sections import StoreSettings
from worldmail.database.file import DatabaseFile
from worldmail.database.sqlite import SqliteDatabase
from worldmail.errors import StorageFull
from worldmail.interfaces.database import Cursor
from worldmail.interfaces.messages import Flag, FlagChange
from worldmail.interfaces.store import Acceptance
from worldmail.mail.address import Address
from worldmail.mail.envelope import Delivery, Envelope, Origin, Recipient
from worldmail.store import ContentFiles, open_store
from worldmail.transport.clock import ReactorClock

pytestmark = [pytest.mark.root, pytest.mark.skipif(os.geteuid() != 0, reason="mounts a file system")]

DISK = 40 << 20
RESERVE = 8 << 20
USER = Recipient(address=Address.parse("user@example.test"))


def add_user(cursor: Cursor) -> int:
    cursor.run("INSERT INTO domain (id, name, kind) VALUES (1, 'example.test', 'local')")
    row = cursor.one(
        "INSERT INTO account (domain_id, address, name, enabled, generation, created, password, settings)"
        " VALUES (1, 'user@example.test', '', 1, 1, 0, '', '{}') RETURNING id"
    )
    assert row is not None
    return row[0]


class TestFullDisk(TestCase):
    async def setUp(self) -> None:
        self.disk = os.path.abspath(self.mktemp())
        os.makedirs(self.disk, mode=0o700)
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={DISK},mode=0700", "worldmail-test", self.disk], capture_output=True
        )
        if mounted.returncode:
            pytest.skip("file systems cannot be mounted here")
        self.addCleanup(subprocess.run, ["umount", self.disk], check=True)
        self.database = SqliteDatabase(DatabaseFile(path=f"{self.disk}/store.sqlite"), reactor)
        self.database.start()
        self.addCleanup(self.database.stop)
        self.use(minimum_free=0)
        assert self.store.reserve.restore()
        self.account = await self.database.write(add_user)
        await self.database.write(lambda cursor: self.store.mailboxes.account_added(cursor, self.account))

    def use(self, minimum_free: int) -> None:
        self.store = open_store(
            StoreSettings(reserve=RESERVE, minimum_free=minimum_free),
            self.disk,
            self.database,
            ContentFiles(f"{self.disk}/content", reactor),
            ReactorClock(reactor=reactor),
            reactor,
        )
        self.addCleanup(lambda derived: Deferred.fromCoroutine(derived.stop()), self.store.derived)

    def fill(self) -> None:
        """Leave nothing to anyone."""
        with open(f"{self.disk}/filler", "ab", buffering=0) as filler:
            for size in (1 << 20, 4096):
                try:
                    while True:
                        filler.write(b"x" * size)
                except OSError:
                    pass

    async def accept(self, content: bytes) -> None:
        writer = self.store.acceptance.writer()
        for start in range(0, len(content), 1 << 16):
            writer.write(content[start : start + (1 << 16)])
            if writer.behind():
                await writer.caught_up()
        await self.store.acceptance.accept(
            Acceptance(
                id=self.store.acceptance.new_id(),
                received=0,
                envelope=Envelope(sender=None, recipients=(USER,)),
                origin=Origin(session="s", protocol="ESMTP", client="192.0.2.1"),
                content=await writer.finish(),
                deliveries=(Delivery(account_id=self.account, recipient=USER),),
                message_id=None,
            )
        )

    async def fill_database(self) -> int:
        """Accept until nothing goes in; how many. Of the file system's statistics nothing is known: SQLite decides."""
        self.patch(self.store.acceptance._space, "_until", float("inf"))
        self.patch(self.store.acceptance._space, "_free", 1 << 60)
        accepted = 0
        full = False
        while not full:
            try:
                await self.accept(b"%d" % accepted + b"x" * 60_000)
                accepted += 1
            except StorageFull:
                full = True
        self.fill()
        return accepted

    async def inbox(self) -> tuple[Any, list[Any]]:
        status = await self.store.mailboxes.status(self.account, "INBOX")
        assert status is not None
        return status, await self.store.mailboxes.messages(status.id)

    async def test_mail_is_refused_on_a_full_disk_and_taken_when_there_is_room_again(self) -> None:
        await self.accept(b"before\r\n")
        self.fill()
        for size in (100, 40_000, 2 << 20):
            with pytest.raises(StorageFull):
                await self.accept(b"x" * size)
        status, messages = await self.inbox()
        assert (status.messages, len(messages)) == (1, 1)
        found = [name for _, _, names in os.walk(f"{self.disk}/content") for name in names]
        assert found == [], "no half of a large message is left"
        os.unlink(f"{self.disk}/filler")
        self.use(minimum_free=0)
        for size in (100, 40_000, 2 << 20):
            await self.accept(b"x" * size)
        assert (await self.inbox())[0].messages == 4

    async def test_mail_can_be_deleted_on_a_disk_that_is_full_to_the_last_octet(self) -> None:
        for number in range(200):
            await self.accept(b"%d" % number * 5000)
        self.fill()
        status, messages = await self.inbox()
        uids = {message.uid for message in messages}
        assert await self.store.mailboxes.expunge(status.id, uids) == uids
        assert (await self.inbox())[0].messages == 0

    async def test_mail_can_be_marked_and_expunged_over_IMAP_when_the_database_itself_says_full(self) -> None:
        accepted = await self.fill_database()
        status, _ = await self.inbox()
        everything, store = [(1, status.uidnext)], self.store.messages
        for uid in range(1, status.uidnext):
            await store.change_flags(status.id, [(uid, uid)], FlagChange(how="add", flags=Flag.DELETED))
        assert await store.expunge(status.id, everything, deleted_only=True) == [(1, accepted)]
        assert not os.stat(f"{self.disk}/reserve").st_blocks, "the reserve was needed"

    async def test_the_database_itself_says_full_and_deleting_then_takes_the_reserve(self) -> None:
        accepted = await self.fill_database()
        status, messages = await self.inbox()
        assert status.messages == len(messages) == accepted
        deleted = set()
        for message in messages:
            deleted |= await self.store.mailboxes.expunge(status.id, [message.uid])
        assert len(deleted) == accepted
        assert not os.stat(f"{self.disk}/reserve").st_blocks, "the reserve was needed"
        assert await self.store.collector.collect(1 << 40) > 0
        os.unlink(f"{self.disk}/filler")
        assert self.database.spare() > 10 << 20
        self.use(minimum_free=10 << 20)
        await self.accept(b"after\r\n")

    async def test_new_mail_is_refused_while_the_minimum_is_not_free(self) -> None:
        self.use(minimum_free=1 << 20)
        await self.accept(b"x\r\n")
        self.use(minimum_free=1 << 20)
        filler = os.open(f"{self.disk}/filler", os.O_WRONLY | os.O_CREAT)
        free = self.store.acceptance._space.free()
        os.posix_fallocate(filler, 0, free - (1 << 19))
        os.close(filler)
        self.patch(self.store.acceptance._space, "_until", 0.0)
        with pytest.raises(StorageFull):
            self.store.acceptance.check_room(1)
        with pytest.raises(StorageFull):
            await self.accept(b"y\r\n")
        status, messages = await self.inbox()
        assert await self.store.mailboxes.expunge(status.id, [messages[0].uid]) == {messages[0].uid}
