"""Header blocks, addresses in them, trace fields, dates, labels, completions."""

from __future__ import annotations

import email.utils
from email import policy
from email.parser import BytesParser

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from worldmail.mail.address import Address
from worldmail.mail.dates import date_time
from worldmail.mail.envelope import Origin, TlsFacts
from worldmail.mail.header import Header, starts_with_field
from worldmail.mail.labels import UNKNOWN, CharsetSense, guess, label_fields, may_be_labelled
from worldmail.mail.mailboxes import addresses_of
from worldmail.mail.received import literal, received_field, with_word
from worldmail.mail.submission import missing_fields, qualified_header

names = st.from_regex(r"[A-Za-z][A-Za-z-]{0,10}", fullmatch=True)
values = st.lists(st.from_regex(r"[!-~][ -~]{0,20}", fullmatch=True), min_size=1, max_size=3)


@given(st.lists(st.tuples(names, values), max_size=8))
def test_fields_are_found_as_they_were_written(fields: list[tuple[str, list[str]]]) -> None:
    raw = "".join(_folded(name, lines) for name, lines in fields).encode()
    header = Header(raw)
    for name in {name.lower() for name, _ in fields}:
        wanted = [" ".join(lines).strip().encode() for other, lines in fields if other.lower() == name]
        assert header.values(name.encode()) == wanted
        assert header.first(name.encode()) == wanted[0]
        assert header.count(name.encode()) == len(wanted)
        left = Header(header.without((name.encode(),)))
        assert name.encode() not in left
        assert len(left.raw) < len(raw)


def _folded(name: str, lines: list[str]) -> str:
    return f"{name}: " + "\r\n ".join(lines) + "\r\n"


@given(st.binary(max_size=300))
@example(b"a:b\r\n" * 40)
@example(b":\r\n \r\n: :\r\n")
def test_a_header_of_any_octets_can_be_looked_at(raw: bytes) -> None:
    header = Header(raw)
    assert header.count(b"received") == len(header.values(b"received"))
    assert header.without(()) == raw
    starts_with_field(raw)


@pytest.mark.parametrize(
    ("value", "addresses"),
    [
        (b"bob@a.test", ["bob@a.test"]),
        (b"Bob <bob@a.test>", ["bob@a.test"]),
        (b'"Bob, the <Great>" <bob@a.test>, eve@b.test', ["bob@a.test", "eve@b.test"]),
        (b'Bob (a (nested) comment, with \\) and ") <bob@a.test>', ["bob@a.test"]),
        (b'"a b"@a.test', ['"a b"@a.test']),
        (b"bob @ a.test", ["bob@a.test"]),
        (b"<@x.test,@y.test:bob@a.test>", ["bob@a.test"]),
        (b"friends: bob@a.test, Eve <eve@b.test>;", ["bob@a.test", "eve@b.test"]),
        (b"undisclosed recipients:;", []),
        (b"", []),
        (b"bob", ["bob"]),
        (b"bob@[192.0.2.1]", ["bob@[192.0.2.1]"]),
        ("Jürgen <jürgen@bücher.test>".encode(), ["jürgen@bücher.test"]),
        (b"=?utf-8?q?J=C3=BCrgen?= <j@a.test>", ["j@a.test"]),
        (b", bob@a.test,,", ["bob@a.test"]),
    ],
)
def test_addresses_are_found(value: bytes, addresses: list[str]) -> None:
    assert [str(address) for address in addresses_of(value)] == addresses


@pytest.mark.parametrize(
    "value",
    [
        b"Bob Smith",
        b"bob@a.test eve@b.test",
        b"<bob@a.test> <eve@b.test>",
        b"<bob@a.test> eve@b.test",
        b"Bob <bob@a.test",
        b"bob@a.test>",
        b"(bob@a.test",
        b"bob@a.test)",
        b'"bob@a.test',
        b"<>",
        b"a@b@c.test",
        b"\xff@a.test",
        b"bob@a.test;",
        b"group: bob@a.test",
        b"bob\0@a.test",
        b"<eve@b.test,bob@a.test>",
    ],
)
def test_what_cannot_be_read_for_sure_is_an_error(value: bytes) -> None:
    with pytest.raises(ValueError):
        addresses_of(value)


@given(st.text(alphabet='ab@<>(),:;"\\ .[]', max_size=30))
def test_any_text_gives_addresses_or_an_error_and_never_more_than_a_tolerant_reader(text: str) -> None:
    try:
        found = addresses_of(text.encode())
    except ValueError:
        return
    for address in found:
        assert Address.parse(str(address)) == address


def test_received_can_be_read_back() -> None:
    origin = Origin(
        session="s",
        protocol="ESMTPS",
        client="2001:db8::1%eth0",
        helo="[IPv6:2001:db8::1]",
        tls=TlsFacts(version="TLSv1.3", cipher="X", bits=256),
    )
    raw = received_field(
        origin, host="mx.test", acceptance="id1", at=0, recipient=Address.parse("bob@a.test"), account="x(y)"
    )
    assert raw == (
        b"Received: from [IPv6:2001:db8::1] ([IPv6:2001:db8::1])\r\n"
        b"\t(using TLSv1.3 with cipher X (256 bits))\r\n"
        b"\t(authenticated as x\\(y\\))\r\n"
        b"\tby mx.test with ESMTPS id id1\r\n"
        b"\tfor <bob@a.test>; Thu, 01 Jan 1970 00:00:00 +0000\r\n"
    )
    assert Header(raw).count(b"received") == 1
    parsed = BytesParser(policy=policy.default).parsebytes(raw + b"\r\n")
    assert parsed.keys() == ["Received"]


