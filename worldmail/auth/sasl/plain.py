"""PLAIN (RFC 4616) and LOGIN: a password in the clear, under TLS.

message   = [authzid] UTF8NUL authcid UTF8NUL passwd          RFC 4616 §2
"""

from __future__ import annotations

from attrs import define
from zope.interface import implementer

from worldmail.auth.sasl.exchange import Identities, bounded, malformed, text_of
from worldmail.interfaces.auth import Challenge, ISaslExchange, SignedIn


@implementer(ISaslExchange)
@define
class Plain:
    """RFC 4616: one message from the client."""

    _identities: Identities

    async def respond(self, response: bytes | None) -> Challenge | SignedIn:
        """See `ISaslExchange.respond`."""
        if response is None:
            return Challenge(b"")
        parts = bounded(response).split(b"\0")
        if len(parts) != 3 or not parts[1] or not parts[2]:
            raise malformed("PLAIN takes [authzid] NUL authcid NUL passwd")
        authzid, login, password = map(text_of, parts)
        return SignedIn(await self._identities.password(login, password, authzid))


@implementer(ISaslExchange)
@define
class Login:
    """LOGIN, which never became an RFC: the name, then the password (draft-murchison-sasl-login-00)."""

    _identities: Identities
    _login: str | None = None

    async def respond(self, response: bytes | None) -> Challenge | SignedIn:
        """See `ISaslExchange.respond`. The name may come as the initial response."""
        if self._login is None:
            if response is None:
                return Challenge(b"Username:")
            self._login = text_of(bounded(response))
            return Challenge(b"Password:")
        if response is None:
            raise malformed("LOGIN waits for the password")
        return SignedIn(await self._identities.password(self._login, text_of(bounded(response))))
