"""Lists of recipients on PostgreSQL: the same answers, on every node."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet import reactor
from twisted.internet.defer import DeferredList, ensureDeferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from worldmail.directory import recipient_admin
from worldmail.directory.admin import DirectoryAdmin
from worldmail.directory.directory import Directory
from worldmail.directory.recipient_admin import RecipientAdmin
from worldmail.directory.source import DatabaseSource
from worldmail.errors import BadValue, NoSuchThing
from worldmail.interfaces.queue import Loaded
from worldmail.mail.address import Address
from worldmail.testing.contracts.directory import ends
from worldmail.testing.postgres import PostgresProcess
from worldmail.testing.world import ManualClock


def sleep(seconds: float) -> Any:
    return deferLater(reactor, 0.001, lambda: None)  # type: ignore[arg-type]  # the interface is untyped


class Node:
    """One server on the database."""

    def __init__(self, database: Any) -> None:
        clock = ManualClock()
        unused: Any = None
        self.database = database
        self.admin = DirectoryAdmin(database, (), unused, clock.now, clock.sleep)
        self.recipients = RecipientAdmin(database, sleep)
        self.directory = Directory((DatabaseSource(database=database),), database.changes)

    async def load(self, *names: str, replace: bool = False) -> Loaded:
        return await self.recipients.load("relay.test", names, replace, lambda done, count: None)

    async def taken(self, names: str) -> str:
        """Which of these letters have an address that leads on."""
        found = [await self.directory.resolve(Address(name, "relay.test")) for name in names]
        return "".join(
            name for name, each in zip(names, found, strict=True) if ends(each) == [f"elsewhere {name}@relay.test"]
        )


@pytest.mark.usefixtures("postgres")
class RelayDomainsOnPostgresTests(TestCase):
    postgres: PostgresProcess

    async def setUp(self) -> None:
        self.url = self.postgres.url()
        self.patch(recipient_admin, "SLICE", 2)
        self.one, self.other = self.node(), self.node()
        await self.one.admin.add_domain("relay.test", "relay")
        await self.one.admin.add_domain("alias.test", alias_of="relay.test")

    def node(self) -> Node:
        database = self.postgres.database(reactor, self.url)
        database.start()
        self.addCleanup(database.stop)
        made = Node(database)
        self.addCleanup(made.directory.close)
        return made

    async def test_lists_are_changed_and_answered_for_as_on_the_embedded_engine(self) -> None:
        one = self.one
        assert await one.taken("abc") == "abc"
        assert await one.load(*"abcde") == Loaded(added=5, removed=0, total=5)
        assert await one.load("a", "é", "ab", "Z".lower(), replace=True) == Loaded(added=3, removed=4, total=4)
        assert await one.taken("abcéz") == "aéz"
        assert await one.recipients.counts() == {"relay.test": 4}
        assert [each.local for each in await one.recipients.recipients("alias.test")] == sorted(["a", "ab", "z", "é"])
        await one.recipients.remove([Address("a", "alias.test")])
        for kind, awaitable in (
            (NoSuchThing, one.recipients.remove([Address("a", "relay.test")])),
            (BadValue, one.recipients.remove([Address(name, "relay.test") for name in ("ab", "z", "é")])),
        ):
            with self.assertRaises(kind):
                await awaitable
        assert await one.recipients.clear("relay.test") == 3
        assert await one.taken("abc") == "abc"
        await one.admin.remove_domain("alias.test")
        await one.load("x")
        await one.admin.remove_domain("relay.test")
        assert self.postgres.rows(self.url, "SELECT * FROM relay_recipient") == []

    async def test_another_node_learns_of_every_change(self) -> None:
        assert await self.other.taken("abz") == "abz"
        for names, taken in (("abc", "ab"), ("a", "a"), ("bz", "bz")):
            await self.one.load(*names, replace=True)
            while await self.other.taken("abz") != taken:
                await sleep(0)
        await self.one.recipients.clear("relay.test")
        while await self.other.taken("abz") != "abz":
            await sleep(0)

    async def test_two_nodes_that_load_side_by_side_lose_nobody(self) -> None:
        letters = "abcdefghijklmnopqrstuvwxyz"
        loads = [self.one.load(*letters[:16]), self.other.load(*letters[10:])]
        done = await DeferredList([ensureDeferred(each) for each in loads])
        assert all(success for success, _ in done), done
        assert [each.local for each in await self.one.recipients.recipients("relay.test")] == list(letters)
        assert await self.one.recipients.counts() == {"relay.test": 26}
