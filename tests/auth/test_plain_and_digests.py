"""PLAIN, LOGIN, CRAM-MD5 and APOP."""

from __future__ import annotations

import pytest
from attrs import define, field
from hypothesis import given
from hypothesis import strategies as st
from zope.interface.verify import verifyObject

from worldmail.auth.sasl.digests import CramMd5, apop_digest, cram_digest, is_digest
from worldmail.auth.sasl.plain import Login, Plain
from worldmail.errors import AuthenticationFailed
from worldmail.interfaces.auth import Challenge, ISaslExchange, SignedIn
from worldmail.interfaces.directory import Account
from worldmail.mail.address import Address

ACCOUNT = Account(
    id=1,
    address=Address("tim", "example.test"),
    name="",
    enabled=True,
    generation=1,
    quota=None,
    max_message=None,
    legacy_auth=True,
)
CHALLENGE = b"<1896.697170952@postoffice.reston.mci.net>"


@define
class Book:
    """Lets tim in with one secret, notes what was asked."""

    secret: str = "tanstaaftanstaaf"
    asked: list = field(factory=list)

    async def password(self, login, password, authzid=""):
        self.asked.append((login, password, authzid))
        if (login, password) != ("tim", self.secret):
            raise AuthenticationFailed
        return ACCOUNT

    async def legacy_proof(self, login, proves):
        self.asked.append(login)
        if login != "tim" or not proves(self.secret.encode()):
            raise AuthenticationFailed
        return ACCOUNT


def result(awaitable):
    coroutine = awaitable.__await__()
    try:
        next(coroutine)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("it suspended")


def refused(server, response, code=501):
    with pytest.raises(AuthenticationFailed) as caught:
        result(server.respond(response))
    assert caught.value.reply_code == code
    assert caught.value.reply_enhanced == ("5.5.2" if code == 501 else "5.7.8")


@pytest.mark.parametrize(
    "made", [Plain(Book()), Login(Book()), CramMd5(Book(), CHALLENGE)], ids=["plain", "login", "cram"]
)
def test_they_provide_the_interface(made):
    assert verifyObject(ISaslExchange, made)


# --- PLAIN ---


def test_the_messages_of_RFC_4616_section_4():
    book = Book()
    assert result(Plain(book).respond(b"\0tim\0tanstaaftanstaaf")) == SignedIn(ACCOUNT)
    with pytest.raises(AuthenticationFailed):
        result(Plain(book).respond(b"Ursel\0Kurt\0xipj3plmq"))
    assert book.asked == [("tim", "tanstaaftanstaaf", ""), ("Kurt", "xipj3plmq", "Ursel")]


def test_plain_asks_for_the_message_that_did_not_come():
    server = Plain(Book())
    assert result(server.respond(None)) == Challenge(b"")
    assert result(server.respond(b"\0tim\0tanstaaftanstaaf")) == SignedIn(ACCOUNT)


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"tim",
        b"\0tim",
        b"\0\0",
        b"\0tim\0",
        b"\0\0pass",
        b"\0tim\0pass\0",
        b"a\0b\0c\0d",
        b"\0t\xffm\0x",
        b"\0a\0" + b"x" * 9000,
    ],
)
def test_a_malformed_plain_message_is_501(message):
    book = Book()
    refused(Plain(book), message)
    assert book.asked == []


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=30)


@given(authzid=st.just("") | TEXT, login=TEXT, password=TEXT)
def test_a_plain_message_is_read_as_it_was_written(authzid, login, password):
    book = Book()
    try:
        result(Plain(book).respond(f"{authzid}\0{login}\0{password}".encode()))
    except AuthenticationFailed as error:
        assert error.reply_code == 535
    assert book.asked == [(login, password, authzid)]


@given(st.binary(max_size=60))
def test_any_octets_are_a_plain_message_or_malformed(message):
    book = Book()
    try:
        result(Plain(book).respond(message))
    except AuthenticationFailed as error:
        assert (error.reply_code == 501) is (book.asked == [])


# --- LOGIN ---


def test_login_asks_for_the_name_and_then_for_the_password():
    server = Login(Book())
    assert result(server.respond(None)) == Challenge(b"Username:")
    assert result(server.respond(b"tim")) == Challenge(b"Password:")
    assert result(server.respond(b"tanstaaftanstaaf")) == SignedIn(ACCOUNT)


def test_login_takes_the_name_as_initial_response():
    server = Login(Book())
    assert result(server.respond(b"tim")) == Challenge(b"Password:")
    refused(server, b"wrong", 535)


def test_malformed_names_and_passwords_are_501():
    refused(Login(Book()), b"t\xff")
    refused(Login(Book()), b"t\0m")
    server = Login(Book())
    result(server.respond(b"tim"))
    refused(server, b"\xff")
    refused(server, None)


# --- CRAM-MD5 ---


def test_the_exchange_of_RFC_2195_section_2():
    server = CramMd5(Book(), CHALLENGE)
    assert result(server.respond(None)) == Challenge(CHALLENGE)
    assert result(server.respond(b"tim b913a602c7eda7a495b4e6e7334d3890")) == SignedIn(ACCOUNT)


def test_a_wrong_digest_is_refused():
    server = CramMd5(Book(), CHALLENGE)
    result(server.respond(None))
    refused(server, b"tim b913a602c7eda7a495b4e6e7334d3891", 535)


def test_cram_takes_no_initial_response():
    for initial in (b"", b"tim b913a602c7eda7a495b4e6e7334d3890"):
        refused(CramMd5(Book(), CHALLENGE), initial)


@pytest.mark.parametrize(
    "response",
    [
        None,
        b"",
        b"tim",
        b" b913a602c7eda7a495b4e6e7334d3890",
        b"tim b913a602c7eda7a495b4e6e7334d389",
        b"tim B913A602C7EDA7A495B4E6E7334D3890",
        b"tim b913a602c7eda7a495b4e6e7334d3890 ",
        b"t\xffm b913a602c7eda7a495b4e6e7334d3890",
        b"t\0m b913a602c7eda7a495b4e6e7334d3890",
    ],
)
def test_a_malformed_cram_response_is_501(response):
    book = Book()
    server = CramMd5(book, CHALLENGE)
    result(server.respond(None))
    refused(server, response)
    assert book.asked == []


@given(login=TEXT)
def test_a_name_may_hold_spaces(login):
    book = Book()
    server = CramMd5(book, CHALLENGE)
    result(server.respond(None))
    with pytest.raises(AuthenticationFailed):
        result(server.respond(f"{login} {'0' * 32}".encode()))
    assert book.asked == [login]


@given(st.binary(max_size=60))
def test_any_octets_are_a_cram_response_or_malformed(response):
    server = CramMd5(Book(), CHALLENGE)
    result(server.respond(None))
    with pytest.raises(AuthenticationFailed):
        result(server.respond(response))


# --- APOP ---


def test_the_digest_of_RFC_1939_section_7():
    stamp = b"<1896.697170952@dbc.mtview.ca.us>"
    assert apop_digest(b"tanstaaf", stamp) == b"c4c9334bac560ecc979e58001b3e22fb"


@given(secret=st.binary(max_size=40), said=st.binary(max_size=40))
def test_digests_are_what_their_grammar_says(secret, said):
    assert is_digest(cram_digest(secret, said)) and is_digest(apop_digest(secret, said))


@pytest.mark.parametrize("octets", [b"", b"0" * 31, b"0" * 33, b"A" * 32, b"0" * 31 + b"\n", b"0" * 32 + b"\n"])
def test_anything_else_is_no_digest(octets):
    assert not is_digest(octets)
