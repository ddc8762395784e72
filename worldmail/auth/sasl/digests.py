"""CRAM-MD5 (RFC 2195) and APOP (RFC 1939 §7): a keyed digest over what the server said.

Both need the secret itself on the server; accounts have one apart from their password for this. MD5 is what these
two protocols are made of; nothing else here rests on it.
"""

from __future__ import annotations

import hashlib
import hmac
import re

from attrs import define, field
from zope.interface import implementer

from worldmail.auth.sasl.exchange import Identities, bounded, malformed, text_of
from worldmail.interfaces.auth import Challenge, ISaslExchange, SignedIn

_HEX_DIGEST = re.compile(rb"[0-9a-f]{32}")


def cram_digest(secret: bytes, challenge: bytes) -> bytes:
    """HMAC-MD5 of the challenge, 32 lower-case hex octets (RFC 2195 §2)."""
    return hmac.new(secret, challenge, "md5").hexdigest().encode("ascii")


def apop_digest(secret: bytes, stamp: bytes) -> bytes:
    """MD5 of the banner's stamp (angle brackets included) and the secret, 32 lower-case hex octets (RFC 1939 §7)."""
    return hashlib.md5(stamp + secret, usedforsecurity=False).hexdigest().encode("ascii")


def is_digest(octets: bytes) -> bool:
    """True for 32 lower-case hex octets."""
    return _HEX_DIGEST.fullmatch(octets) is not None


@implementer(ISaslExchange)
@define
class CramMd5:
    """RFC 2195. `challenge` is a msg-id that was never used before, angle brackets included."""

    _identities: Identities
    _challenge: bytes
    _sent: bool = field(default=False, init=False)

    async def respond(self, response: bytes | None) -> Challenge | SignedIn:
        """See `ISaslExchange.respond`. The server speaks first: an initial response is malformed (RFC 4954 §4)."""
        if not self._sent:
            if response is not None:
                raise malformed("CRAM-MD5 takes no initial response")
            self._sent = True
            return Challenge(self._challenge)
        login, space, digest = bounded(response or b"").rpartition(b" ")
        if not space or not login or not is_digest(digest):
            raise malformed("CRAM-MD5 takes user SP 32 hex digits")
        account = await self._identities.legacy_proof(
            text_of(login), lambda secret: hmac.compare_digest(cram_digest(secret, self._challenge), digest)
        )
        return SignedIn(account)
