"""The kinds of credentials that the portal takes, as twisted.cred has them.

Each says whose they claim to be (`account` as the directory found it, None for nobody we know) and can be held
against what is kept. A checker of another package may serve the interfaces `IUsernamePassword` and
`IUsernameHashedPassword` of twisted.cred in place of ours.
"""

from __future__ import annotations

from collections.abc import Callable

from attrs import define, field
from twisted.cred.credentials import ICredentials, IUsernameHashedPassword, IUsernamePassword
from zope.interface import Attribute, implementer

from worldmail.interfaces.auth import ScramKey
from worldmail.interfaces.directory import Account


class IScramProof(ICredentials):
    """A SCRAM proof (RFC 5802)."""

    account = Attribute("Account | None: whose it claims to be")
    hash_name = Attribute("str: SHA-1 or SHA-256")

    def check_key(key: ScramKey) -> bool:
        """True if the proof fits this key, which is then remembered."""


@implementer(IUsernamePassword)
@define(kw_only=True)
class PasswordLogin:
    """A login with a plaintext password. `preferred` may wait in the longer queue."""

    username: bytes
    password: bytes = field(repr=False)
    account: Account | None
    preferred: bool = False

    def checkPassword(self, password: bytes) -> bool:
        """twisted.cred's way to compare with a plaintext password; nothing of ours is kept as one."""
        raise AssertionError("passwords are kept as hashes alone")


@implementer(IUsernameHashedPassword)
@define(kw_only=True)
class LegacyLogin:
    """A digest made with the account's separate secret: CRAM-MD5, APOP."""

    username: bytes
    account: Account | None
    _proves: Callable[[bytes], bool] = field(repr=False)

    def checkPassword(self, password: bytes) -> bool:
        """True if the digest was made with this secret."""
        return self._proves(password)


@implementer(IScramProof)
@define(kw_only=True)
class ScramLogin:
    """A SCRAM proof. `key` is the one that it fitted."""

    account: Account | None
    hash_name: str
    _proves: Callable[[ScramKey], bool] = field(repr=False)
    key: ScramKey | None = field(default=None, init=False, repr=False)

    def check_key(self, key: ScramKey) -> bool:
        """See `IScramProof.check_key`."""
        if self._proves(key):
            self.key = key
            return True
        return False
