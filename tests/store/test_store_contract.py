"""The contracts of the store's interfaces, on the store over each database."""

from __future__ import annotations

import os
from typing import Any

import pytest
from twisted.internet import reactor
from twisted.internet.defer import Deferred

from worldmail.config.sections import StoreSettings
from worldmail.database.file import DatabaseFile
from worldmail.database.immediate import ImmediateDatabase
from worldmail.database.sqlite import SqliteDatabase
from worldmail.interfaces.database import Cursor, Shared
from worldmail.store import ContentFiles, open_store
from worldmail.store.messages.forgetting import Forgetting
from worldmail.store.quota import recount_domain
from worldmail.testing.contracts import (
    acceptance,
    content,
    mailboxes,
    message_changes,
    message_copies,
    messages,
)
from worldmail.testing.postgres import PostgresProcess
from worldmail.testing.world import ManualClock


class TestFiles(content.ContentStoreContract):
    def setUp(self) -> None:
        self.contents = ContentFiles(os.path.abspath(self.mktemp()), reactor)


class OnSqlite:
    """A store on a real file."""

    def setUp(self) -> None:
        directory = os.path.abspath(self.mktemp())
        self.database = self.make_database(directory)
        self.database.start()
        os.makedirs(directory, exist_ok=True)
        contents = ContentFiles(f"{directory}/content", reactor)
        self.inline_limit = 4096
        settings = StoreSettings(inline_limit=self.inline_limit, minimum_free=0, reserve=0)
        store = open_store(settings, directory, self.database, contents, ManualClock(), reactor, self.locks())
        self.store, self.messages = store, store.messages
        self.acceptance, self.mailboxes, self.trace = store.acceptance, store.mailboxes, store.trace
        self.accounts = 0

    def make_database(self, directory: str) -> Any:
        return SqliteDatabase(DatabaseFile(path=f"{directory}/store.sqlite"), reactor)

    def locks(self) -> Any:
        return None

    def tearDown(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self.stop())

    async def stop(self) -> None:
        await self.database.stop()

    async def new_account(self, quota: int | None = None) -> int:
        self.accounts += 1
        number = self.accounts

        def unit(cursor: Cursor) -> int:
            cursor.run("INSERT INTO domain (id, name, kind) VALUES (1, 'example.test', 'local') ON CONFLICT DO NOTHING")
            row = cursor.one(
                "INSERT INTO account (domain_id, address, name, enabled, generation, created, password, settings,"
                " quota) VALUES (1, ?, '', 1, 1, 0, '', '{}', ?) RETURNING id",
                (f"rcpt{number}@example.test", quota),
            )
            self.mailboxes.account_added(cursor, row[0])
            return row[0]

        return await self.database.write(unit)

    async def set_domain_quota(self, quota: int | None) -> None:
        def unit(cursor: Cursor) -> None:
            cursor.run("UPDATE domain SET quota = ?", (quota,))
            recount_domain(cursor, 1)

        await self.database.write(Shared(unit))

    async def counters(self, mailbox_id: int) -> tuple[int, int, int]:
        sql = "SELECT seen, deleted, deleted_octets FROM mailbox WHERE id = ?"
        return await self.database.read(lambda cursor: cursor.one(sql, (mailbox_id,)))

    async def forget_expunged(self, kept: int) -> None:
        await Forgetting(database=self.database, kept=kept).forget()

    async def close_account(self, account: int) -> None:
        await self.database.write(lambda cursor: self.mailboxes.account_closed(cursor, account))

    async def collect(self) -> None:
        await self.store.collector.collect(1 << 40)


class OnImmediate(OnSqlite):
    """A store on a database in memory."""

    def make_database(self, directory: str) -> Any:
        return ImmediateDatabase()


class OnPostgres(OnSqlite):
    """A store on a PostgreSQL server."""

    postgres: PostgresProcess

    def make_database(self, directory: str) -> Any:
        return self.postgres.database(reactor)

    def locks(self) -> Any:
        return self.database.locks


class TestAcceptanceOnSqlite(OnSqlite, acceptance.AcceptanceContract):
    pass


class TestAcceptanceInMemory(OnImmediate, acceptance.AcceptanceContract):
    pass


@pytest.mark.usefixtures("postgres")
class TestAcceptanceOnPostgres(OnPostgres, acceptance.AcceptanceContract):
    pass


class TestMailboxesOnSqlite(OnSqlite, mailboxes.MailboxStoreContract):
    pass


class TestMailboxesInMemory(OnImmediate, mailboxes.MailboxStoreContract):
    pass


@pytest.mark.usefixtures("postgres")
class TestMailboxesOnPostgres(OnPostgres, mailboxes.MailboxStoreContract):
    pass


class TestFlagsOnSqlite(OnSqlite, messages.FlagsContract):
    pass


class TestFlagsInMemory(OnImmediate, messages.FlagsContract):
    pass


@pytest.mark.usefixtures("postgres")
class TestFlagsOnPostgres(OnPostgres, messages.FlagsContract):
    pass


class TestCopiesOnSqlite(OnSqlite, message_copies.CopiesContract):
    pass


class TestCopiesInMemory(OnImmediate, message_copies.CopiesContract):
    pass


@pytest.mark.usefixtures("postgres")
class TestCopiesOnPostgres(OnPostgres, message_copies.CopiesContract):
    pass


class TestChangesOnSqlite(OnSqlite, message_changes.ChangesContract):
    pass


class TestChangesInMemory(OnImmediate, message_changes.ChangesContract):
    pass


@pytest.mark.usefixtures("postgres")
class TestChangesOnPostgres(OnPostgres, message_changes.ChangesContract):
    pass
