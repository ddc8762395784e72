"""The arguments of commands: what is printed is read back, what is not in the grammar is refused."""

from __future__ import annotations

import base64
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worldmail.errors import AuthenticationFailed, Refusal
from worldmail.protocols.pop3 import grammar
from worldmail.protocols.pop3.grammar import BadSyntax
from worldmail.protocols.pop3.language import lookup
from worldmail.protocols.pop3.replies import err, ok

PARSERS = [
    grammar.nothing,
    grammar.number,
    grammar.optional_number,
    grammar.top,
    grammar.login_name,
    grammar.password,
    grammar.apop,
    grammar.auth,
    grammar.sasl_response,
    grammar.language_range,
]

line_octets = st.binary(max_size=300).map(lambda octets: octets.replace(b"\r", b"").replace(b"\n", b""))
names = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=60)


@pytest.mark.parametrize("parse", PARSERS)
@given(argument=line_octets)
def test_any_octets_are_read_or_refused(parse, argument: bytes) -> None:
    with contextlib.suppress(Refusal):
        parse(argument)


@given(st.integers(0, 9_999_999_999))
def test_numbers_are_read_back(number: int) -> None:
    assert grammar.number(b"%d" % number) == number
    assert grammar.optional_number(b"%d " % number) == number


@given(st.integers(0, 10**9), st.integers(0, 10**9))
def test_the_two_numbers_of_TOP_are_read_back(number: int, lines: int) -> None:
    assert grammar.top(b"%d %d" % (number, lines)) == grammar.TopRequest(number, lines)


@pytest.mark.parametrize("lines", [b"99999999999", b"9" * 5000])
def test_TOP_with_more_lines_than_a_message_can_have_gives_all(lines: bytes) -> None:
    assert grammar.top(b"1 " + lines) == grammar.TopRequest(1, grammar.MOST_LINES)
    assert grammar.top(b"1 " + b"0" * 5000 + b"7") == grammar.TopRequest(1, 7)


@given(names)
def test_names_in_UTF_8_are_read_back(name: str) -> None:
    assert grammar.login_name(name.encode()) == name


@given(st.text(min_size=1, max_size=60).filter(lambda text: "\r" not in text and "\n" not in text))
def test_passwords_are_read_back_blanks_included(password: str) -> None:
    octets = password.encode("utf-8", "ignore")
    if octets:
        assert grammar.password(octets).encode() == octets


@given(names, st.binary(min_size=16, max_size=16))
def test_APOP_is_read_back(name: str, digest: bytes) -> None:
    text = digest.hex().encode()
    assert grammar.apop(name.encode() + b" " + text) == grammar.ApopRequest(name, text)


@given(st.from_regex(r"[A-Za-z0-9_-]{1,20}", fullmatch=True), st.none() | st.binary(max_size=90))
def test_AUTH_is_read_back(mechanism: str, initial: bytes | None) -> None:
    line = mechanism.encode()
    if initial is not None:
        line += b" " + (base64.b64encode(initial) or b"=")
    assert grammar.auth(line) == grammar.AuthRequest(mechanism.upper(), initial)


@given(st.binary(max_size=300))
def test_responses_are_read_back(octets: bytes) -> None:
    assert grammar.sasl_response(grammar.to_base64(octets)) == octets


@pytest.mark.parametrize("octets", [b"A", b"AA", b"AAA", b"=AAA", b"AA=A", b"AAA=BBB=", b"AA\tAA", b"AAAA=", b"**"])
def test_what_is_no_base64_is_a_syntax_error(octets: bytes) -> None:
    with pytest.raises(AuthenticationFailed) as refused:
        grammar.from_base64(octets)
    assert refused.value.reply_code == 501 and octets.decode() not in str(refused.value)


@pytest.mark.parametrize("argument", [b"", b"bob", b"bob abc", b"bob " + b"A" * 32, b" " + b"0" * 32, b"0" * 32])
def test_wrong_arguments_of_APOP_are_refused(argument: bytes) -> None:
    with pytest.raises(BadSyntax):
        grammar.apop(argument)


def test_secrets_are_in_no_repr() -> None:
    assert "c2VjcmV0" not in repr(grammar.auth(b"PLAIN c2VjcmV0")) and "secret" not in repr(
        grammar.auth(b"PLAIN c2VjcmV0")
    )
    assert "0" * 32 not in repr(grammar.apop(b"bob " + b"0" * 32))


@pytest.mark.parametrize(
    ("wanted", "tag"),
    [("*", "en"), ("en", "en"), ("EN", "en"), ("en-GB", "en"), ("en-a-bbb", "en"), ("e", None), ("de", None)],
)
def test_language_ranges_find_the_best_language(wanted: str, tag: str | None) -> None:
    assert lookup(wanted) == tag


@given(st.text(max_size=2000))
def test_a_reply_is_one_line_of_at_most_512_octets(text: str) -> None:
    for reply in (ok(text), err(text, b"SYS/TEMP"), err(text)):
        assert reply.endswith(b"\r\n") and reply.count(b"\n") == reply.count(b"\r") == 1 and len(reply) <= 512


def test_a_text_is_never_taken_for_a_response_code() -> None:
    assert ok("[x]") == b"+OK  [x]\r\n"
