"""What the directory asks when it sets a password or a secret."""

from __future__ import annotations

import re
import secrets
from collections.abc import Awaitable

from attrs import frozen
from zope.interface import implementer

from worldmail.auth.passwords import Passwords
from worldmail.auth.server_key import ServerKey
from worldmail.errors import BadValue
from worldmail.interfaces.auth import ICredentialMaker, PasswordCredentials

_SECRET = re.compile(r"[\x21-\x7e]{12,128}")


def secret_purpose(account_id: int) -> str:
    """What a legacy secret is sealed for: it opens as this account's alone."""
    return f"legacy-secret:{account_id}"


@implementer(ICredentialMaker)
@frozen
class CredentialMaker:
    """See `ICredentialMaker`."""

    _passwords: Passwords
    _key: ServerKey

    def from_password(self, password: str) -> Awaitable[PasswordCredentials]:
        """See `ICredentialMaker.from_password`."""
        return self._passwords.make(password)

    def legacy_secret(self, account_id: int, secret: str | None = None) -> tuple[str, bytes]:
        """See `ICredentialMaker.legacy_secret`."""
        shown = secrets.token_urlsafe(18) if secret is None else secret
        if _SECRET.fullmatch(shown) is None:
            raise BadValue("a secret for CRAM-MD5 and APOP has from 12 to 128 visible ASCII characters")
        return shown, self._key.seal(secret_purpose(account_id), shown.encode("ascii"))
