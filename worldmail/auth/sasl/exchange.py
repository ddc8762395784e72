"""What all mechanisms share: whom they ask, and how a malformed response is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from worldmail.errors import AuthenticationFailed
from worldmail.interfaces.auth import ScramKey
from worldmail.interfaces.directory import Account

MAXIMUM_RESPONSE = 8192


class Identities(Protocol):
    """What a mechanism may ask. A login is what the client sent: an account's address, or an unqualified name.

    An unknown login, an account that is switched off and one that lacks what the mechanism needs are answered
    like a wrong password, after the same work. `authzid` is the identity to act as: "" or the account's own.

    All but `scram_key` raise `AuthenticationFailed`; all raise `AuthenticationDelayed` and `TemporaryFailure`.
    """

    async def password(self, login: str, password: str, authzid: str = "") -> Account:
        """The account, if the password is right."""

    async def scram_key(self, login: str, hash_name: str) -> ScramKey:
        """The account's key for this hash; for an account without one an invented key, always the same."""

    async def scram_proof(
        self, login: str, hash_name: str, authzid: str, proves: Callable[[ScramKey], bool]
    ) -> tuple[Account, ScramKey]:
        """The account and its key, if `proves` says True of the key."""

    async def legacy_proof(self, login: str, proves: Callable[[bytes], bool]) -> Account:
        """The account, if `proves` says True of its separate secret (CRAM-MD5, APOP)."""


def malformed(reason: str) -> AuthenticationFailed:
    """The response breaks the mechanism's grammar: 501 5.5.2 (RFC 4954 §4)."""
    return AuthenticationFailed("Malformed authentication response", reason=reason, code=501, enhanced="5.5.2")


def text_of(octets: bytes) -> str:
    """UTF-8 text with no NUL in it, or `malformed`."""
    try:
        text = octets.decode()
    except UnicodeDecodeError:
        raise malformed("not UTF-8") from None
    if "\0" in text:
        raise malformed("NUL in text")
    return text


def bounded(response: bytes) -> bytes:
    """The response, or `malformed` if no honest one is that long."""
    if len(response) > MAXIMUM_RESPONSE:
        raise malformed("response too long")
    return response
