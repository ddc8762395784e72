"""The client's side of the SASL mechanisms: vectors of the RFCs, our own server's side, servers that lie."""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from worldmail.auth.sasl.digests import cram_digest
from worldmail.auth.sasl.scram import Channel
from worldmail.auth.sasl.scram import Scram as ServerScram
from worldmail.auth.sasl.scram_keys import derive
from worldmail.errors import AuthenticationFailed
from worldmail.interfaces.auth import Challenge, SignedIn
from worldmail.interfaces.directory import Account
from worldmail.mail.address import Address
from worldmail.testing.feeding import settle
from worldmail.wire.ready import Ready
from worldmail.wire.sasl.choice import SigningIn
from worldmail.wire.sasl.exchange import MAXIMUM_CHALLENGE, ExchangeFailed
from worldmail.wire.sasl.plain import CramMd5, Login, Plain
from worldmail.wire.sasl.scram import Scram

BINDING = ("tls-exporter", b"\1" * 32)
ALL = ("PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256")
ACCOUNT = Account(
    id=1,
    address=Address("user", "example.test"),
    name="",
    enabled=True,
    generation=1,
    quota=None,
    max_message=None,
    legacy_auth=False,
)


def at_once(work: Callable[[], Any]) -> Awaitable[Any]:
    """Does the work."""
    return Ready(work())


def scram(**changes: Any) -> Scram:
    values: dict[str, Any] = {
        "hash_name": "SHA-256",
        "user": "user",
        "password": "pencil",
        "nonce": "rOprNGfwEbeRWgbNEkqO",
        "binding": None,
        "plus": False,
        "aside": at_once,
    }
    return Scram(**{**values, **changes})


def signing_in(**changes: Any) -> SigningIn:
    values: dict[str, Any] = {
        "user": "user",
        "password": "pencil",
        "plaintext": True,
        "binding": None,
        "nonce": lambda: "nonce",
        "aside": at_once,
    }
    return SigningIn(**{**values, **changes})


class Book:
    """One user and his keys."""

    async def scram_key(self, login: str, hash_name: str) -> Any:
        return derive("pencil", b"salt", 4096, hash_name)

    async def scram_proof(self, login: str, hash_name: str, authzid: str, proves: Any) -> Any:
        key = derive("pencil", b"salt", 4096, hash_name)
        if not proves(key):
            raise AuthenticationFailed
        return ACCOUNT, key


