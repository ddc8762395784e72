"""Who is meant by a login."""

from __future__ import annotations

from attrs import frozen

from worldmail.auth.server_key import ServerKey
from worldmail.interfaces.directory import Account, IDirectory
from worldmail.mail.address import Address

_MAXIMUM_LOGIN = 1024


@frozen(kw_only=True)
class LoginName:
    """What a login names.

    Args:
        account: the account, switched off or not; None if there is none.
        counter: what stands for it in the counters, known or not: a keyed digest, for a password is now and then
            typed where the name belongs. Alike for all names that an account has, or would have if there were one.
    """

    account: Account | None
    counter: str


@frozen
class LoginNames:
    """Finds accounts by login: their full address, in any domain of ours or other name of one; or a name alone,
    in the first local domain.
    """

    _directory: IDirectory
    _key: ServerKey

    async def find(self, login: str, authzid: str = "") -> LoginName:
        """What `login` names; nobody if it wants to act as `authzid` and that is another (RFC 4422 §3.4.1)."""
        account, written = await self._account(login)
        if account is not None and authzid:
            other, _ = await self._account(authzid)
            if other is None or other.id != account.id:
                return LoginName(account=None, counter=self._counter(written))
        return LoginName(account=account, counter=self._counter(written))

    async def _account(self, login: str) -> tuple[Account | None, str]:
        try:
            address = Address.parse(login[:_MAXIMUM_LOGIN])
        except ValueError:
            return None, login[:_MAXIMUM_LOGIN].casefold()
        own = await self._directory.own_form(address)
        return await self._directory.account(own), own.key

    def _counter(self, written: str) -> str:
        return self._key.mac("login-name", written.encode("utf-8", "surrogatepass")).hex()[:32]