@pytest.mark.parametrize(
    ("recipient", "named"),
    [("bob@bücher.test", b"for <bob@xn--bcher-kva.test>"), ("bób@a.test", None), ("bób@bücher.test", None)],
)
def test_no_recipient_in_Received_makes_a_message_need_SMTPUTF8(recipient: str, named: bytes | None) -> None:
    origin = Origin(session="s", protocol="UTF8SMTP", client="192.0.2.1", helo="x.test", tls=None)
    raw = received_field(origin, host="mx.test", acceptance="id1", at=0, recipient=Address.parse(recipient))
    assert raw.isascii()
    assert b"for <" not in raw if named is None else named in raw


@pytest.mark.parametrize(
    ("facts", "word"),
    [
        ((False, False, False, False), "SMTP"),
        ((False, True, False, False), "SMTP"),
        ((True, False, False, False), "ESMTP"),
        ((True, True, False, False), "ESMTPS"),
        ((True, False, True, False), "ESMTPA"),
        ((True, True, True, False), "ESMTPSA"),
        ((True, False, False, True), "UTF8SMTP"),
        ((True, True, True, True), "UTF8SMTPSA"),
    ],
)
def test_the_word_behind_with_is_a_registered_one(facts: tuple[bool, bool, bool, bool], word: str) -> None:
    esmtp, tls, authenticated, smtputf8 = facts
    assert with_word(esmtp=esmtp, tls=tls, authenticated=authenticated, smtputf8=smtputf8) == word


def test_literals() -> None:
    assert (literal("192.0.2.1"), literal("fe80::1%eth0")) == ("[192.0.2.1]", "[IPv6:fe80::1]")


@given(st.integers(0, 4_000_000_000))
def test_a_date_is_what_the_standard_library_reads(at: int) -> None:
    parsed = email.utils.parsedate_to_datetime(date_time(at))
    assert parsed.timestamp() == at


@given(st.text(max_size=200), st.integers(1, 7))
def test_utf8_is_known_however_it_is_cut(text: str, step: int) -> None:
    octets = text.encode()
    sense = CharsetSense()
    for at in range(0, len(octets), step):
        sense.feed(octets[at : at + step])
    assert sense.charset() == (None if octets.isascii() else "utf-8")


@given(st.binary(min_size=1, max_size=100))
def test_no_charset_is_declared_that_cannot_read_the_text(octets: bytes) -> None:
    sense = CharsetSense()
    sense.feed(octets)
    charset = sense.charset()
    if charset not in (None, UNKNOWN):
        octets.decode(str(charset), "strict" if charset == "utf-8" else "ignore")


def test_a_cut_character_at_the_end_is_not_utf8() -> None:
    sense = CharsetSense()
    sense.feed("ü".encode()[:1])
    assert sense.charset() != "utf-8"


@pytest.mark.parametrize(
    ("text", "codec", "right"),
    [
        ("Съешь же ещё этих мягких французских булок, да выпей чаю. " * 4, "koi8-r", {"koi8-r"}),
        ("Съешь же ещё этих мягких французских булок, да выпей чаю. " * 4, "cp1251", {"windows-1251"}),
        ("日本語の文章です。これは電子メールの本文です。よろしくお願いします。" * 4, "shift_jis", {"shift_jis"}),
        ("日本語の文章です。これは電子メールの本文です。よろしくお願いします。" * 4, "euc-jp", {"euc-jp"}),
        ("这是一个测试邮件的正文，请查收。谢谢您的帮助。" * 4, "gb18030", {"gb18030"}),
    ],
)
def test_common_charsets_are_guessed(text: str, codec: str, right: set[str]) -> None:
    assert guess(text.encode(codec)) in right


def test_labels_are_for_messages_without_any() -> None:
    assert may_be_labelled(Header(b"Subject: x\r\n"))
    assert not may_be_labelled(Header(b"content-TYPE: text/plain\r\n"))
    assert label_fields("utf-8").count(b"\r\n") == 3


def test_only_what_is_missing_is_added() -> None:
    author = Address.parse("bob@a.test")
    header = Header(b"FROM: x\r\nDate: y\r\n")
    assert missing_fields(header, author=author, host="h.test", unique="u", at=0) == b"Message-ID: <u@h.test>\r\n"


@pytest.mark.parametrize(
    ("raw", "found"),
    [
        (b"To: a,b@x.test ,\r\n c\r\n", b"To: a@d.test,b@x.test ,\r\n c@d.test\r\n"),
        (b"Subject: a\r\n", b"Subject: a\r\n"),
        (b"To: A <a>\r\n", b"To: A <a>\r\n"),
        (b'To: "a"\r\n', b'To: "a"\r\n'),
        (b"To: group:;\r\n", b"To: group:;\r\n"),
        (b"To: two words\r\n", b"To: two words\r\n"),
        (b"To:\r\n", b"To:\r\n"),
    ],
)
def test_only_plain_lists_are_qualified(raw: bytes, found: bytes) -> None:
    assert qualified_header(Header(raw), "d.test") == found
