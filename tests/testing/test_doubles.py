"""The doubles that tests of protocols stand on keep the contracts of what they stand for."""

from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred
from twisted.trial import unittest
from zope.interface.interface import fromMethod
from zope.interface.verify import verifyObject

from worldmail.interfaces.database import IChanges
from worldmail.interfaces.directory import IDirectory
from worldmail.interfaces.folders import IFolders
from worldmail.interfaces.policy import IPolicy
from worldmail.interfaces.world import IClock, IJournal, ITls
from worldmail.testing.accounts import CountingDatabase
from worldmail.testing.contracts import acceptance, database, directory, mailboxes
from worldmail.testing.memory_acceptance import MemoryAcceptance
from worldmail.testing.memory_store import MemoryMailboxes, MemoryTrace
from worldmail.testing.pop3 import MemoryChanges
from worldmail.testing.world import MemoryWorld


class MemoryStore:
    def setUp(self) -> None:
        self.mailboxes, self.trace = MemoryMailboxes(), MemoryTrace()
        self.acceptance = MemoryAcceptance(mailboxes=self.mailboxes, trace=self.trace)
        self.inline_limit = 4096
        self.accounts = 0

    async def new_account(self, quota: int | None = None) -> int:
        self.accounts += 1
        self.mailboxes.add_account(self.accounts, quota)
        return self.accounts


class TestMemoryAcceptance(MemoryStore, acceptance.AcceptanceContract):
    pass


class TestMemoryMailboxes(MemoryStore, mailboxes.MailboxStoreContract):
    pass


class TestMemoryDirectory(directory.DirectoryContract, unittest.TestCase):
    async def furnish(self) -> IDirectory:
        memory = MemoryWorld.make()
        for name in ("postmaster", "bob"):
            memory.add_account(f"{name}@example.test")
        memory.add_alias("both@example.test", "bob@example.test", "x@far.example")
        return memory.directory


class TestCountingDatabase(database.OrderedDatabaseContract):
    def setUp(self) -> None:
        self.database = CountingDatabase()
        self.changes = self.database.memory.changes

    def tearDown(self) -> Deferred[None]:
        async def stop() -> None:
            await self.database.stop()

        return Deferred.fromCoroutine(stop())


@pytest.mark.parametrize(
    ("interface", "part"), [(IClock, "clock"), (IJournal, "journal"), (ITls, "tls"), (IPolicy, "policy")]
)
def test_a_part_of_the_world_in_memory_provides_its_interface(interface: type, part: str) -> None:
    assert verifyObject(interface, getattr(MemoryWorld.make().world, part))


def test_changes_that_a_test_tells_of_come_by_the_interface() -> None:
    assert verifyObject(IChanges, MemoryChanges())


def test_what_delivery_asks_of_folders_is_asked_as_the_interface_has_it() -> None:
    double = fromMethod(MemoryWorld.make().world.folders.delivery_folder)
    assert double.getSignatureInfo() == IFolders["delivery_folder"].getSignatureInfo()
