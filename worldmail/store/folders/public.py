"""Folders as an administrator sees them: those of any account, and the public ones of a domain.

The public folders of a domain belong to an account that is nobody's: no mail can have its address, nobody can sign in
as it, and it comes and goes with them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from attrs import frozen

from worldmail.errors import BadName, NoSuchThing
from worldmail.interfaces.database import Cursor, IDatabase
from worldmail.interfaces.directory import Account
from worldmail.interfaces.folders import ANYONE, Folder
from worldmail.mail.address import Address
from worldmail.mail.domain import host_name
from worldmail.store.folders.folders import Folders
from worldmail.store.folders.names import INBOX, PUBLIC_OWNER, new_name
from worldmail.store.folders.rights import identifier_key

_BY_ADDRESS = "SELECT id FROM account WHERE address = ? AND enabled >= 0"
_DOMAIN = "SELECT id FROM domain WHERE name = ? AND alias_of IS NULL AND kind = 'local'"
_ADD = (
    "INSERT INTO account (domain_id, address, kind, name, enabled, generation, created, password, settings)"
    " VALUES (?, ?, 'public', '', 0, 1, ?, '', '{}')"
)


@frozen(kw_only=True)
class FolderAdmin:
    """What `worldmail folder` does. An owner is an account's address or, for public folders, a domain.

    All methods raise `NoSuchThing` for an owner that is not there, and what `IFolders` raises. They act as the owner,
    so that no right is missing and no setting forbids it.

    Args:
        now: epoch seconds.
    """

    database: IDatabase
    folders: Folders
    now: Callable[[], float]

    async def list(self, owner: str) -> Sequence[Folder]:
        """The owner's folders by name; none if a domain has none."""
        account = await self._owner(owner)
        return [] if account is None else await self.folders.folders(account, pattern="")

    async def add(self, owner: str, name: str, rights: Mapping[str, str]) -> Folder:
        """Make a folder and give these rights; a domain's first one makes its owner too."""
        if "@" not in owner and new_name(name).partition("/")[0] == INBOX:
            raise BadName("There is no public INBOX")
        account = await self._owner(owner)
        if account is None:
            account = await self._make_owner(owner)
        made = await self.folders.create(account, name)
        await self.set_rights(owner, name, rights)
        return made

    async def remove(self, owner: str, name: str) -> None:
        """Remove a folder with all messages in it; what is below stays."""
        await self.folders.delete(await self._required(owner), name)
        await self.folders.empty()

    async def rights(self, owner: str, name: str) -> Mapping[str, str]:
        """Rights by identifier."""
        return await self.folders.rights_of(await self._required(owner), name)

    async def set_rights(self, owner: str, name: str, rights: Mapping[str, str]) -> None:
        """Give each identifier these rights in place of those it had; none take them all away.

        Nobody can be given rights who is not there (`NoSuchThing`): whoever got the address later would have them.
        """
        account = await self._required(owner)
        for identifier, letters in rights.items():
            key = identifier_key(identifier, account.address.domain_key).removeprefix("-")
            if letters and key != ANYONE and await self._row(_BY_ADDRESS, key) is None:
                raise NoSuchThing(f"there is no account {identifier.removeprefix('-')}")
        for identifier, letters in rights.items():
            await self.folders.set_rights(account, name, identifier, letters, "=")

    async def _required(self, owner: str) -> Account:
        account = await self._owner(owner)
        if account is None:
            raise NoSuchThing(f"{owner} has no public folders")
        return account

    async def _owner(self, owner: str) -> Account | None:
        """The owner as an account, None for a domain without public folders."""
        address, key = _address(owner)
        if "@" in owner:
            row = await self._row(_BY_ADDRESS, key)
            if row is None:
                raise NoSuchThing(f"there is no account {owner}")
            return _account(row, address)
        if await self._row(_DOMAIN, address.domain_key) is None:
            raise NoSuchThing(f"there is no local domain {owner}")
        row = await self._row(_BY_ADDRESS, key)
        return None if row is None else _account(row, address)

    async def _make_owner(self, domain: str) -> Account:
        address, key = _address(domain)
        created = int(self.now())

        def unit(cursor: Cursor) -> None:
            found = cursor.one(_DOMAIN, (address.domain_key,))
            if found is None:
                raise NoSuchThing(f"there is no local domain {domain}")
            if cursor.one(_BY_ADDRESS, (key,)) is None:
                cursor.run(_ADD, (found[0], key, created))

        await self.database.write(unit)
        return await self._required(domain)

    def _row(self, sql: str, key: str) -> Awaitable[int | None]:
        def unit(cursor: Cursor) -> int | None:
            row = cursor.one(sql, (key,))
            return None if row is None else int(row[0])

        return self.database.read(unit)


def _address(owner: str) -> tuple[Address, str]:
    """An address in the owner's domain (its own, for an account) and what stands in the column `address`."""
    try:
        if "@" in owner:
            address = Address.parse(owner)
            return address, address.key
        address = Address("public", host_name(owner))
    except ValueError:
        raise NoSuchThing(f"{owner} is neither an address nor a domain") from None
    return address, PUBLIC_OWNER + address.domain_key


def _account(number: int, address: Address) -> Account:
    return Account(
        id=number,
        address=address,
        name="",
        enabled=False,
        generation=0,
        quota=None,
        max_message=None,
        legacy_auth=False,
    )
