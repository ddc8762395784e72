"""SCRAM-SHA-1 (RFC 5802), SCRAM-SHA-256 (RFC 7677) and their -PLUS forms, the server's side.

    C: client-first      gs2-header n=user,r=cnonce
    S: server-first      r=cnonce snonce,s=salt,i=count
    C: client-final      c=channel binding,r=cnonce snonce,p=proof
    S: server-final      v=signature
    C: (empty)

The last, empty response is there because the protocols carry no data with their success (RFC 4954 §4).
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable

from attrs import define, field, frozen
from zope.interface import implementer

from worldmail.auth.sasl.exchange import Identities, malformed
from worldmail.auth.sasl.scram_keys import proves, server_signature
from worldmail.auth.sasl.scram_messages import ClientFirst, encode, read_client_final, read_client_first
from worldmail.errors import AuthenticationFailed
from worldmail.interfaces.auth import Challenge, ISaslExchange, SignedIn
from worldmail.interfaces.directory import Account
from worldmail.wire.sasl.saslprep import saslprep

BINDINGS = ("tls-exporter", "tls-unique", "tls-server-end-point")  # RFC 9266, RFC 5929


@frozen(kw_only=True)
class Channel:
    """What the connection can bind to.

    Args:
        plus: True if the mechanism that was chosen is a -PLUS form.
        plus_offered: True if -PLUS forms are offered on this connection.
        binding: the octets of a binding, None if the connection cannot give them.
    """

    plus: bool
    plus_offered: bool
    binding: Callable[[str], bytes | None]


@implementer(ISaslExchange)
@define(kw_only=True)
class Scram:
    """One exchange.

    Args:
        identities: whom to ask.
        hash_name: "SHA-1" or "SHA-256".
        channel: what the connection can bind to.
        nonce: our part of the nonce, visible ASCII without a comma, never used before.
    """

    _identities: Identities
    _hash_name: str
    _channel: Channel
    _nonce: str
    _first: ClientFirst | None = field(default=None, init=False)
    _server_first: str = field(default="", init=False)
    _account: Account | None = field(default=None, init=False)
    _step: Callable[[bytes | None], Awaitable[Challenge | SignedIn]] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._step = self._take_first

    async def respond(self, response: bytes | None) -> Challenge | SignedIn:
        """See `ISaslExchange.respond`."""
        step, self._step = self._step, self._over
        return await step(response)

    async def _take_first(self, response: bytes | None) -> Challenge:
        if response is None:
            self._step = self._take_first
            return Challenge(b"")
        first = read_client_first(response)
        self._check_flag(first)
        key = await self._identities.scram_key(_prepared(first.name), self._hash_name)
        self._server_first = f"r={first.nonce}{self._nonce},s={encode(key.salt)},i={key.iterations}"
        self._first, self._step = first, self._take_final
        return Challenge(self._server_first.encode())

    def _check_flag(self, first: ClientFirst) -> None:
        """RFC 5802 §6: "y" where -PLUS was offered means that somebody hid the offer from the client."""
        if first.flag == "y" and self._channel.plus_offered:
            raise AuthenticationFailed(reason="the offer of channel binding did not reach the client")
        if (first.flag == "p") is not self._channel.plus:
            raise AuthenticationFailed(reason="the channel binding flag does not fit the mechanism")
        if first.binding is not None and first.binding not in BINDINGS:
            raise AuthenticationFailed(reason="unsupported channel binding type")

    async def _take_final(self, response: bytes | None) -> Challenge:
        first, final = self._first, read_client_final(response or b"")
        assert first is not None
        if not hmac.compare_digest(final.nonce, first.nonce + self._nonce):
            raise AuthenticationFailed(reason="the nonce is not the one of this exchange")
        if not hmac.compare_digest(final.channel, self._expected_channel(first)):
            raise AuthenticationFailed(reason="the channel binding does not match")
        message = f"{first.bare},{self._server_first},{final.unproven}".encode()
        self._account, key = await self._identities.scram_proof(
            _prepared(first.name), self._hash_name, first.authzid, lambda key: proves(key, message, final.proof)
        )
        self._step = self._take_end
        return Challenge(f"v={encode(server_signature(key, message))}".encode())

    def _expected_channel(self, first: ClientFirst) -> bytes:
        header = first.gs2.encode()
        if first.binding is None:
            return header
        octets = self._channel.binding(first.binding)
        if octets is None:
            raise AuthenticationFailed(reason="this connection has no such channel binding")
        return header + octets

    async def _take_end(self, response: bytes | None) -> SignedIn:
        if response:
            raise malformed("SCRAM ends with an empty response")
        assert self._account is not None
        return SignedIn(self._account)

    async def _over(self, response: bytes | None) -> Challenge | SignedIn:
        raise malformed("the exchange is over")


def _prepared(name: str) -> str:
    """RFC 5802 §5.1: a name that cannot be prepared fails the exchange."""
    try:
        prepared = saslprep(name, stored=False)
    except ValueError:
        prepared = ""
    if not prepared:
        raise AuthenticationFailed(reason="the name cannot be prepared")
    return prepared
