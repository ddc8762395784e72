"""The directory and the way in on each engine: two servers on one store."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from attrs import define
from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.trial import unittest

from worldmail.auth.authentication import open_authentication
from worldmail.auth.credential_maker import CredentialMaker
from worldmail.auth.passwords import Passwords
from worldmail.auth.server_key import create_server_key, read_server_key
from worldmail.config.settings import DatabaseSettings, Settings
from worldmail.database import open_database
from worldmail.directory.admin import DirectoryAdmin
from worldmail.directory.directory import Directory
from worldmail.directory.source import DatabaseSource
from worldmail.errors import AuthenticationDelayed, AuthenticationFailed
from worldmail.mail.address import Address
from worldmail.testing.accounts import CHEAP, context
from worldmail.testing.contracts.directory import DirectoryContract
from worldmail.testing.postgres import PostgresProcess
from worldmail.testing.world import MemoryJournal
from worldmail.transport.clock import ReactorClock

BOB = Address.parse("bob@example.test")


@define(kw_only=True)
class Server:
    """One process's parts."""

    database: object
    directory: Directory
    admin: DirectoryAdmin
    authentication: object
    passwords: Passwords

    async def stop(self):
        await self.authentication.stop()
        self.passwords.stop()
        self.directory.close()
        await self.database.stop()


def serve(test, where):
    """Open the store in this directory."""
    settings = Settings(auth=CHEAP, database=test.database_settings)
    database = open_database(settings.database, str(where), reactor).database
    database.start()
    key, clock = read_server_key(where / "server.key"), ReactorClock(reactor=reactor)
    passwords = Passwords(reactor, settings.auth)
    directory = Directory((DatabaseSource(database=database),), database.changes)
    server = Server(
        database=database,
        directory=directory,
        admin=DirectoryAdmin(database, (), CredentialMaker(passwords, key), clock.now, clock.sleep),
        passwords=passwords,
        authentication=open_authentication(
            settings=settings,
            hostname="mail.example.test",
            database=database,
            changes=database.changes,
            directory=directory,
            clock=clock,
            journal=MemoryJournal(),
            passwords=passwords,
            key=key,
        ),
    )
    test.addCleanup(server.stop)
    return server


class StoreCase(unittest.TestCase):
    database_settings = DatabaseSettings()

    async def setUp(self):
        directory = TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.where = Path(directory.name)
        create_server_key(self.where / "server.key")
        self.server = serve(self, self.where)
        await self.server.admin.add_domain("example.test")
        await self.server.admin.add_account(BOB, "secret")


class TestDirectoryOnDisk(DirectoryContract, StoreCase):
    async def furnish(self):
        await self.server.admin.add_account(Address.parse("postmaster@example.test"), "secret")
        targets = (BOB, Address.parse("x@far.example"))
        await self.server.admin.set_alias(Address.parse("both@example.test"), targets)
        return self.server.directory


class OnPostgres:
    postgres: PostgresProcess

    def setUp(self):
        self.database_settings = DatabaseSettings(engine="postgres", url=self.postgres.url())
        return super().setUp()


@pytest.mark.usefixtures("postgres")
class TestDirectoryOnPostgres(OnPostgres, TestDirectoryOnDisk):
    pass


class TwoServersTests(StoreCase):
    async def login(self, server, password, client="192.0.2.1"):
        return await server.authentication.password("bob", password, context(client))

    async def test_a_password_changed_by_one_ends_what_the_other_remembers(self):
        other = serve(self, self.where)
        for server in (self.server, other):
            await self.login(server, "secret")
        await self.server.admin.set_password(BOB, "another")
        with self.assertRaises(AuthenticationFailed):
            await self.login(self.server, "secret")
        assert (await self.login(other, "another")).address == BOB
        for _ in range(1200):  # the feed of another process is told within a moment
            await deferLater(reactor, 0.05, lambda: None)
            try:
                await self.login(other, "secret", client="192.0.2.2")
            except (AuthenticationFailed, AuthenticationDelayed):
                break
        else:
            raise AssertionError("the old password lives on")
        assert (await other.directory.account(BOB)).generation == 2

    async def test_where_the_owner_is_known_is_there_after_a_restart(self):
        await self.login(self.server, "secret")
        await self.server.authentication.stop()
        other = serve(self, self.where)
        rows = await other.database.read(lambda cursor: cursor.all("SELECT network FROM known_network"))
        assert rows == [("192.0.2.0/24",)]


@pytest.mark.usefixtures("postgres")
class TwoServersOnPostgresTests(OnPostgres, TwoServersTests):
    pass
