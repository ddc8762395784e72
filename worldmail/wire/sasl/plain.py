"""PLAIN (RFC 4616), LOGIN and CRAM-MD5 (RFC 2195), the client's side.

message   = [authzid] UTF8NUL authcid UTF8NUL passwd          RFC 4616 §2
"""

from __future__ import annotations

import hmac

from attrs import define, field

from worldmail.wire.sasl.exchange import MAXIMUM_CHALLENGE, ExchangeFailed


@define
class Plain:
    """RFC 4616: one message. To be sent under TLS."""

    _user: str
    _password: str = field(repr=False)
    mechanism: str = field(default="PLAIN", init=False)
    proven: bool = field(default=True, init=False)
    speaks_first: bool = field(default=True, init=False)

    async def respond(self, challenge: bytes) -> bytes:
        """The message."""
        if "\0" in self._user or "\0" in self._password:
            raise ExchangeFailed("PLAIN cannot carry a NUL")
        return b"\0".join((b"", self._user.encode(), self._password.encode()))


@define
class Login:
    """LOGIN (draft-murchison-sasl-login-00): the name, then the password, whatever the prompts say. Under TLS."""

    _user: str
    _password: str = field(repr=False)
    _asked: int = field(default=0, init=False)
    mechanism: str = field(default="LOGIN", init=False)
    proven: bool = field(default=True, init=False)
    speaks_first: bool = field(default=False, init=False)

    async def respond(self, challenge: bytes) -> bytes:
        """The name to the first prompt, the password to the second."""
        self._asked += 1
        if self._asked > 2:
            raise ExchangeFailed("the server asks for more than a name and a password")
        return (self._user if self._asked == 1 else self._password).encode()


@define
class CramMd5:
    """RFC 2195 §2: the keyed digest of the server's challenge."""

    _user: str
    _password: str = field(repr=False)
    _asked: bool = field(default=False, init=False)
    mechanism: str = field(default="CRAM-MD5", init=False)
    proven: bool = field(default=True, init=False)
    speaks_first: bool = field(default=False, init=False)

    async def respond(self, challenge: bytes) -> bytes:
        """The name and the digest."""
        if self._asked or not challenge or len(challenge) > MAXIMUM_CHALLENGE:
            raise ExchangeFailed("not a challenge of CRAM-MD5")
        self._asked = True
        digest = hmac.new(self._password.encode(), challenge, "md5").hexdigest()
        return f"{self._user} {digest}".encode()
