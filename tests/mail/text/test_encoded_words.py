"""Encoded words and extended parameters are read as their readers have them, broken ones stay, nothing takes long."""

from __future__ import annotations

import email.charset
import email.header

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worldmail.mail.text.encoded_words import decode_words, header_text, parameters


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        # The examples of RFC 2047 §8.
        ("(=?ISO-8859-1?Q?a?=)", "(a)"),
        ("(=?ISO-8859-1?Q?a?= b)", "(a b)"),
        ("(=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=)", "(ab)"),
        ("(=?ISO-8859-1?Q?a?=  =?ISO-8859-1?Q?b?=)", "(ab)"),
        ("(=?ISO-8859-1?Q?a?=\r\n    =?ISO-8859-1?Q?b?=)", "(ab)"),
        ("(=?ISO-8859-1?Q?a_b?=)", "(a b)"),
        ("(=?ISO-8859-1?Q?a?= =?ISO-8859-2?Q?_b?=)", "(a b)"),
        ("=?US-ASCII*EN?Q?Keith_Moore?=", "Keith Moore"),  # RFC 2231 §5
        ("=?iso-8859-1?q?Andr=E9?= Pirard", "André Pirard"),
        ("=?UTF-8?B?w7w=?=", "ü"),
        ("=?UTF-8?B?w7w?=", "ü"),
        ("=?utf-8?q?a=C3?= =?UTF-8?b?vA==?= x", "aü x"),
        ("Re:=?utf-8?q?=C3=BC?=!", "Re:ü!"),
        ('"=?utf-8?q?=C3=BC?=" <a@b.test>', '"ü" <a@b.test>'),
        ("=?utf-8?Q?what??=", "what?"),
        ("=?utf-8?Q?one two?=", "one two"),
        ("=?iso-2022-jp?B?GyRCRnxLXBsoQg==?=", "日本"),
    ],
)
def test_words_are_decoded(raw: str, text: str) -> None:
    assert decode_words(raw) == text


@pytest.mark.parametrize(
    "raw",
    ["=?utf-8?b?!!?=", "=?utf-8?x?a?=", "=?utf-8?q?a", "=?", "a =? b ?=", "=?x-none?q?=FF?=", "=?utf-8?b?Q?=", "??=="],
)
def test_broken_words_stay_as_they_are(raw: str) -> None:
    assert decode_words(raw) == raw


def test_a_broken_word_does_not_take_the_space_beside_it() -> None:
    assert decode_words("=?x-none?q?=FF?= =?utf-8?q?a?=") == "=?x-none?q?=FF?= a"
    assert decode_words("=?utf-8?q?a?= =?utf-8?b?!!?= =?utf-8?q?c?=") == "a =?utf-8?b?!!?= c"


def test_raw_octets_are_utf8_or_guessed() -> None:
    assert header_text("Grüße =?utf-8?q?=C3=BC?=".encode()) == "Grüße ü"
    assert header_text("schöne Grüße aus München".encode("latin-1")) == "schöne Grüße aus München"


@given(st.text(max_size=120), st.sampled_from(["utf-8", "iso-8859-1"]), st.sampled_from([None, "q", "b"]))
def test_what_the_standard_library_encodes_is_decoded(text: str, charset: str, encoding: str | None) -> None:
    text = "x" + "".join(c for c in text.encode(charset, "ignore").decode(charset) if c.isprintable()) + "x"
    rule = email.charset.Charset(charset)
    rule.header_encoding = {None: email.charset.SHORTEST, "q": email.charset.QP, "b": email.charset.BASE64}[encoding]
    raw = email.header.Header(text, rule, maxlinelen=40).encode()
    if "=?" not in text:
        assert decode_words(raw.replace("\n", "")) == text


@given(st.text(alphabet="=?utf-8qQbB_ \r\nabé\ud800", max_size=200))
def test_nothing_raises(text: str) -> None:
    decode_words(text)


@given(st.binary(max_size=200))
def test_no_octets_raise(value: bytes) -> None:
    header_text(value).encode()


@pytest.mark.parametrize(
    "unit", ["=?a?q?", "=?a?q?x ", "=?utf-8?q?a?= ", "=?a?b?????", "=?x?q?=FF?= ", "=?a?q?x", "=? ", "=?utf-8?b?/?= "]
)
def test_a_subject_of_280_kB_is_read_in_one_go(unit: str) -> None:
    # With anything but linear time this would not end before the suite's timeout.
    decode_words(unit * (8_000_000 // len(unit)))


@pytest.mark.parametrize(
    ("raw", "decoded"),
    [
        # RFC 2231 §3, §4 and §4.1
        ([("url*0", b"ftp://"), ("URL*1", b"cs.example.test/pub")], {"url": "ftp://cs.example.test/pub"}),
        ([("title*", b"us-ascii'en-us'This%20is%20%2A%2A%2Afun%2A%2A%2A")], {"title": "This is ***fun***"}),
        (
            [
                ("title*0*", b"us-ascii'en'This%20is%20even%20more%20"),
                ("title*1*", b"%2A%2A%2Afun%2A%2A%2A%20"),
                ("title*2", b"isn't it!"),
            ],
            {"title": "This is even more ***fun*** isn't it!"},
        ),
        ([("a*1", b"2"), ("a*0", b"1")], {"a": "12"}),
        ([("a*0", b"1"), ("a*2", b"3")], {"a": "1"}),
        ([("a*1", b"x")], {}),
        ([("a", b"plain"), ("a*", b"utf-8''%C3%BC")], {"a": "ü"}),
        ([("a*0*", b"utf-8''%C3"), ("a*1*", b"%BC")], {"a": "ü"}),
        ([("a", b"1"), ("A", b"2")], {"a": "1"}),
        ([("filename", b"=?utf-8?q?=C3=BC?=.pdf")], {"filename": "ü.pdf"}),
        ([("a*", b"no quotes %41")], {"a": "no quotes A"}),
        ([("a*99999999", b"x"), ("*", b"y")], {"a*99999999": "x", "*": "y"}),
    ],
)
def test_parameters_are_decoded(raw: list[tuple[str, bytes]], decoded: dict[str, str]) -> None:
    assert parameters(raw) == decoded


@given(st.lists(st.tuples(st.text(alphabet="ab*01", max_size=8), st.binary(max_size=30)), max_size=30))
def test_no_parameters_raise(raw: list[tuple[str, bytes]]) -> None:
    for value in parameters(raw).values():
        value.encode()


def test_many_sections_are_joined_in_one_go() -> None:
    sections = [(f"a*{number}*", b"%41" * 10) for number in range(50_000)]
    assert parameters(reversed(sections)) == {"a": "A" * 500_000}
