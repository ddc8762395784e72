"""Changing the directory: every method is one unit of work."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping

from twisted.logger import Logger
from zope.interface import implementer

from worldmail.directory import accounts, aliases, domains, source
from worldmail.directory.account_keys import parse_changes, person_name
from worldmail.directory.domain_keys import parse_domain_changes
from worldmail.directory.rows import all_accounts
from worldmail.errors import BadValue, Refusal
from worldmail.interfaces.auth import ICredentialMaker
from worldmail.interfaces.database import Cursor, IDatabase, Shared
from worldmail.interfaces.directory import Account, Domain, IDirectoryAdmin, IDomainParticipant
from worldmail.interfaces.store import IAccountParticipant
from worldmail.mail.address import Address

_log = Logger()

BETWEEN_SLICES = 0.1
"""Seconds. SQLite looks at a lock ten times a second: who waits for one must find it free."""


@implementer(IDirectoryAdmin)
class DirectoryAdmin:
    """See `IDirectoryAdmin`.

    Args:
        database: where all of it is kept.
        participants: the rooms that keep rows for each account.
        credentials: makes of passwords and secrets what may be kept of them.
        now: the wall clock, epoch seconds.
        sleep: done after so many seconds.
        leaving: what else knows domains by name: told of one that is removed, within the unit.
    """

    def __init__(
        self,
        database: IDatabase,
        participants: Iterable[IAccountParticipant],
        credentials: ICredentialMaker,
        now: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
        leaving: Iterable[Callable[[Cursor, str], None]] = (),
    ) -> None:
        self._database = database
        self._participants = tuple(participants)
        self._credentials = credentials
        self._now = now
        self._sleep = sleep
        self._leaving = tuple(leaving)

    def domains(self) -> Awaitable[list[Domain]]:
        """See `IDirectoryAdmin.domains`."""
        return self._database.scan(domains.list_domains)

    async def add_domain(
        self,
        name: str,
        kind: str = "local",
        alias_of: str | None = None,
        joining: Callable[[Cursor, str], None] | None = None,
    ) -> Domain:
        """See `IDirectoryAdmin.add_domain`."""
        if kind not in domains.KINDS:
            raise BadValue(f"the kind of a domain is one of: {', '.join(domains.KINDS)}")
        normal = domains.domain_name(name)
        target = None if alias_of is None else domains.domain_name(alias_of)

        def unit(cursor: Cursor) -> Domain:
            made = domains.add_domain(cursor, normal, kind, target)
            if joining is not None:
                joining(cursor, normal)
            return made

        return await self._database.write(unit)

    async def set_domain(self, name: str, changes: Mapping[str, str]) -> Domain:
        """See `IDirectoryAdmin.set_domain`; `domain_keys.DOMAIN_KEYS` lists the keys."""
        values, normal = parse_domain_changes(changes), domains.domain_name(name)
        counting = [each for each in self._participants if IDomainParticipant.providedBy(each)]
        return await self._database.write_long(
            Shared(lambda cursor: domains.set_domain(cursor, normal, values, counting))
        )

    async def remove_domain(self, name: str) -> None:
        """See `IDirectoryAdmin.remove_domain`."""
        normal = domains.domain_name(name)

        def unit(cursor: Cursor) -> None:
            domains.remove_domain(cursor, normal)
            for leave in self._leaving:
                leave(cursor, normal)

        await self._database.write_long(unit)

    async def accounts(self, domain: str | None = None) -> list[Account]:
        """See `IDirectoryAdmin.accounts`."""
        normal = None if domain is None else domains.domain_name(domain)

        def unit(cursor: Cursor) -> list[Account]:
            return all_accounts(cursor, None if normal is None else domains.required_domain(cursor, normal).id)

        return await self._database.scan(unit)

    async def add_account(self, address: Address, password: str, name: str = "") -> Account:
        """See `IDirectoryAdmin.add_account`."""
        _require_domain(address)
        try:
            shown = person_name(name)
        except ValueError:
            raise BadValue("the name is too long or holds a control character") from None
        await self._database.read(lambda cursor: accounts.check_new(cursor, address))  # before the work of hashing
        made = await self._credentials.from_password(password)
        created = int(self._now())
        return await self._database.write(
            lambda cursor: accounts.add_account(cursor, address, shown, created, made, self._participants)
        )

    async def remove_account(self, address: Address) -> tuple[Address, ...]:
        """See `IDirectoryAdmin.remove_account`."""

        def close(cursor: Cursor) -> tuple[int, tuple[Address, ...], bool]:
            account = accounts.close_account(cursor, address, self._participants)
            dangling = aliases.aliases_only_to(cursor, account.address.key)
            return account.id, dangling, accounts.clear_account(cursor, account.id, self._participants)

        account_id, dangling, cleared = await self._database.write_long(close)
        if not cleared:
            try:
                await self._clear(account_id, lambda: True)
            except Refusal as error:  # the account is gone all the same, and `finish_removals` comes by
                _log.warn("mail of a removed account is left for later: {reason}", reason=error.reason)
        return dangling

    async def finish_removals(self, going_on: Callable[[], bool]) -> None:
        """See `IDirectoryAdmin.finish_removals`."""
        for account_id in await self._database.scan(accounts.closed_accounts):
            await self._clear(account_id, going_on)

    async def _clear(self, account_id: int, going_on: Callable[[], bool]) -> None:
        """Slice by slice; in between others have their turn, those of other processes too."""
        cleared = False
        while not cleared and going_on():
            await self._sleep(BETWEEN_SLICES)
            cleared = await self._database.write_long(
                lambda cursor: accounts.clear_account(cursor, account_id, self._participants)
            )

    async def set_password(self, address: Address, password: str) -> None:
        """See `IDirectoryAdmin.set_password`."""
        await self._database.read(lambda cursor: accounts.required_account(cursor, address))
        made = await self._credentials.from_password(password)
        await self._database.write(lambda cursor: accounts.set_password(cursor, address, made))

    async def set_account(self, address: Address, changes: Mapping[str, str]) -> Account:
        """See `IDirectoryAdmin.set_account`; `account_keys.ACCOUNT_KEYS` lists the keys."""
        values = parse_changes(changes)
        return await self._database.write(lambda cursor: accounts.set_account(cursor, address, values))

    async def make_legacy_secret(self, address: Address, secret: str | None = None) -> str:
        """See `IDirectoryAdmin.make_legacy_secret`."""
        account = await self._database.read(lambda cursor: accounts.required_account(cursor, address))
        shown, sealed = self._credentials.legacy_secret(account.id, secret)
        await self._database.write(lambda cursor: accounts.set_legacy_secret(cursor, account.id, sealed))
        return shown

    async def aliases(self, domain: str | None = None) -> list[tuple[Address, tuple[Address, ...]]]:
        """See `IDirectoryAdmin.aliases`."""
        normal = None if domain is None else domains.domain_name(domain)
        return await self._database.scan(lambda cursor: aliases.list_aliases(cursor, normal))

    async def set_alias(self, address: Address, targets: tuple[Address, ...]) -> None:
        """See `IDirectoryAdmin.set_alias`."""
        _require_domain(address)
        await self._database.write(lambda cursor: aliases.set_alias(cursor, address, targets))

    def dead_ends(self, address: Address, targets: Iterable[Address], delimiters: str) -> Awaitable[list[Address]]:
        """See `IDirectoryAdmin.dead_ends`."""
        return self._database.scan(lambda cursor: source.dead_ends(cursor, address, targets, delimiters))

    async def remove_alias(self, address: Address) -> None:
        """See `IDirectoryAdmin.remove_alias`."""
        _require_domain(address)
        await self._database.write(lambda cursor: aliases.remove_alias(cursor, address))


def _require_domain(address: Address) -> None:
    if not address.domain:
        raise BadValue(f"{address} needs a domain")
