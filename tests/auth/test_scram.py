"""SCRAM, the server's side: vectors, channel binding, refusals."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest
from attrs import define, field
from hypothesis import given
from hypothesis import strategies as st
from zope.interface.verify import verifyObject

from worldmail.auth.sasl.scram import Channel, Scram
from worldmail.auth.sasl.scram_keys import HASHES, derive, proves, server_signature
from worldmail.auth.sasl.scram_messages import read_client_final, read_client_first
from worldmail.errors import AuthenticationFailed
from worldmail.interfaces.auth import Challenge, ISaslExchange, SignedIn
from worldmail.interfaces.directory import Account
from worldmail.mail.address import Address

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
SALT = base64.b64decode("QSXCR+Q6sek8bf92")


def result(awaitable):
    """The value of an awaitable that never suspends."""
    coroutine = awaitable.__await__()
    try:
        next(coroutine)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("it suspended")


@define
class Book:
    """One user and his keys."""

    password: str = "pencil"
    salt: bytes = SALT
    asked: list = field(factory=list)
    proofs: int = 0

    async def scram_key(self, login, hash_name):
        self.asked.append(login)
        return derive(self.password, self.salt, 4096, hash_name)

    async def scram_proof(self, login, hash_name, authzid, proves):
        self.proofs += 1
        self.asked.append((login, authzid))
        key = derive(self.password, self.salt, 4096, hash_name)
        if not proves(key) or authzid not in ("", login):
            raise AuthenticationFailed
        return ACCOUNT, key


def exchange(book=None, hash_name="SHA-1", nonce="3rfcNHYJY1ZVvWVs7j", plus=False, offered=False, binding=None):
    channel = Channel(plus=plus, plus_offered=offered, binding=(binding or {}).get)
    return Scram(identities=book or Book(), hash_name=hash_name, channel=channel, nonce=nonce)


@define
class Client:
    """A client as RFC 5802 has it, apart from the server's code."""

    password: str = "pencil"
    hash_name: str = "SHA-256"
    gs2: str = "n,,"
    name: str = "user"
    nonce: str = "cnonce"
    channel: bytes = b""
    first_bare: str = ""
    server_signature: bytes = b""

    def first(self):
        self.first_bare = f"n={self.name},r={self.nonce}"
        return (self.gs2 + self.first_bare).encode()

    def final(self, server_first):
        parts = dict(part.split("=", 1) for part in server_first.decode().split(","))
        algorithm = HASHES[self.hash_name]
        salted = hashlib.pbkdf2_hmac(algorithm, self.password.encode(), base64.b64decode(parts["s"]), int(parts["i"]))
        channel = base64.b64encode(self.gs2.encode() + self.channel).decode()
        unproven = f"c={channel},r={parts['r']}"
        message = f"{self.first_bare},{server_first.decode()},{unproven}".encode()
        client_key = hmac.digest(salted, b"Client Key", algorithm)
        stored = hashlib.new(algorithm, client_key).digest()
        signature = hmac.digest(stored, message, algorithm)
        proof = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
        self.server_signature = hmac.digest(hmac.digest(salted, b"Server Key", algorithm), message, algorithm)
        return f"{unproven},p={base64.b64encode(proof).decode()}".encode()

    def run(self, server):
        answer = result(server.respond(self.first()))
        answer = result(server.respond(self.final(answer.data)))
        assert answer == Challenge(b"v=" + base64.b64encode(self.server_signature))
        return result(server.respond(b""))


def refused(server, response, code=535):
    with pytest.raises(AuthenticationFailed) as caught:
        result(server.respond(response))
    assert caught.value.reply_code == code
    assert caught.value.reply_enhanced == ("5.5.2" if code == 501 else "5.7.8")
    return caught.value


def test_it_provides_the_interface():
    assert verifyObject(ISaslExchange, exchange())


def test_the_exchange_of_RFC_5802_section_5():
    server = exchange()
    assert result(server.respond(b"n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL")) == Challenge(
        b"r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096"
    )
    assert result(
        server.respond(b"c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=")
    ) == Challenge(b"v=rmF9pqV8S7suAoZWja4dJRkFsKQ=")
    assert result(server.respond(b"")) == SignedIn(ACCOUNT)


