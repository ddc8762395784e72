"""Which mechanism to sign in with: the strongest first."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

from attrs import field, frozen

from worldmail.wire.sasl.exchange import Exchange
from worldmail.wire.sasl.plain import CramMd5, Login, Plain
from worldmail.wire.sasl.scram import Aside, Scram


@frozen(kw_only=True)
class SigningIn:
    """Who signs in, and over what.

    Args:
        user, password: as the server knows them.
        plaintext: the password itself may be sent on this connection.
        binding: the name and the octets of a channel binding, None if the connection has none.
        nonce: makes visible ASCII without a comma that was never used before.
        aside: runs what takes long.
    """

    user: str
    password: str = field(repr=False)
    plaintext: bool
    binding: tuple[str, bytes] | None
    nonce: Callable[[], str]
    aside: Aside

    def exchanges(self, offered: Collection[str]) -> Iterator[Exchange]:
        """An exchange for each of the offered mechanisms (upper case) that can be used, the strongest first."""
        # "y" would be a lie where any -PLUS is offered (RFC 5802 §6).
        unbound = None if any(name.endswith("-PLUS") for name in offered) else self.binding
        for hash_name in ("SHA-256", "SHA-1"):
            if self.binding is not None and f"SCRAM-{hash_name}-PLUS" in offered:
                yield self._scram(hash_name, self.binding, plus=True)
            elif f"SCRAM-{hash_name}" in offered:
                yield self._scram(hash_name, unbound, plus=False)
        if "CRAM-MD5" in offered:
            yield CramMd5(self.user, self.password)
        if self.plaintext and "PLAIN" in offered:
            yield Plain(self.user, self.password)
        if self.plaintext and "LOGIN" in offered:
            yield Login(self.user, self.password)

    def _scram(self, hash_name: str, binding: tuple[str, bytes] | None, *, plus: bool) -> Scram:
        return Scram(
            hash_name=hash_name,
            user=self.user,
            password=self.password,
            nonce=self.nonce(),
            binding=binding,
            plus=plus,
            aside=self.aside,
        )
