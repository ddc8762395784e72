"""Mailboxes by name over the database: each method is one unit of work."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import TypeVar

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from zope.interface import implementer

from worldmail.errors import NotPermitted, Refusal, StorageFull
from worldmail.interfaces.database import Cursor, IDatabase, Unit
from worldmail.interfaces.directory import Account, IDomainParticipant
from worldmail.interfaces.folders import Folder, IFolders, QuotaRoot
from worldmail.interfaces.store import IAccountParticipant
from worldmail.mail.address import Address
from worldmail.store.folders import access, listing, making, metadata, posting, quota, removing, url_keys
from worldmail.store.folders.names import is_own, locate, new_name, normal
from worldmail.store.folders.rows import OWN_BY_NAME, own_folder, own_with_keywords, see, see_id
from worldmail.store.provision import FIRST_MAILBOXES
from worldmail.store.quota import recount_domain
from worldmail.store.space import Reserve

_log = Logger()
T = TypeVar("T")

BETWEEN_SLICES = 0.1
"""Seconds. SQLite looks at a lock ten times a second: who waits for one must find it free."""


@implementer(IFolders, IAccountParticipant, IDomainParticipant)
@define(kw_only=True, eq=False)
class Folders:
    """Provides `IFolders`; as `IAccountParticipant` it makes and removes what is said of an account's mailboxes.

    Args:
        reserve: given up when the disk is too full to delete.
        now: epoch seconds.
        sleep: done after so many seconds.
        random: so many octets that nobody can guess.
    """

    _database: IDatabase
    _reserve: Reserve
    _now: Callable[[], float]
    _sleep: Callable[[float], Awaitable[None]]
    _random: Callable[[int], bytes]
    _emptying: bool = field(default=False, init=False)

    def folder(self, account: Account, name: str, *, keywords: bool = False) -> Awaitable[Folder | None]:
        name = normal(name)
        if not is_own(name):
            return self._database.read(lambda cursor: see(cursor, account, locate(name, account)))
        key = (account.id, name)

        def own(cursor: Cursor) -> Folder | None:
            row = cursor.one(OWN_BY_NAME, key)
            return None if row is None else own_folder(row)

        return self._database.read(partial(own_with_keywords, key=key) if keywords else own)

    def folders(self, account: Account, *, pattern: str | None = None) -> Awaitable[Sequence[Folder]]:
        return self._database.read(lambda cursor: listing.folders(cursor, account, pattern or ""))

    def subscribed(self, account: Account) -> Awaitable[Sequence[str]]:
        return self._database.read(lambda cursor: listing.subscribed(cursor, account))

    def by_id(self, account: Account, mailbox_id: int) -> Awaitable[Folder | None]:
        return self._database.read(lambda cursor: see_id(cursor, account, mailbox_id))

    async def subscribe(self, account: Account, name: str, on: bool) -> None:
        name = normal(name)
        change = access.subscribe if on else access.unsubscribe
        await self._database.write(lambda cursor: change(cursor, account, name))

    async def create(self, account: Account, name: str, *, special_use: str | None = None) -> Folder:
        _permit(account, "imap-create")
        name, now = new_name(name), int(self._now())

        def unit(cursor: Cursor) -> Folder | None:
            making.create(cursor, account, name, special_use, now)
            return see(cursor, account, locate(name, account))

        folder = await self._database.write(unit)
        assert folder is not None, "who may create below a mailbox has rights there, and so on what is below"
        return folder

    async def rename(self, account: Account, name: str, to: str) -> None:
        _permit(account, "imap-rename")
        name, to, now = normal(name), new_name(to), int(self._now())
        await self._database.write(lambda cursor: making.rename(cursor, account, name, to, now))

    async def delete(self, account: Account, name: str) -> None:
        _permit(account, "imap-delete")
        name = normal(name)
        await self._freeing(lambda cursor: removing.delete(cursor, account, name))
        Deferred.fromCoroutine(self._empty_quietly())

    async def set_special_use(self, account: Account, name: str, special_use: str | None) -> None:
        making.check_use(special_use)
        name = normal(name)
        await self._database.write(lambda cursor: making.set_use(cursor, account, name, special_use))

    def rights_of(self, account: Account, name: str) -> Awaitable[Mapping[str, str]]:
        name = normal(name)
        return self._database.read(lambda cursor: access.rights_of(cursor, account, name))

    async def set_rights(self, account: Account, name: str, identifier: str, rights: str, how: str) -> None:
        name = normal(name)
        await self._database.write(lambda cursor: access.set_rights(cursor, account, name, identifier, rights, how))

    def annotations(
        self, account: Account, name: str, entries: Sequence[str], *, depth: int | None = 0
    ) -> Awaitable[Mapping[str, bytes]]:
        name, asked = normal(name) if name else "", metadata.check_entries(entries)
        return self._database.read(lambda cursor: metadata.values_of(cursor, account, name, asked, depth))

    async def annotate(self, account: Account, name: str, values: Mapping[str, bytes | None]) -> None:
        name, checked = normal(name) if name else "", metadata.check_values(values)
        await self._database.write(lambda cursor: metadata.annotate(cursor, account, name, checked))

    def quota_roots(self, account: Account, name: str) -> Awaitable[Sequence[QuotaRoot]]:
        name = normal(name)
        return self._database.read(lambda cursor: quota.quota_roots(cursor, account, name))

    def quota_root(self, account: Account, root: str) -> Awaitable[QuotaRoot | None]:
        return self._database.read(lambda cursor: quota.quota_root(cursor, account, root))

    def url_key(self, account: Account, name: str, *, make: bool) -> Awaitable[bytes | None]:
        name = normal(name)
        if not make:
            return self._database.read(lambda cursor: url_keys.key(cursor, account, name))
        fresh = self._random(url_keys.OCTETS)
        return self._database.write(lambda cursor: url_keys.make_key(cursor, account, name, fresh))

    async def reset_url_keys(self, account: Account, name: str | None) -> None:
        name = None if name is None else normal(name)
        await self._database.write(lambda cursor: url_keys.reset(cursor, account, name))

    def delivery_folder(self, account_id: int, tag: str, sender: Address | None) -> Awaitable[str | None]:
        return self._database.read(lambda cursor: posting.delivery_folder(cursor, account_id, tag, sender))

    # --- what was deleted ---

    async def empty(self, going_on: Callable[[], bool] = lambda: True) -> None:
        """Remove what is in mailboxes that were deleted, slice by slice; `going_on` is asked before each."""
        while going_on() and (found := await self._database.read(removing.hidden)):
            for mailbox_id in found:
                gone = False
                while not gone and going_on():
                    gone = await self._empty_slice(mailbox_id)
                    if not gone:
                        await self._sleep(BETWEEN_SLICES)

    async def _empty_slice(self, mailbox_id: int) -> bool:
        now = int(self._now())
        return await self._freeing(lambda cursor: removing.empty_slice(cursor, mailbox_id, now))

    async def _empty_quietly(self) -> None:
        """At once, and by one at a time; what fails is left to those who come by later."""
        if self._emptying:
            return
        self._emptying = True
        try:
            await self.empty()
        except Refusal as error:
            _log.warn("what was in a deleted mailbox is left for later: {reason}", reason=error.reason)
        except Exception:  # noqa: BLE001 - nobody waits for it, and it is tried again
            _log.failure("what was in a deleted mailbox is left for later")
        finally:
            self._emptying = False

    async def _freeing(self, unit: Unit[T]) -> T:
        """Write what makes room, on a full disk as well."""
        try:
            return await self._database.write_long(unit)
        except StorageFull:
            if not self._reserve.release():
                raise
            return await self._database.write_long(unit)

    # --- accounts ---

    def account_added(self, cursor: Cursor, account_id: int) -> None:
        """Clients expect that the first mailboxes are subscribed to."""
        cursor.run_many("INSERT INTO subscription VALUES (?, ?)", [(account_id, name) for name, _ in FIRST_MAILBOXES])

    def account_closed(self, cursor: Cursor, account_id: int) -> None:
        removing.close_account(cursor, account_id)

    def account_removed(self, cursor: Cursor, account_id: int) -> bool:
        removing.clear_account(cursor, account_id)
        return True

    def domain_quota_set(self, cursor: Cursor, domain_id: int) -> None:
        recount_domain(cursor, domain_id)


def _permit(account: Account, key: str) -> None:
    """Raise `NotPermitted` where an administrator has switched it off for the account."""
    if account.settings.get(key) == "off":
        raise NotPermitted