def test_the_exchange_of_RFC_7677_section_3():
    book = Book(salt=base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ=="))
    server = exchange(book, "SHA-256", "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0")
    assert result(server.respond(b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO")) == Challenge(
        b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
    )
    assert result(
        server.respond(
            b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
            b"p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
        )
    ) == Challenge(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")
    assert result(server.respond(None)) == SignedIn(ACCOUNT)


@pytest.mark.parametrize("hash_name", HASHES)
def test_a_client_is_let_in(hash_name):
    assert Client(hash_name=hash_name).run(exchange(hash_name=hash_name)) == SignedIn(ACCOUNT)


def test_without_an_initial_response_the_server_asks_for_it():
    server = exchange(hash_name="SHA-256")
    assert result(server.respond(None)) == Challenge(b"")
    assert Client().run(server) == SignedIn(ACCOUNT)


def test_a_wrong_password_is_refused_and_ends_the_exchange():
    server, client = exchange(hash_name="SHA-256"), Client(password="pencils")
    first = result(server.respond(client.first()))
    refused(server, client.final(first.data))
    refused(server, b"", 501)


def test_a_proof_of_the_wrong_length_is_refused():
    server = exchange()
    result(server.respond(b"n,,n=user,r=abc"))
    refused(server, b"c=biws,r=abc3rfcNHYJY1ZVvWVs7j,p=AAAA")


def test_another_nonce_is_refused_before_anything_is_proved():
    for nonce in ("abc", "abc3rfcNHYJY1ZVvWVs7", "xbc3rfcNHYJY1ZVvWVs7j"):
        book = Book()
        server = exchange(book)
        result(server.respond(b"n,,n=user,r=abc"))
        refused(server, f"c=biws,r={nonce},p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=".encode())
        assert book.proofs == 0


def test_a_whole_exchange_cannot_be_replayed():
    server, client = exchange(hash_name="SHA-256", nonce="one"), Client()
    final = client.final(result(server.respond(client.first())).data)
    other = exchange(hash_name="SHA-256", nonce="two")
    result(other.respond(client.first()))
    refused(other, final)


def test_a_changed_gs2_header_is_refused():
    server, client = exchange(hash_name="SHA-256"), Client()
    first = result(server.respond(client.first()))
    client.gs2 = "y,,"
    refused(server, client.final(first.data))


# --- channel binding (RFC 5802 §6) ---

BOUND = {"tls-exporter": b"exported", "tls-server-end-point": b"certificate"}


@pytest.mark.parametrize("name", BOUND)
def test_a_bound_exchange_is_let_in(name):
    server = exchange(hash_name="SHA-256", plus=True, offered=True, binding=BOUND)
    assert Client(gs2=f"p={name},,", channel=BOUND[name]).run(server) == SignedIn(ACCOUNT)


def test_a_binding_to_another_channel_is_refused():
    server = exchange(hash_name="SHA-256", plus=True, offered=True, binding=BOUND)
    client = Client(gs2="p=tls-exporter,,", channel=b"another's")
    first = result(server.respond(client.first()))
    refused(server, client.final(first.data))


def test_a_binding_that_the_connection_cannot_give_is_refused():
    server = exchange(hash_name="SHA-256", plus=True, offered=True, binding=BOUND)
    client = Client(gs2="p=tls-unique,,", channel=b"")
    first = result(server.respond(client.first()))
    refused(server, client.final(first.data))


def test_an_unknown_binding_is_refused():
    refused(exchange(plus=True, offered=True, binding=BOUND), b"p=tls-odd,,n=user,r=abc")


def test_y_where_plus_was_offered_is_a_downgrade_and_refused():
    refused(exchange(offered=True, binding=BOUND), b"y,,n=user,r=abc")
    assert Client(gs2="y,,").run(exchange(hash_name="SHA-256")) == SignedIn(ACCOUNT)


def test_n_is_taken_where_plus_was_offered_but_not_chosen():
    assert Client().run(exchange(hash_name="SHA-256", offered=True, binding=BOUND)) == SignedIn(ACCOUNT)


@pytest.mark.parametrize(("plus", "gs2"), [(True, "n,,"), (True, "y,,"), (False, "p=tls-exporter,,")])
def test_a_flag_that_does_not_fit_the_mechanism_is_refused(plus, gs2):
    refused(exchange(plus=plus, offered=True, binding=BOUND), f"{gs2}n=user,r=abc".encode())


# --- names ---


def test_names_are_unescaped_and_prepared():
    book = Book()
    result(exchange(book).respond("n,a=x=3Dy,n=a=2Cb=3D\u00ad\u2168,r=abc".encode()))
    assert book.asked == ["a,b=IX"]


def test_a_name_that_cannot_be_prepared_fails_like_a_wrong_password():
    for name in ("\u0007", "\u00ad", "\u0627a"):
        refused(exchange(), f"n,,n={name},r=abc".encode())


def test_the_identity_to_act_as_is_asked_with_the_proof():
    book = Book()
    client = Client(gs2="n,a=user,")
    assert client.run(exchange(book, "SHA-256")) == SignedIn(ACCOUNT)
    assert book.asked[-1] == ("user", "user")
    server, client = exchange(hash_name="SHA-256"), Client(gs2="n,a=other,")
    first = result(server.respond(client.first()))
    refused(server, client.final(first.data))


# --- grammar ---

MALFORMED_FIRST = [
    b"",
    b"n",
    b"n,,",
    b"n,,n=user",
    b"n,,n=,r=abc",
    b"n,,n=user,r=",
    b"n,,n=us=er,r=abc",
    b"n,,n=us=2cer,r=abc",
    b"n,,r=abc,n=user",
    b"n,,m=ext,n=user,r=abc",  # a mandatory extension that nobody knows
    b"n,a=,n=user,r=abc",
    b"n,a==,n=user,r=abc",
    b"z,,n=user,r=abc",
    b"p=,,n=user,r=abc",
    b"p=tls unique,,n=user,r=abc",
    b"n,,n=user,r=a\x00c",
    b"n,,n=us\x00er,r=abc",
    b"n,,n=user,r=a c",
    b"n,,n=user,r=\xc3\xa4",
    b"n,,n=\xff,r=abc",
    b"n,,n=user,r=abc,",
    b"n,,n=user,r=abc,x",
    b"n,,n=user,r=" + b"a" * 513,
    b"n,,n=" + b"a" * 9000 + b",r=abc",
]


@pytest.mark.parametrize("message", MALFORMED_FIRST, ids=lambda message: repr(message)[:40])
def test_a_malformed_first_message_is_501(message):
    refused(exchange(), message, 501)


MALFORMED_FINAL = [
    None,
    b"",
    b"c=biws",
    b"c=biws,r=abc",
    b"c=biws,r=abc,p=",
    b"c=bi*s,r=abc,p=AAAA",
    b"c=biws,r=abc,p=AAA",
    b"r=abc,c=biws,p=AAAA",
    b"c=biws,r=abc,p=AAAA,x=y",
    b"c=biws,r=a\xffbc,p=AAAA",
    b"c=biws,,r=abc,p=AAAA",
]


@pytest.mark.parametrize("message", MALFORMED_FINAL, ids=lambda message: repr(message)[:40])
def test_a_malformed_final_message_is_501(message):
    server = exchange()
    result(server.respond(b"n,,n=user,r=abc"))
    refused(server, message, 501)


def test_more_than_an_empty_response_at_the_end_is_501():
    server, client = exchange(hash_name="SHA-256"), Client()
    first = result(server.respond(client.first()))
    result(server.respond(client.final(first.data)))
    refused(server, b"more", 501)
    refused(server, b"", 501)


@given(st.binary(max_size=80))
def test_any_octets_are_a_first_message_or_malformed(message):
    try:
        first = read_client_first(message)
    except AuthenticationFailed as error:
        assert error.reply_code == 501
    else:
        assert (first.gs2 + first.bare).encode() == message


NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=20)
NONCES = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters=","), min_size=1, max_size=40)


