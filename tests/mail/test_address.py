"""Addresses: RFC 5321 §4.1.2 and §4.1.3, RFC 6531 §3.3."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worldmail.mail.address import Address
from worldmail.mail.domain import literal_address, normal_domain

ATEXT = "abcXYZ019!#$%&'*+-/=?^_`{|}~"
GOOD = [
    ("joe@example.test", "joe", "example.test"),
    ("a.b-c_d+e=f@sub.example.test", "a.b-c_d+e=f", "sub.example.test"),
    ("!#$%&'*+-/=?^_`{|}~@x.test", "!#$%&'*+-/=?^_`{|}~", "x.test"),
    ('"joe"@x.test', "joe", "x.test"),
    ('"j o e"@x.test', "j o e", "x.test"),
    (r'"a\"b\\c\d"@x.test', 'a"b\\cd', "x.test"),
    ('"a@b"@x.test', "a@b", "x.test"),
    ('".a..b."@x.test', ".a..b.", "x.test"),
    ("joe@localhost", "joe", "localhost"),
    ("joe@[192.0.2.1]", "joe", "[192.0.2.1]"),
    ("joe@[IPv6:2001:db8::1]", "joe", "[IPv6:2001:db8::1]"),
    ("joe@[IPv6:::ffff:192.0.2.1]", "joe", "[IPv6:::ffff:192.0.2.1]"),
    ("jürgen@bücher.test", "jürgen", "bücher.test"),
    ("用户@例子.test", "用户", "例子.test"),
    ('"jür gen"@x.test', "jür gen", "x.test"),
    ("postmaster", "postmaster", ""),
    ('"post master"', "post master", ""),
    ("a" * 64 + "@x.test", "a" * 64, "x.test"),
    ("é" * 32 + "@x.test", "é" * 32, "x.test"),
    ("joe@1and1.test", "joe", "1and1.test"),
    ("joe@host_name._x.test", "joe", "host_name._x.test"),
]
BAD = [
    "",
    "@",
    "@x.test",
    "joe@",
    "joe@@x.test",
    "joe@x.test@y.test",
    '""@x.test',
    ".joe@x.test",
    "joe.@x.test",
    "jo..e@x.test",
    "jo e@x.test",
    " joe@x.test",
    "joe@x.test ",
    "jo(e)@x.test",
    "<joe@x.test>",
    "jo,e@x.test",
    "jo;e@x.test",
    "jo:e@x.test",
    "@a.test:joe@x.test",
    "jo\\e@x.test",
    'jo"e@x.test',
    '"joe@x.test',
    '"joe"x.test',
    '"joe".x@x.test',
    '"joe\\"@x.test',
    '"jo"e"@x.test',
    '"joe\r\n"@x.test',
    '"jo\\\re"@x.test',
    '"jo\0e"@x.test',
    "jo\x7fe@x.test",
    "jo\re@x.test",
    "joe@x.test\n",
    "joe\n@x.test",
    "joe@x..test",
    "joe@.test",
    "joe@x.test.",
    "joe@-x.test",
    "joe@x-.test",
    "joe@x$y.test",
    "joe@x y.test",
    f"joe@{'a' * 64}.test",
    f"joe@{'a.' * 128}test",
    "a" * 65 + "@x.test",
    "é" * 33 + "@x.test",
    '"' + " " * 63 + '"@x.test',
    "joe@[192.0.2.1",
    "joe@192.0.2.1]",
    "joe@[192.0.2.256]",
    "joe@[192.0.2.01]",
    "joe@[2001:db8::1]",
    "joe@[IPv6:fe80::1%eth0]",
    "joe@[IPv6:192.0.2.1]",
    "joe@[X25:123]",
    "joe@[]",
    "joe@[١٩٢.0.2.1]",
    "jo\u0085e@x.test",
    "jo\u2028e@x.test",
    "jo\u202ee@x.test",
    "jo\u2066e@x.test",
    '"jo\u2029e"@x.test',
    "jo\ud800e@x.test",
    "joe@x\u2028y.test",
    "joe@-ü.test",
    "joe@ü..test",
    "joe@\u200d.test",
    "joe@" + "ü" * 300,
    "x" * 100_000,
]


@pytest.mark.parametrize(("text", "local", "domain"), GOOD)
def test_an_address_is_read(text: str, local: str, domain: str) -> None:
    assert Address.parse(text) == Address(local, domain)


@pytest.mark.parametrize(("text", "local", "domain"), GOOD)
def test_an_address_that_was_written_is_read_back(text: str, local: str, domain: str) -> None:
    address = Address.parse(text)
    assert Address.parse(str(address)) == address


@pytest.mark.parametrize("text", BAD, ids=lambda text: ascii(text)[:30])
def test_what_is_no_address_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(ValueError) as caught:
        Address.parse(text)
    assert len(text) < 4 or text not in str(caught.value)


@pytest.mark.parametrize(
    ("local", "domain"),
    [("", "x.test"), ("a\rb", "x.test"), ("a", "x..test"), ("a", "x\n"), ("\u2028", "x"), ("a", "[x]")],
)
def test_an_address_cannot_be_made_of_unfit_parts(local: str, domain: str) -> None:
    with pytest.raises(ValueError):
        Address(local, domain)


def test_quotes_are_written_only_where_they_are_needed() -> None:
    assert str(Address.parse('"joe"@x.test')) == "joe@x.test"
    assert str(Address('a "b\\', "x.test")) == r'"a \"b\\"@x.test'
    assert str(Address("a@b", "")) == '"a@b"'


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("Joe@EXAMPLE.Test", "joe@example.test"),
        ('"Joe"@x.test', "joe@x.test"),
        ('"a@B"@x.test', "a@b@x.test"),
        ("JÜRGEN@BÜCHER.test", "jürgen@xn--bcher-kva.test"),
        ("ju\u0308rgen@x.test", "jürgen@x.test"),
        ("joe@xn--BCHER-kva.test", "joe@xn--bcher-kva.test"),
        ("joe@例子。test", "joe@xn--fsqu00a.test"),
        ("joe@faß.test", "joe@xn--fa-hia.test"),
        ("joe@[IPv6:2001:DB8:0::1]", "joe@[ipv6:2001:db8::1]"),
        ("joe@[192.0.2.1]", "joe@[192.0.2.1]"),
        ("PostMaster", "postmaster@"),
    ],
)
def test_the_key_is_the_same_for_all_spellings(text: str, key: str) -> None:
    assert Address.parse(text).key == key


def test_an_unqualified_address_and_one_with_an_at_sign_in_it_have_different_keys() -> None:
    assert Address("a@b", "").key != Address("a", "b").key


def test_a_domain_is_kept_as_it_was_written() -> None:
    assert Address.parse("Joe@EXAMPLE.Test").domain == "EXAMPLE.Test"
    assert Address.parse("Joe@EXAMPLE.Test").domain_key == "example.test"


def test_an_address_says_whether_it_needs_SMTPUTF8() -> None:
    assert Address.parse("joe@x.test").is_ascii
    assert not Address.parse("jürgen@x.test").is_ascii
    assert not Address.parse("joe@bücher.test").is_ascii


def test_an_address_goes_in_A_labels_where_its_local_part_allows_it() -> None:
    for text, labels in (("A@Bücher.test", "A@xn--bcher-kva.test"), ("ü@bücher.test",) * 2, ("a@B.test",) * 2):
        assert str(Address.parse(text).in_a_labels()) == labels


def test_a_domain_is_added_only_where_there_is_none() -> None:
    assert Address.parse("joe").qualified("x.test") == Address("joe", "x.test")
    assert Address.parse("joe@y.test").qualified("x.test") == Address("joe", "y.test")


@pytest.mark.parametrize(
    ("local", "delimiters", "user", "detail"),
    [
        ("user+tag", "+", "user", "tag"),
        ("user+a+b", "+", "user", "a+b"),
        ("user-a+b", "+-", "user", "a+b"),
        ("user+", "+", "user", ""),
        ("user", "+", "user", None),
        ("+tag", "+", "+tag", None),
        ("user+tag", "", "user+tag", None),
        ("user+tag", "-", "user+tag", None),
        (" +tag", "+", " ", "tag"),
    ],
)
def test_a_subaddress_is_split_at_the_first_delimiter(
    local: str, delimiters: str, user: str, detail: str | None
) -> None:
    assert Address(local, "x.test").split_subaddress(delimiters) == (Address(user, "x.test"), detail)


@pytest.mark.parametrize(
    ("text", "normal"),
    [("EXAMPLE.test", "example.test"), ("bücher.test", "xn--bcher-kva.test"), ("[IPv6:::1]", "[ipv6:::1]")],
)
def test_a_domain_has_one_normal_form(text: str, normal: str) -> None:
    assert normal_domain(text) == normal
    assert normal_domain(normal) == normal


def test_a_literal_gives_its_address() -> None:
    assert str(literal_address("[IPv6:::1]")) == "::1"
    with pytest.raises(ValueError, match="literal"):
        literal_address("192.0.2.1")


LABELS = st.from_regex(r"[a-zA-Z0-9]([a-zA-Z0-9-]{0,10}[a-zA-Z0-9])?", fullmatch=True)
DOMAINS = st.lists(LABELS, min_size=1, max_size=4).map(".".join)
ATOMS = st.text(alphabet=ATEXT + "éßЖ例", min_size=1, max_size=6)
DOT_STRINGS = st.lists(ATOMS, min_size=1, max_size=3).map(".".join)
FIT = st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp", "Cf", "Cn"))
LOCALS = st.one_of(DOT_STRINGS, st.text(alphabet=FIT, min_size=1, max_size=10))


@given(DOT_STRINGS, DOMAINS)
def test_every_dot_string_at_a_domain_is_read_as_it_stands(local: str, domain: str) -> None:
    assert Address.parse(f"{local}@{domain}") == Address(local, domain)


@given(LOCALS, DOMAINS)
def test_every_address_is_read_back_from_what_was_written(local: str, domain: str) -> None:
    address = Address(local, domain)
    assert Address.parse(str(address)) == address


@given(LOCALS, DOMAINS)
def test_a_key_is_its_own_key_and_that_of_other_cases(local: str, domain: str) -> None:
    address = Address(local, domain)
    composed = Address(unicodedata.normalize("NFD", local)[:60], domain) if len(local) < 4 else address
    for other in (Address(local, domain.upper()), Address(local, domain.lower()), composed):
        assert other.key == address.key
    try:
        again = Address(address.local_key, address.domain_key)
    except ValueError:
        return  # folding can make a local part longer than it may be
    assert again.key == address.key


@given(st.text(max_size=40))
def test_any_text_is_an_address_or_a_ValueError_and_an_address_ends_no_line(text: str) -> None:
    try:
        address = Address.parse(text)
    except ValueError:
        return
    for written in (str(address), address.key):
        assert len(written.splitlines()) == 1
        assert not re.search(r"[\x00-\x1f\x7f]", written)
    assert len(address.local.encode()) <= 64


@given(st.text(alphabet='ab.@"\\ [\r\n]é\u202e', max_size=12))
def test_texts_of_special_characters_are_read_back_or_refused(text: str) -> None:
    try:
        address = Address.parse(text)
    except ValueError:
        return
    assert Address.parse(str(address)) == address
