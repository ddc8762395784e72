"""Passwords: argon2id (RFC 9106), verified and made in threads.

A password is compared in the form of RFC 8265's OpaqueString: other spaces become a space, then NFC; case and
width stay. (SCRAM prepares it by SASLprep, see `worldmail.wire.sasl.saslprep`; a new password must suit both.)
"""

from __future__ import annotations

import base64
import os
import secrets
import unicodedata
from collections.abc import Awaitable
from typing import Any

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

from worldmail.auth.pool import HashingPool
from worldmail.auth.sasl.scram_keys import HASHES, derive
from worldmail.config.settings import AuthSettings
from worldmail.errors import BadValue
from worldmail.interfaces.auth import PasswordCredentials
from worldmail.wire.sasl.saslprep import saslprep

MAXIMUM_PASSWORD = 1024  # characters; what is longer is not looked at
_SALT_OCTETS = 16
_HASH_OCTETS = 32


class Passwords:
    """Makes and verifies what is kept of passwords.

    Args:
        reactor: takes the results of the threads.
        settings: the parameters of argon2id and SCRAM, the number of threads and the length of the queue.

    Attributes:
        dummy: a hash that no password is known for.
        iterations: what new SCRAM keys are made with.
    """

    def __init__(self, reactor: Any, settings: AuthSettings) -> None:
        threads = min(settings.hashing_threads, os.cpu_count() or 1)
        self._pool = HashingPool(reactor, threads, settings.hashing_queue)
        self.iterations = settings.scram_iterations
        self._hasher = PasswordHasher(
            time_cost=settings.argon2_time,
            memory_cost=max(settings.argon2_memory // 1024, 8 * settings.argon2_lanes),
            parallelism=settings.argon2_lanes,
            hash_len=_HASH_OCTETS,
            salt_len=_SALT_OCTETS,
            type=Type.ID,
        )
        self.dummy = self._unmatched()

    def verify(self, kept: str, password: str, *, preferred: bool) -> Awaitable[bool]:
        """Whether the hash is this password's. Verifying `dummy` costs the same and is never True.

        Raises: `AuthenticationDelayed` if too much is waiting (`preferred` waits in the longer queue).
        """
        return self._pool.run(lambda: self._verify(kept, password), preferred=preferred)

    def make(self, password: str) -> Awaitable[PasswordCredentials]:
        """What is to be kept of a new password. Raises `BadValue` if it can be no password."""
        check_password(password)
        return self._pool.run(lambda: self._make(password), preferred=True)

    def outdated(self, kept: str) -> bool:
        """True if the hash was made with other parameters than today's."""
        try:
            return self._hasher.check_needs_rehash(kept)
        except InvalidHashError:
            return True

    def stop(self) -> None:
        """Wait for the threads and end them."""
        self._pool.stop()

    def _verify(self, kept: str, password: str) -> bool:
        try:
            return self._hasher.verify(kept, opaque(password))
        except (VerificationError, InvalidHashError):
            return False

    def _make(self, password: str) -> PasswordCredentials:
        return PasswordCredentials(
            hash=self._hasher.hash(opaque(password)),
            scram=tuple(derive(password, secrets.token_bytes(_SALT_OCTETS), self.iterations, name) for name in HASHES),
        )

    def _unmatched(self) -> str:
        """A hash of nothing: it is as much work to verify as any, and no password is known for it."""
        parameters = self._hasher
        salt, tag = (
            base64.b64encode(secrets.token_bytes(octets)).rstrip(b"=").decode("ascii")
            for octets in (_SALT_OCTETS, _HASH_OCTETS)
        )
        costs = f"m={parameters.memory_cost},t={parameters.time_cost},p={parameters.parallelism}"
        return f"$argon2id$v=19${costs}${salt}${tag}"


def opaque(password: str) -> bytes:
    """The octets that are hashed (RFC 8265 §4.2.2)."""
    if password.isascii():
        return password.encode()
    spaced = "".join(" " if unicodedata.category(each) == "Zs" else each for each in password)
    return unicodedata.normalize("NFC", spaced).encode("utf-8", "surrogatepass")


def check_password(password: str) -> None:
    """Raise `BadValue` unless every mechanism could send this password (RFC 4013, RFC 8265 §4.2)."""
    if not 0 < len(password) <= MAXIMUM_PASSWORD:
        raise BadValue(f"a password has from 1 to {MAXIMUM_PASSWORD} characters")
    try:
        prepared = saslprep(password)
    except ValueError as error:
        raise BadValue(f"the password has {error} (RFC 4013)") from None
    if not prepared:
        raise BadValue("nothing is left of the password once it is prepared (RFC 4013)")
