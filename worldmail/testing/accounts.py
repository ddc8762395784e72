"""A real directory and a real way in, over a database in memory.

    site = AccountSite.make(reactor)
    await site.admin.add_domain("example.test")
    bob = await site.add("bob@example.test", "secret")

Hashing runs in real threads, with cheap parameters. `passwords.verified` and `database.reads` tell what a login
cost. The test ends with `await site.stop()`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterable
from typing import Any

from attrs import define
from zope.interface import implementer

from worldmail.auth.authentication import Authentication, open_authentication
from worldmail.auth.credential_maker import CredentialMaker
from worldmail.auth.passwords import Passwords
from worldmail.auth.server_key import ServerKey
from worldmail.config.settings import AuthSettings, LimitsSettings, Settings
from worldmail.database.immediate import ImmediateDatabase
from worldmail.directory.admin import DirectoryAdmin
from worldmail.directory.directory import Directory
from worldmail.directory.source import DatabaseSource
from worldmail.interfaces.auth import LoginContext
from worldmail.interfaces.database import IDatabase, Unit
from worldmail.interfaces.directory import Account
from worldmail.interfaces.store import IAccountParticipant
from worldmail.interfaces.world import IClock
from worldmail.mail.address import Address
from worldmail.testing.world import ManualClock, MemoryJournal

CHEAP = AuthSettings(argon2_time=1, argon2_memory=8192, scram_iterations=4096)


class CountingPasswords(Passwords):
    """Passwords that remember what was verified: "kept" for an account's hash, "dummy" for nobody's."""

    def __init__(self, reactor: Any, settings: AuthSettings) -> None:
        super().__init__(reactor, settings)
        self.verified: list[str] = []

    def verify(self, kept: str, password: str, *, preferred: bool) -> Awaitable[bool]:
        """See `Passwords.verify`."""
        self.verified.append("dummy" if kept == self.dummy else "kept")
        return super().verify(kept, password, preferred=preferred)


@implementer(IDatabase)
class CountingDatabase:
    """A database in memory that counts the units it is given; each fails with `error` if there is one."""

    def __init__(self) -> None:
        self.memory = ImmediateDatabase()
        self.memory.start()
        self.reads = 0
        self.writes = 0
        self.error: Exception | None = None

    def start(self) -> None:
        """It is open from the beginning."""

    def stop(self) -> Awaitable[None]:
        """Close it."""
        return self.memory.stop()

    def write(self, unit: Unit[Any]) -> Awaitable[Any]:
        """See `IDatabase.write`."""
        self.writes += 1
        return self.memory.write(self._failing(unit))

    def write_long(self, unit: Unit[Any]) -> Awaitable[Any]:
        """See `IDatabase.write_long`."""
        return self.write(unit)

    def read(self, unit: Unit[Any]) -> Awaitable[Any]:
        """See `IDatabase.read`."""
        self.reads += 1
        return self.memory.read(self._failing(unit))

    def scan(self, unit: Unit[Any]) -> Awaitable[Any]:
        """See `IDatabase.scan`."""
        return self.read(unit)

    def spare(self) -> int:
        """See `IDatabase.spare`."""
        return self.memory.spare()

    def _failing(self, unit: Unit[Any]) -> Unit[Any]:
        error = self.error
        if error is None:
            return unit

        def fail(cursor: Any) -> Any:
            raise error

        return fail


@define(kw_only=True)
class AccountSite:
    """The parts, put together."""

    database: CountingDatabase
    clock: Any
    journal: MemoryJournal
    settings: Settings
    key: ServerKey
    passwords: CountingPasswords
    directory: Directory
    admin: DirectoryAdmin
    authentication: Authentication

    @classmethod
    def make(
        cls,
        reactor: Any,
        *,
        settings: Settings | None = None,
        clock: IClock | None = None,
        database: CountingDatabase | None = None,
        participants: Iterable[IAccountParticipant] = (),
    ) -> AccountSite:
        """An empty site; or another process on the same database, if one is given."""
        settings = Settings(auth=CHEAP, limits=LimitsSettings()) if settings is None else settings
        database = CountingDatabase() if database is None else database
        clock = ManualClock() if clock is None else clock
        changes = database.memory.changes
        key, journal = ServerKey(bytes(range(32))), MemoryJournal()
        passwords = CountingPasswords(reactor, settings.auth)
        directory = Directory((DatabaseSource(database=database),), changes)
        return cls(
            database=database,
            clock=clock,
            journal=journal,
            settings=settings,
            key=key,
            passwords=passwords,
            directory=directory,
            admin=DirectoryAdmin(database, participants, CredentialMaker(passwords, key), clock.now, clock.sleep),
            authentication=open_authentication(
                settings=settings,
                hostname="mail.example.test",
                database=database,
                changes=changes,
                directory=directory,
                clock=clock,
                journal=journal,
                passwords=passwords,
                key=key,
            ),
        )

    async def add(self, address: str, password: str = "secret") -> Account:
        """Add an account."""
        return await self.admin.add_account(Address.parse(address), password)

    async def stop(self) -> None:
        """End the threads and write what is left; the database stays open."""
        await self.authentication.stop()
        self.passwords.stop()


def context(client: str = "192.0.2.1", service: str = "pop3", **changes: Any) -> LoginContext:
    """A login from there, in TLS that can be bound to nothing."""
    facts: dict[str, Any] = {"session": "s1", "secure": True, "tls": True, **changes}
    return LoginContext(service=service, client=client, **facts)