@given(flag=st.sampled_from(["n", "y", "p=tls-exporter"]), authzid=st.none() | NAMES, name=NAMES, nonce=NONCES)
def test_a_first_message_is_read_as_it_was_written(flag, authzid, name, nonce):
    def escaped(text):
        return text.replace("=", "=3D").replace(",", "=2C")

    gs2 = f"{flag},{'' if authzid is None else 'a=' + escaped(authzid)},"
    first = read_client_first(f"{gs2}n={escaped(name)},r={nonce}".encode())
    assert (first.flag, first.gs2, first.authzid, first.name, first.nonce) == (
        flag[0],
        gs2,
        authzid or "",
        name,
        nonce,
    )


@given(st.binary(max_size=80))
def test_any_octets_are_a_final_message_or_malformed(message):
    try:
        read_client_final(message)
    except AuthenticationFailed as error:
        assert error.reply_code == 501


@given(channel=st.binary(min_size=1, max_size=40), nonce=NONCES, proof=st.binary(min_size=1, max_size=40))
def test_a_final_message_is_read_as_it_was_written(channel, nonce, proof):
    encoded = [base64.b64encode(octets).decode() for octets in (channel, proof)]
    final = read_client_final(f"c={encoded[0]},r={nonce},p={encoded[1]}".encode())
    assert (final.channel, final.nonce, final.proof) == (channel, nonce, proof)
    assert final.unproven == f"c={encoded[0]},r={nonce}"


@given(password=st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=30), data=st.data())
def test_only_the_right_password_proves(password, data):
    other = data.draw(st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=30))
    server = exchange(Book(password=password, salt=b"salt"), "SHA-256")
    client = Client(password=other)
    final = client.final(result(server.respond(client.first())).data)
    if other == password:
        assert isinstance(result(server.respond(final)), Challenge)
    else:
        refused(server, final)


def test_keys_show_nothing_of_themselves():
    key = derive("pencil", SALT, 4096, "SHA-1")
    assert "stored_key" not in repr(key) and "server_key" not in repr(key)
    assert not proves(key, b"message", bytes(20))
    assert len(server_signature(key, b"message")) == 20
