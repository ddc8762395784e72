"""Signing in to a server: what a connection can have of that."""

from __future__ import annotations

import base64
import binascii
import ipaddress
from typing import Protocol

from worldmail.wire.client.channel import ClientPeer
from worldmail.wire.client.means import ClientMeans
from worldmail.wire.sasl.choice import SigningIn
from worldmail.wire.sasl.exchange import ExchangeFailed


class Credentials(Protocol):
    """Whom to sign in as. `plaintext`: the password itself may be sent without TLS to others than the loopback too."""

    @property
    def user(self) -> str:
        """Its name there."""

    @property
    def password(self) -> str:
        """Its password there."""

    @property
    def plaintext(self) -> bool:
        """See above."""


def signing_in(login: Credentials, peer: ClientPeer, means: ClientMeans) -> SigningIn:
    """The ways on this connection. The password itself goes over TLS, or where that was said to be right."""
    return SigningIn(
        user=login.user,
        password=login.password,
        plaintext=peer.tls is not None or login.plaintext or _is_loopback(peer.host),
        binding=_binding(peer),
        nonce=means.nonce,
        aside=means.aside,
    )


def decode_challenge(text: bytes) -> bytes:
    """A challenge as it came (RFC 4422 §4). Raises `ExchangeFailed`."""
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise ExchangeFailed("a challenge that is not in base64") from None


def _binding(peer: ClientPeer) -> tuple[str, bytes] | None:
    """What TLS 1.3 binds to (RFC 9266 §3); older versions do without."""
    if peer.tls is None or peer.tls.version != "TLSv1.3":
        return None
    octets = peer.channel_binding("tls-exporter")
    return None if octets is None else ("tls-exporter", octets)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
