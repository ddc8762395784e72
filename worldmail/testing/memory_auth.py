"""Signing in, in memory: passwords in the clear, no throttle, PLAIN, LOGIN and CRAM-MD5."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Awaitable

from attrs import define, field
from zope.interface import implementer

from worldmail.errors import AuthenticationFailed, Refusal
from worldmail.interfaces.auth import Challenge, IAuthentication, ISaslExchange, LoginContext, SignedIn
from worldmail.interfaces.directory import Account
from worldmail.wire.ready import Ready


@implementer(IAuthentication)
@define(kw_only=True)
class MemoryAuthentication:
    """Accounts by their address. `fail` is raised by every login; `contexts` is what was asked from where."""

    known: dict[str, tuple[Account, str]] = field(factory=dict)
    contexts: list[LoginContext] = field(factory=list)
    legacy: bool = False
    fail: Refusal | None = None

    def add(self, account: Account, password: str) -> None:
        """Let this account in with this password."""
        self.known[str(account.address).lower()] = (account, password)

    def mechanisms(self, context: LoginContext) -> tuple[str, ...]:
        """CRAM-MD5 outside TLS if `legacy`; PLAIN and LOGIN where secure."""
        offered = ("PLAIN", "LOGIN") if context.secure else ()
        return (*offered, "CRAM-MD5") if self.legacy and not context.tls else offered

    def begin(self, mechanism: str, context: LoginContext) -> ISaslExchange | None:
        """See `IAuthentication.begin`."""
        self.contexts.append(context)
        if mechanism not in self.mechanisms(context):
            return None
        return {"PLAIN": _Plain, "LOGIN": _Login, "CRAM-MD5": _CramMd5}[mechanism](authentication=self)

    async def password(self, login: str, password: str, context: LoginContext) -> Account:
        """See `IAuthentication.password`."""
        self.contexts.append(context)
        return self.check(login, password)

    async def apop(self, login: str, digest: bytes, stamp: bytes, context: LoginContext) -> Account:
        """See `IAuthentication.apop`."""
        self.contexts.append(context)
        account, password = self._find(login)
        right = hashlib.md5(stamp + password.encode()).hexdigest().encode()
        if account is None or not account.legacy_auth or not hmac.compare_digest(right, digest):
            raise AuthenticationFailed
        return account

    def check(self, login: str, password: str) -> Account:
        """The account, if the password is right."""
        account, right = self._find(login)
        if account is None or not hmac.compare_digest(right.encode(), password.encode()):
            raise AuthenticationFailed
        return account

    def cram(self, login: str, challenge: bytes, digest: str) -> Account:
        """The account, if the digest is right."""
        account, password = self._find(login)
        right = hmac.new(password.encode(), challenge, "md5").hexdigest()
        if account is None or not hmac.compare_digest(right, digest):
            raise AuthenticationFailed
        return account

    def _find(self, login: str) -> tuple[Account | None, str]:
        if self.fail is not None:
            raise self.fail
        return self.known.get(login.lower(), (None, ""))


@define(kw_only=True)
class _Exchange:
    authentication: MemoryAuthentication
    user: str | None = None

    def respond(self, response: bytes | None) -> Awaitable[Challenge | SignedIn]:
        try:
            return Ready(self.step(response))
        except (ValueError, UnicodeDecodeError) as error:
            raise AuthenticationFailed("Malformed response", code=501, enhanced="5.5.2") from error

    def step(self, response: bytes | None) -> Challenge | SignedIn:
        raise AuthenticationFailed


@implementer(ISaslExchange)
class _Plain(_Exchange):
    """RFC 4616."""

    def step(self, response: bytes | None) -> Challenge | SignedIn:
        if response is None:
            return Challenge(b"")
        _, user, password = response.decode().split("\0")
        return SignedIn(self.authentication.check(user, password))


@implementer(ISaslExchange)
class _Login(_Exchange):
    """draft-murchison-sasl-login."""

    def step(self, response: bytes | None) -> Challenge | SignedIn:
        if response is None:
            return Challenge(b"Username:")
        if self.user is None:
            self.user = response.decode()
            return Challenge(b"Password:")
        return SignedIn(self.authentication.check(self.user, response.decode()))


@implementer(ISaslExchange)
class _CramMd5(_Exchange):
    """RFC 2195, always with the same challenge."""

    challenge = b"<1896.697170952@mail.example.test>"

    def step(self, response: bytes | None) -> Challenge | SignedIn:
        if response is None:
            return Challenge(self.challenge)
        user, _, digest = response.decode().rpartition(" ")
        return SignedIn(self.authentication.cram(user, self.challenge, digest))
