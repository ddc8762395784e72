"""What a connection can have of signing in."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve
from twisted.internet.defer import Deferred

from worldmail.interfaces.outbound import Login
from worldmail.interfaces.protocol import Peer
from worldmail.testing.smtp_client import TLS, at_once
from worldmail.wire.client.login import decode_challenge, signing_in
from worldmail.wire.client.means import ClientMeans
from worldmail.wire.sasl.choice import SigningIn
from worldmail.wire.sasl.exchange import ExchangeFailed

MEANS = ClientMeans(promise=Deferred, aside=at_once, nonce=lambda: "nonce")


def ways(*, host: str = "192.0.2.1", login: Login | None = None, **changes: Any) -> SigningIn:
    """Those over a connection to there."""
    peer = Peer(session="c1", host=host, port=25, local_host="192.0.2.9", local_port=40000, **changes)
    return signing_in(login or Login(user="u", password="p"), peer, MEANS)


@pytest.mark.parametrize(
    ("changes", "allowed"),
    [
        ({}, False),
        ({"tls": TLS}, True),
        ({"host": "127.0.0.1"}, True),
        ({"host": "::1"}, True),
        ({"host": "no address"}, False),
        ({"login": Login(user="u", password="p", plaintext=True)}, True),
    ],
)
def test_the_password_goes_over_tls_the_loopback_or_where_that_was_said(changes: dict[str, Any], allowed: bool) -> None:
    assert ways(**changes).plaintext is allowed


def test_only_tls_1_3_is_bound_to() -> None:
    def exporter(name: str) -> bytes | None:
        return b"key" if name == "tls-exporter" else None

    assert ways(tls=TLS, channel_binding=exporter).binding == ("tls-exporter", b"key")
    assert ways(tls=TLS).binding is None
    assert ways(tls=evolve(TLS, version="TLSv1.2"), channel_binding=exporter).binding is None
    assert ways(channel_binding=exporter).binding is None


def test_a_challenge_is_in_base64() -> None:
    assert decode_challenge(b"YWJj") == b"abc"
    assert decode_challenge(b"") == b""
    for wrong in (b"!!", b"YWJ", b"YW Jj"):
        with pytest.raises(ExchangeFailed):
            decode_challenge(wrong)
