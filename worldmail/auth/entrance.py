"""The way of one login: who is meant, may he guess now, are the credentials right.

Whatever was wrong, the answer is the same `AuthenticationFailed`, after the same work and the same delay.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from attrs import define, field, frozen
from twisted.cred.credentials import ICredentials
from twisted.cred.error import UnauthorizedLogin
from twisted.cred.portal import Portal

from worldmail.auth.credentials import LegacyLogin, PasswordLogin, ScramLogin
from worldmail.auth.invented import NOBODY, Invented
from worldmail.auth.kept import read_scram_key
from worldmail.auth.logins import RecentLogins
from worldmail.auth.names import LoginName, LoginNames
from worldmail.auth.throttle import Attempt, Throttle
from worldmail.errors import AuthenticationDelayed, AuthenticationFailed, Refusal
from worldmail.interfaces.auth import IAccountAvatar, LoginContext, ScramKey
from worldmail.interfaces.database import IDatabase
from worldmail.interfaces.directory import Account
from worldmail.interfaces.world import IClock, IJournal
from worldmail.wire.ready import Ready

C = TypeVar("C", bound=ICredentials)

_LOGGED = 256  # characters of a login in the log


@frozen
class Caller:
    """Who asks, as the log names it: the connection and the mechanism's name."""

    context: LoginContext
    mechanism: str


@define(kw_only=True)
class Entrance:
    """See the module's text. Each login leaves one record, `login` or `login.refused`, with nothing secret in it."""

    _database: IDatabase
    _clock: IClock
    _journal: IJournal
    _names: LoginNames
    _throttle: Throttle
    _portal: Portal
    _recent: RecentLogins
    _invented: Invented
    followers: list[Callable[[Account, LoginContext], object]] = field(factory=list, init=False)

    def password(self, caller: Caller, login: str, password: str, authzid: str = "") -> Awaitable[Account]:
        """The account, if the password is right; at once and without the database if it was verified lately."""
        context = caller.context
        login = login.replace("\0", "\ufffd")
        fingerprint = self._recent.fingerprint(context.service, login, password)
        if not authzid:
            found = self._recent.verified(fingerprint, self._clock.seconds())
            if found is not None and self._throttle.is_open(context.client, found.counter, found.account.id):
                self._record_login(caller, found.account)
                return Ready(found.account)
        return self._password(caller, login, password, authzid, fingerprint)

    async def scram_key(self, login: str, hash_name: str) -> ScramKey:
        """The account's key, or one invented for the name. Nothing is guessed yet, so no limit is asked."""
        name = await self._names.find(login)
        account_id = _id(name.account)
        found = await self._database.read(lambda cursor: read_scram_key(cursor, account_id, hash_name))
        invented = self._invented.scram_key(name.counter, hash_name)
        return invented if found is None else found

    async def scram_proof(
        self, caller: Caller, login: str, hash_name: str, authzid: str, proves: Callable[[ScramKey], bool]
    ) -> tuple[Account, ScramKey]:
        """The account and its key, if the proof fits it."""
        name = await self._names.find(login, authzid)
        attempt = await self._enter(caller, name)
        credentials = ScramLogin(account=name.account, hash_name=hash_name, proves=proves)
        account = await self._settle(caller, login, attempt, credentials)
        assert credentials.key is not None
        return account, credentials.key

    async def legacy_proof(self, caller: Caller, login: str, proves: Callable[[bytes], bool]) -> Account:
        """The account, if the digest was made with its separate secret."""
        name = await self._names.find(login)
        attempt = await self._enter(caller, name)
        credentials = LegacyLogin(username=_octets(login), account=name.account, proves=proves)
        return await self._settle(caller, login, attempt, credentials)

    async def _password(self, caller: Caller, login: str, password: str, authzid: str, fingerprint: bytes) -> Account:
        epoch = self._recent.epoch
        name = await self._names.find(login, authzid)
        attempt = await self._enter(caller, name)
        found = None if attempt.hopeless else self._recent.verified(fingerprint, self._clock.seconds())
        if found is not None and name.account is not None and found.account.id == name.account.id:
            attempt.succeeded()
            self._record_login(caller, found.account)
            return found.account
        refused = self._refused_print(caller, attempt, login, password, fingerprint)
        if any(self._recent.was_wrong(each, name.account) for each in (fingerprint, refused)):
            attempt.forget()
            await self._refuse(caller, login, attempt)
        credentials = PasswordLogin(
            username=_octets(login), password=_octets(password), account=name.account, preferred=attempt.preferred
        )
        try:
            account = await self._settle(caller, login, attempt, credentials)
        except (AuthenticationFailed, AuthenticationDelayed):
            if attempt.counted:
                self._recent.note_wrong(refused, name.account)
            raise
        if epoch == self._recent.epoch:  # else an account changed since the look at it
            self._recent.keep(fingerprint, account, name.counter, self._clock.seconds())
        return account

    def _refused_print(self, caller: Caller, attempt: Attempt, login: str, password: str, fingerprint: bytes) -> bytes:
        """What the guess is remembered by once it is refused.

        Over a limit one of its own: what was not verified may be right another time, and may not count twice either.
        """
        if not attempt.over:
            return fingerprint
        kind = "unverified" if attempt.hopeless else "verified"
        return self._recent.fingerprint(f"{caller.context.service} {kind}", login, password)

    async def _enter(self, caller: Caller, name: LoginName) -> Attempt:
        return await self._throttle.enter(caller.context.client, name.counter, _id(name.account))

    async def _settle(self, caller: Caller, login: str, attempt: Attempt, credentials: ICredentials) -> Account:
        """Ask the portal; tell the throttle how it ended. A try given up in the middle counts as a failure."""
        try:
            if attempt.hopeless:
                raise UnauthorizedLogin
            _, account, _ = await self._portal.login(credentials, None, IAccountAvatar)
            attempt.succeeded()
        except UnauthorizedLogin:
            attempt.failed()
            await self._refuse(caller, login, attempt)
        except Refusal as refusal:
            attempt.forget()
            if attempt.over:
                await self._refuse(caller, login, attempt)
            self._record_refusal(caller, login, refusal)
            raise
        finally:
            attempt.failed()
        assert isinstance(account, Account)
        self._record_login(caller, account)
        return account

    async def _refuse(self, caller: Caller, login: str, attempt: Attempt) -> None:
        refusal = AuthenticationDelayed(reason=attempt.over) if attempt.over else AuthenticationFailed()
        self._record_refusal(caller, login, refusal)
        await attempt.delay()
        raise refusal

    def _record_login(self, caller: Caller, account: Account) -> None:
        context = caller.context
        self._journal.record(
            "login",
            session=context.session,
            service=context.service,
            client=context.client,
            mechanism=caller.mechanism,
            account=str(account.address),
        )
        for heard in self.followers:
            heard(account, context)

    def _record_refusal(self, caller: Caller, login: str, refusal: Refusal) -> None:
        context = caller.context
        self._journal.record(
            "login.refused",
            session=context.session,
            service=context.service,
            client=context.client,
            mechanism=caller.mechanism,
            login=login[:_LOGGED],
            reason=refusal.reason or refusal.reply_text,
        )


def _id(account: Account | None) -> int:
    return NOBODY if account is None else account.id


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
