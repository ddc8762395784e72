"""SCRAM-SHA-1 (RFC 5802), SCRAM-SHA-256 (RFC 7677) and their -PLUS forms, the client's side.

    server-first-message = [reserved-mext ","] "r=" nonce "," "s=" salt "," "i=" iteration-count ["," extensions]
    server-final-message = ("e=" server-error-value / "v=" base64) ["," extensions]           RFC 5802 §7

The server proves itself with its last message: without that its success is none (RFC 5802 §5).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Awaitable, Callable
from typing import Any

from attrs import define, field

from worldmail.wire.sasl.exchange import MAXIMUM_CHALLENGE, ExchangeFailed
from worldmail.wire.sasl.saslprep import saslprep

Aside = Callable[[Callable[[], Any]], Awaitable[Any]]

MINIMUM_ITERATIONS = 4096  # RFC 7677 §4
MAXIMUM_ITERATIONS = 2_000_000
"""A server that asks for more wants to keep us busy: some seconds of work."""

_HASHES = {"SHA-256": "sha256", "SHA-1": "sha1"}
_FIRST = re.compile(
    rb"r=(?P<nonce>[\x21-\x2b\x2d-\x7e]{1,1024}),s=(?P<salt>[A-Za-z0-9+/=]+),i=(?P<count>[1-9][0-9]{0,9})"
    rb"(?:,[A-Za-z]=[^,]*)*"
)
_FINAL = re.compile(rb"v=(?P<signature>[A-Za-z0-9+/=]+)(?:,[A-Za-z]=[^,]*)*")


@define(kw_only=True)
class Scram:
    """One exchange.

    Args:
        hash_name: "SHA-1" or "SHA-256".
        user, password: as the server knows them.
        nonce: visible ASCII without a comma, never used before.
        binding: the name and the octets of a channel binding; None if the connection has none.
        plus: the mechanism is the -PLUS form. Not so though there is a `binding`: the server did not offer it.
        aside: runs what takes long; the password's key does.
    """

    hash_name: str
    _user: str = field(alias="user")
    _password: str = field(alias="password", repr=False)
    _nonce: str = field(alias="nonce")
    _binding: tuple[str, bytes] | None = field(alias="binding")
    _plus: bool = field(alias="plus")
    _aside: Aside = field(alias="aside")
    _step: Callable[[bytes], Awaitable[bytes]] = field(init=False)
    _bare: bytes = field(default=b"", init=False)
    _signature: bytes = field(default=b"", init=False, repr=False)
    mechanism: str = field(init=False)
    proven: bool = field(default=False, init=False)
    speaks_first: bool = field(default=True, init=False)

    def __attrs_post_init__(self) -> None:
        self.mechanism = f"SCRAM-{self.hash_name}{'-PLUS' if self._plus else ''}"
        self._step = self._begin

    async def respond(self, challenge: bytes) -> bytes:
        """See `Exchange.respond`."""
        if len(challenge) > MAXIMUM_CHALLENGE:
            raise ExchangeFailed("a challenge that is too long")
        step, self._step = self._step, self._over
        return await step(challenge)

    @property
    def _header(self) -> str:
        """gs2-header (RFC 5802 §6): "y" tells the server that we could bind and did not see it offer that."""
        if self._binding is None:
            return "n,,"
        return f"p={self._binding[0]},," if self._plus else "y,,"

    async def _begin(self, challenge: bytes) -> bytes:
        name = _prepared(self._user).replace("=", "=3D").replace(",", "=2C")
        self._bare = f"n={name},r={self._nonce}".encode()
        self._step = self._prove
        return self._header.encode() + self._bare

    async def _prove(self, challenge: bytes) -> bytes:
        match = _FIRST.fullmatch(challenge)
        if match is None or not match["nonce"].startswith(self._nonce.encode()):
            raise ExchangeFailed("not the first message of a SCRAM server")
        count, salt = int(match["count"]), _decoded(match["salt"])
        if not MINIMUM_ITERATIONS <= count <= MAXIMUM_ITERATIONS:
            raise ExchangeFailed(f"the server asks for {count} iterations")
        bound = self._binding[1] if self._plus and self._binding is not None else b""
        channel = base64.b64encode(self._header.encode() + bound)
        unproven = b"c=" + channel + b",r=" + match["nonce"]
        proof = await self._aside(lambda: self._proof(salt, count, b",".join((self._bare, challenge, unproven))))
        self._step = self._check
        return unproven + b",p=" + base64.b64encode(proof)

    def _proof(self, salt: bytes, count: int, message: bytes) -> bytes:
        """ClientProof; what the server must answer is kept (RFC 5802 §3)."""
        algorithm = _HASHES[self.hash_name]
        salted = hashlib.pbkdf2_hmac(algorithm, _prepared(self._password).encode(), salt, count)
        client_key = hmac.digest(salted, b"Client Key", algorithm)
        signature = hmac.digest(hashlib.new(algorithm, client_key).digest(), message, algorithm)
        self._signature = hmac.digest(hmac.digest(salted, b"Server Key", algorithm), message, algorithm)
        return bytes(one ^ other for one, other in zip(client_key, signature, strict=True))

    async def _check(self, challenge: bytes) -> bytes:
        match = _FINAL.fullmatch(challenge)
        if match is None or not hmac.compare_digest(_decoded(match["signature"]), self._signature):
            raise ExchangeFailed("the server did not prove that it knows the password")
        self.proven = True
        return b""

    async def _over(self, challenge: bytes) -> bytes:
        raise ExchangeFailed("the server asks for more than the mechanism has")


def _decoded(text: bytes) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise ExchangeFailed("bad base64 in a SCRAM message") from None


def _prepared(text: str) -> str:
    try:
        return saslprep(text)
    except ValueError:
        raise ExchangeFailed("SASLprep refuses the name or the password") from None
