"""A `World` in memory whose store is the real one, on `ImmediateDatabase`: no reactor, no threads, no waiting.

    site = RealStoreWorld.make()
    bob = site.add_account("bob@example.test", "secret")
    uids = site.add(bob, b"Subject: x\\r\\n\\r\\ntext\\r\\n", flags=Flag.SEEN)
    dialogue = SomeSession(site.world, ...)

`settle` gives the result of what the store's methods return, which never has to wait here.
"""

from __future__ import annotations

import tempfile
from collections.abc import Awaitable
from typing import Any, TypeVar

from attrs import define, field

from worldmail.config.sections import StoreSettings
from worldmail.database.immediate import ImmediateDatabase
from worldmail.interfaces.database import Cursor
from worldmail.interfaces.directory import Account
from worldmail.interfaces.messages import Appending
from worldmail.interfaces.store import MailboxStatus
from worldmail.interfaces.world import World
from worldmail.queue.expansion import Expansion
from worldmail.store import Store, open_store
from worldmail.store.derived import derived_here
from worldmail.store.provision import add_mailbox
from worldmail.store.urls import Finder, Urls
from worldmail.store.writer import here
from worldmail.testing.memory_contents import MemoryContents
from worldmail.testing.world import MemoryWorld

T = TypeVar("T")

_DOMAIN = (
    "INSERT INTO domain (name, kind) VALUES (?, 'local') ON CONFLICT (name) DO UPDATE SET kind = 'local' RETURNING id"
)
_ACCOUNT = (
    "INSERT INTO account (id, domain_id, address, name, enabled, generation, created, password, settings, quota)"
    " VALUES (?, ?, ?, ?, 1, 1, 0, '', '{}', ?)"
)


def settle(awaitable: Awaitable[T]) -> T:
    """The result of what never has to wait."""
    iterator = awaitable.__await__()
    try:
        next(iterator)
    except StopIteration as stop:
        result: T = stop.value
        return result
    raise AssertionError("it waits")


@define(kw_only=True)
class RealStoreWorld:
    """The parts, and `world`, the `World` made of them.

    Args:
        memory: everything but the store: directory, authentication, clock, journal ...
        contents: where content beyond the inline limit goes.
    """

    memory: MemoryWorld
    database: ImmediateDatabase
    contents: MemoryContents
    store: Store
    world: World
    _directory: tempfile.TemporaryDirectory[str] = field(alias="directory")

    @classmethod
    def make(
        cls, *, hostname: str = "mail.example.test", settings: Any = None, inline_limit: int = 64 << 10
    ) -> RealStoreWorld:
        """A world with the domain example.test and no account."""
        memory = MemoryWorld.make(hostname=hostname, settings=settings)
        database, contents = ImmediateDatabase(), MemoryContents()
        database.start()
        directory = tempfile.TemporaryDirectory(prefix="worldmail-")
        options = StoreSettings(inline_limit=inline_limit, minimum_free=0, reserve=0)
        derived = derived_here(database, contents)
        store = open_store(
            options, directory.name, database, contents, memory.clock, None, elsewhere=here, derived=derived
        )
        world = memory.replace(
            database=database,
            changes=database.changes,
            mailboxes=store.mailboxes,
            messages=store.messages,
            summaries=derived.summaries,
            search=derived.search,
            folders=store.folders,
            expansion=Expansion(folders=store.folders, delimiters="+"),
            urls=Urls(
                folders=store.folders,
                directory=memory.directory,
                finder=Finder(store.messages, memory.world.aside),
                hostname=hostname,
                names_us="imap.example.test".__eq__,
                now=memory.clock.now,
            ),
            acceptance=store.acceptance,
            trace=store.trace,
        )
        return cls(memory=memory, database=database, contents=contents, store=store, world=world, directory=directory)

    def add_account(self, address: str, password: str = "secret", **changes: Any) -> Account:
        """As `MemoryWorld.add_account`, with its first mailboxes in the store."""
        account = self.memory.add_account(address, password, **changes)

        def add(cursor: Cursor) -> None:
            (domain_id,) = cursor.one(_DOMAIN, (account.address.domain,)) or (0,)
            cursor.run(_ACCOUNT, (account.id, domain_id, account.address.key, account.name, account.quota))
            for participant in self.store.participants:
                participant.account_added(cursor, account.id)

        settle(self.database.write(add))
        return account

    def add_mailbox(self, account: Account, name: str, special_use: str | None = None) -> int:
        """One more mailbox; its id. Nobody is told, and no level above it is made."""
        now = int(self.memory.clock.now())
        return settle(self.database.write(lambda cursor: add_mailbox(cursor, account.id, name, special_use, now)))

    def status(self, account: Account, name: str = "INBOX") -> MailboxStatus:
        """The mailbox, which is there."""
        found = settle(self.store.mailboxes.status(account.id, name))
        assert found is not None, name
        return found

    def add(
        self, account: Account, *contents: bytes, mailbox: str = "INBOX", flags: int = 0, keywords: tuple[str, ...] = ()
    ) -> list[int]:
        """Append messages; their UIDs."""
        messages = [self.appending(content, flags=flags, keywords=keywords) for content in contents]
        appended = settle(self.store.messages.append(self.status(account, mailbox).id, messages))
        return [uid for low, high in appended.uids for uid in range(low, high + 1)]

    def appending(self, content: bytes, **fields: Any) -> Appending:
        """What `IMessages.append` takes."""
        writer = self.store.acceptance.writer()
        writer.write(content)
        return Appending(content=settle(writer.finish()), **fields)
