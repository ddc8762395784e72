"""The realm: an avatar is the account itself, its id the key of the account's address."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from attrs import frozen
from twisted.cred.error import UnauthorizedLogin
from twisted.cred.portal import IRealm
from twisted.internet.defer import Deferred
from zope.interface import Interface, classImplements, implementer

from worldmail.interfaces.auth import IAccountAvatar
from worldmail.interfaces.directory import Account, IDirectory
from worldmail.mail.address import Address

AvatarId: TypeAlias = bytes | tuple[()]
Avatar: TypeAlias = tuple[type[Interface], object, Callable[[], None]]

classImplements(Account, IAccountAvatar)


def avatar_id(account: Account) -> AvatarId:
    """`Address.key` of the account's own address, in UTF-8."""
    return account.address.key.encode()


@implementer(IRealm)
@frozen
class AccountRealm:
    """Accounts by their avatar id. A logout has nothing to give back."""

    _directory: IDirectory

    def requestAvatar(self, avatarId: AvatarId, mind: object, *interfaces: Any) -> Deferred[Avatar]:
        """See `IRealm.requestAvatar`. Fails with `UnauthorizedLogin` if there is no such account, or it is off."""
        if IAccountAvatar not in interfaces or not isinstance(avatarId, bytes):
            raise TypeError("the avatars of this realm are accounts")
        return Deferred.fromCoroutine(self._find(avatarId))

    async def _find(self, avatar: bytes) -> Avatar:
        local, _, domain = avatar.decode().rpartition("@")
        account = await self._directory.account(Address(local, domain))
        if account is None or not account.enabled:
            raise UnauthorizedLogin
        return IAccountAvatar, account, lambda: None
