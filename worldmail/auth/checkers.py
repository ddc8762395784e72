"""A checker for each kind of credentials.

Whoever has nothing kept, or may not sign in, goes the same way as a wrong password: the same reads, one hash of
the same cost, the same refusal.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from attrs import define, field
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernameHashedPassword, IUsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred
from zope.interface import implementer

from worldmail.auth.credential_maker import secret_purpose
from worldmail.auth.credentials import IScramProof, LegacyLogin, PasswordLogin, ScramLogin
from worldmail.auth.invented import NOBODY, Invented
from worldmail.auth.kept import Kept, has_other_iterations, read_kept, read_scram_key, replace_hash
from worldmail.auth.passwords import MAXIMUM_PASSWORD, Passwords
from worldmail.auth.realm import AvatarId, avatar_id
from worldmail.auth.server_key import ServerKey
from worldmail.errors import WorldMailError
from worldmail.interfaces.database import IDatabase
from worldmail.interfaces.directory import Account
from worldmail.interfaces.world import IJournal

_TRIES = 3


@implementer(ICredentialsChecker)
@define(kw_only=True)
class PasswordChecker:
    """Holds a password against the account's argon2id hash."""

    credentialInterfaces = (IUsernamePassword,)

    _database: IDatabase
    _passwords: Passwords
    _journal: IJournal

    def requestAvatarId(self, credentials: PasswordLogin) -> Deferred[AvatarId]:
        """Fires with the account's avatar id, or fails with `UnauthorizedLogin`."""
        return Deferred.fromCoroutine(self._check(credentials))

    async def _check(self, login: PasswordLogin) -> AvatarId:
        password = login.password.decode("utf-8", "surrogatepass")

        async def fits(kept: Kept | None) -> bool:
            usable = kept is not None and kept.enabled and len(password) <= MAXIMUM_PASSWORD
            against = kept.hash if kept is not None and usable else self._passwords.dummy
            right = await self._passwords.verify(against, password[:MAXIMUM_PASSWORD], preferred=login.preferred)
            return right and usable

        account, kept = await _verified(self._database, login.account, fits)
        Deferred.fromCoroutine(self._keep_up(account.id, kept.hash, password))
        return avatar_id(account)

    async def _keep_up(self, account_id: int, kept: str, password: str) -> None:
        """Make hash and keys anew if the parameters have changed since the password was set."""
        try:
            if self._passwords.outdated(kept) or await self._has_old_keys(account_id):
                made = await self._passwords.make(password)
                await self._database.write(lambda cursor: replace_hash(cursor, account_id, kept, made))
        except WorldMailError as error:
            self._journal.failure("login.password-not-hashed-anew", error)

    async def _has_old_keys(self, account_id: int) -> bool:
        iterations = self._passwords.iterations
        return await self._database.read(lambda cursor: has_other_iterations(cursor, account_id, iterations))


@implementer(ICredentialsChecker)
@define(kw_only=True)
class LegacyChecker:
    """Holds a digest against the account's separate secret (CRAM-MD5, APOP)."""

    credentialInterfaces = (IUsernameHashedPassword,)

    _database: IDatabase
    _key: ServerKey
    _invented: Invented
    _dummy: bytes = field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self._dummy = self._invented.sealed_secret()

    def requestAvatarId(self, credentials: LegacyLogin) -> Deferred[AvatarId]:
        """Fires with the account's avatar id, or fails with `UnauthorizedLogin`."""
        return Deferred.fromCoroutine(self._check(credentials))

    async def _check(self, login: LegacyLogin) -> AvatarId:
        async def fits(kept: Kept | None) -> bool:
            owner, sealed = NOBODY, self._dummy
            if login.account is not None and kept is not None and kept.enabled and kept.sealed is not None:
                owner, sealed = login.account.id, kept.sealed
            try:
                secret = self._key.unseal(secret_purpose(owner), sealed)
            except ValueError:  # sealed for another account, or under another key
                return False
            return login.checkPassword(secret) and owner != NOBODY

        return avatar_id((await _verified(self._database, login.account, fits))[0])


@implementer(ICredentialsChecker)
@define(kw_only=True)
class ScramChecker:
    """Holds a SCRAM proof against the account's key."""

    credentialInterfaces = (IScramProof,)

    _database: IDatabase
    _invented: Invented

    def requestAvatarId(self, credentials: ScramLogin) -> Deferred[AvatarId]:
        """Fires with the account's avatar id, or fails with `UnauthorizedLogin`."""
        return Deferred.fromCoroutine(self._check(credentials))

    async def _check(self, login: ScramLogin) -> AvatarId:
        account_id = NOBODY if login.account is None else login.account.id

        async def fits(kept: Kept | None) -> bool:
            found = await self._database.read(lambda cursor: read_scram_key(cursor, account_id, login.hash_name))
            key = self._invented.scram_key("", login.hash_name) if found is None else found
            return login.check_key(key) and found is not None and kept is not None and kept.enabled

        return avatar_id((await _verified(self._database, login.account, fits))[0])


async def _verified(
    database: IDatabase, account: Account | None, fits: Callable[[Kept | None], Coroutine[Any, Any, bool]]
) -> tuple[Account, Kept]:
    """The account as it is now and what is kept of it, if it still is what the credentials fitted.

    A password may be changed while the old one is being verified: then the new one decides.
    """
    account_id = NOBODY if account is None else account.id
    for _ in range(_TRIES):
        kept = await database.read(lambda cursor: read_kept(cursor, account_id))
        right = await fits(kept)
        if not right or account is None or kept is None:
            break
        now = await database.read(lambda cursor: read_kept(cursor, account_id))
        if now is not None and now.generation == kept.generation:
            return account, kept
    raise UnauthorizedLogin