def test_the_example_of_RFC_7677() -> None:
    client = scram()
    assert settle(client.respond(b"")) == b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
    first = b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
    final = (
        b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
    )
    assert settle(client.respond(first)) == final
    assert not client.proven
    assert settle(client.respond(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")) == b""
    assert client.proven


def test_the_example_of_RFC_5802() -> None:
    client = scram(hash_name="SHA-1", nonce="fyko+d2lbbFgONRv9qkxdawL")
    assert settle(client.respond(b"")) == b"n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL"
    first = b"r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096"
    final = b"c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts="
    assert settle(client.respond(first)) == final
    settle(client.respond(b"v=rmF9pqV8S7suAoZWja4dJRkFsKQ="))
    assert client.proven


@pytest.mark.parametrize("hash_name", ["SHA-1", "SHA-256"])
@pytest.mark.parametrize(("binding", "plus"), [(None, False), (BINDING, True), (BINDING, False)])
def test_scram_meets_our_server(hash_name: str, binding: Any, plus: bool) -> None:
    client = scram(hash_name=hash_name, binding=binding, plus=plus)
    channel = Channel(plus=plus, plus_offered=plus, binding=lambda name: b"\1" * 32)
    server = ServerScram(identities=Book(), hash_name=hash_name, channel=channel, nonce="server")
    response = settle(client.respond(b""))
    for _ in range(2):
        challenge = settle(server.respond(response))
        assert isinstance(challenge, Challenge)
        response = settle(client.respond(challenge.data))
    assert client.proven
    assert settle(server.respond(response)) == SignedIn(ACCOUNT)


def test_a_hidden_offer_of_binding_is_told_to_the_server() -> None:
    client = scram(binding=BINDING)
    assert settle(client.respond(b"")).startswith(b"y,,")
    server = ServerScram(
        identities=Book(),
        hash_name="SHA-256",
        channel=Channel(plus=False, plus_offered=True, binding=lambda name: None),
        nonce="x",
    )
    with pytest.raises(AuthenticationFailed):
        settle(server.respond(b"y,,n=user,r=abc"))


@pytest.mark.parametrize(
    "first",
    [
        b"",
        b"r=other,s=QSXC,i=4096",  # not our nonce
        b"r=rOprNGfwEbeRWgbNEkqOx,s=QSXC,i=4095",
        b"r=rOprNGfwEbeRWgbNEkqOx,s=QSXC,i=2000001",
        b"r=rOprNGfwEbeRWgbNEkqOx,s=QSX,i=4096",  # base64
        b"m=ext,r=rOprNGfwEbeRWgbNEkqOx,s=QSXC,i=4096",  # a mandatory extension
        b"e=other-error",
        b"x" * (MAXIMUM_CHALLENGE + 1),
    ],
)
def test_a_first_message_that_cannot_be_is_refused(first: bytes) -> None:
    client = scram()
    settle(client.respond(b""))
    with pytest.raises(ExchangeFailed):
        settle(client.respond(first))


@pytest.mark.parametrize("final", [b"", b"v=AAAA", b"e=invalid-proof", b"v=!"])
def test_a_server_that_proves_nothing_is_not_believed(final: bytes) -> None:
    client = scram()
    settle(client.respond(b""))
    settle(client.respond(b"r=rOprNGfwEbeRWgbNEkqOx,s=QSXC,i=4096"))
    with pytest.raises(ExchangeFailed):
        settle(client.respond(final))
    assert not client.proven


def test_names_are_escaped_and_passwords_prepared() -> None:
    assert settle(scram(user="a,b=c").respond(b"")).startswith(b"n,,n=a=2Cb=3Dc,")
    with pytest.raises(ExchangeFailed):
        settle(scram(user="a\u0007").respond(b""))


def test_plain_is_one_message() -> None:
    assert settle(Plain("üser", "s p").respond(b"")) == b"\0\xc3\xbcser\0s p"
    with pytest.raises(ExchangeFailed):
        settle(Plain("a", "b\0c").respond(b""))


def test_login_gives_the_name_then_the_password_and_nothing_more() -> None:
    exchange = Login("user", "pencil")
    assert [settle(exchange.respond(prompt)) for prompt in (b"Username:", b"whatever")] == [b"user", b"pencil"]
    with pytest.raises(ExchangeFailed):
        settle(exchange.respond(b"Again:"))


def test_cram_md5_answers_with_the_digest_of_the_challenge() -> None:
    # RFC 2195 §2
    exchange = CramMd5("tim", "tanstaaftanstaaf")
    challenge = b"<1896.697170952@postoffice.reston.mci.net>"
    assert settle(exchange.respond(challenge)) == b"tim b913a602c7eda7a495b4e6e7334d3890"
    assert cram_digest(b"tanstaaftanstaaf", challenge) == b"b913a602c7eda7a495b4e6e7334d3890"
    with pytest.raises(ExchangeFailed):
        settle(exchange.respond(challenge))
    with pytest.raises(ExchangeFailed):
        settle(CramMd5("a", "b").respond(b""))


@pytest.mark.parametrize(
    ("changes", "offered", "expected"),
    [
        ({}, ALL, ["SCRAM-SHA-256", "SCRAM-SHA-1", "CRAM-MD5", "PLAIN", "LOGIN"]),
        ({"plaintext": False}, ALL, ["SCRAM-SHA-256", "SCRAM-SHA-1", "CRAM-MD5"]),
        ({"plaintext": False}, ("PLAIN", "LOGIN", "GSSAPI"), []),
        (
            {"binding": BINDING},
            (*ALL, "SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS"),
            ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS", "CRAM-MD5", "PLAIN", "LOGIN"],
        ),
        ({}, ("SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"), ["SCRAM-SHA-256"]),
    ],
)
def test_the_strongest_comes_first(changes: dict[str, Any], offered: tuple[str, ...], expected: list[str]) -> None:
    assert [exchange.mechanism for exchange in signing_in(**changes).exchanges(offered)] == expected


@pytest.mark.parametrize(
    ("binding", "offered", "flag"),
    [
        (None, ("SCRAM-SHA-256",), b"n,,"),
        (BINDING, ("SCRAM-SHA-256",), b"y,,"),
        (BINDING, ("SCRAM-SHA-256", "SCRAM-SHA-1-PLUS"), b"n,,"),
        (BINDING, ("SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"), b"p=tls-exporter,,"),
    ],
)
def test_the_flag_tells_what_was_offered(binding: Any, offered: tuple[str, ...], flag: bytes) -> None:
    exchange = next(signing_in(binding=binding).exchanges(offered))
    assert settle(exchange.respond(b"")).startswith(flag)


def test_passwords_do_not_show() -> None:
    for secret in (signing_in(), Plain("u", "pencil"), Login("u", "pencil"), CramMd5("u", "pencil"), scram()):
        assert "pencil" not in repr(secret)
    assert base64.b64encode(b"pencil").decode() not in repr(scram())
