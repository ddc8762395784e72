"""Octets and their charset's name: the label is believed if it can be, and everything can be read."""

from __future__ import annotations

import codecs

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worldmail.mail.text.charsets import _NAMES, SAMPLE, codec_of, decode, decode_pieces, decode_word

GERMAN = "Grüße aus München, schöne Straßen, süße Äpfel und öffentliche Gärten überall. "
RUSSIAN = "Привет, как у тебя дела? Мы с тобой увидимся на следующей неделе в городе. "

LABELS = """
    utf-8 UTF8 us-ascii iso-8859-1 windows-1252 koi8-r iso-2022-jp gb2312 big5 utf-7 utf-16 shift_jis hz-gb-2312
    ks_c_5601-1987 x-unknown base64_codec zlib
"""
NAMES = st.sampled_from(LABELS.split())


@pytest.mark.parametrize(
    ("charset", "text"),
    [
        ("utf-8", RUSSIAN),
        ("UTF8", GERMAN),
        ("koi8-r", RUSSIAN),
        ("windows-1251", RUSSIAN),
        ("iso-8859-5", RUSSIAN),
        ("ISO_8859-15", "für 5 €"),
        ("iso-2022-jp", "日本語のテキスト"),
        ("Shift_JIS", "日本語のテキスト"),
        ("euc-jp", "日本語のテキスト"),
        ("gb2312", "简体中文"),
        ("big5", "繁體中文"),
        ("ks_c_5601-1987", "한국어"),
        ("utf-16", "both ways"),
        ("utf-7", "Grüße"),
    ],
)
def test_a_label_that_is_true_is_believed(charset: str, text: str) -> None:
    codec = codec_of(charset)
    assert codec is not None
    assert decode(text.encode(codec), charset) == text


@pytest.mark.parametrize("name", ["base64", "zlib_codec", "hex", "rot13", "bz2", "idna", "punycode", "unicode_escape"])
def test_codecs_that_are_no_charsets_are_unknown(name: str) -> None:
    assert codec_of(name) is None


def test_names_are_compared_by_letters_and_digits() -> None:
    assert codec_of("ISO8859_2") == codec_of("iso-8859-2") == codec_of("  ISO-8859-2 ") == "iso8859_2"
    assert codec_of("windows-1252") == codec_of("CP1252") == codec_of("x-cp1252") == "cp1252"


def test_each_codec_of_the_table_is_there() -> None:
    for codec in _NAMES.values():
        assert codecs.lookup(codec)


def test_latin1_is_read_with_the_quotes_that_windows_puts_in() -> None:
    assert decode(b"\x93so\x94 \xfc", "iso-8859-1") == "“so” ü"


def test_utf8_under_a_wrong_label_is_read_as_utf8() -> None:
    assert decode(RUSSIAN.encode(), "us-ascii") == RUSSIAN
    assert decode(RUSSIAN.encode(), "no-such-charset") == RUSSIAN
    assert decode(RUSSIAN.encode()) == RUSSIAN


def test_what_has_no_label_is_guessed() -> None:
    assert decode((RUSSIAN * 3).encode("koi8-r")) == RUSSIAN * 3
    assert decode((GERMAN * 3).encode("latin-1"), "us-ascii") == GERMAN * 3


def test_a_little_damage_does_not_unsettle_a_label() -> None:
    octets = (RUSSIAN * 3).encode()[:-3] + b"\xff"
    assert decode(octets, "utf-8").startswith(RUSSIAN * 2)


@pytest.mark.parametrize("charset", ["utf-8", "utf-16", "euc-jp", "gb18030"])
def test_a_text_that_breaks_off_is_read_up_to_there(charset: str) -> None:
    octets = "日本語のテキスト".encode(charset)
    assert decode(octets[:-1], charset).startswith("日本語のテキス")


@pytest.mark.parametrize("charset", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_the_order_of_octets_is_found(charset: str, mark: str) -> None:
    octets = (mark + "text é日").encode(charset)
    assert decode(octets, charset[:6]) == "text é日"
    assert "".join(decode_pieces([octets * SAMPLE], charset[:6])).startswith("text é日")


def test_a_byte_order_mark_is_not_text() -> None:
    assert decode(b"\xef\xbb\xbf\xc3\xbc", "utf-8") == "ü"


def test_halves_of_surrogate_pairs_are_replaced() -> None:
    assert decode(b"+2AA-x", "utf-7") == "\ufffdx"


def test_a_word_is_not_guessed() -> None:
    assert decode_word(b"\xff\xfe", "no-such-charset") is None
    assert decode_word("ü".encode(), "no-such-charset") == "ü"
    assert decode_word(b"a\xff", "utf-8") == "a\ufffd"


@given(st.binary(max_size=300), NAMES | st.text(max_size=50))
def test_anything_is_text_that_can_be_encoded(octets: bytes, charset: str) -> None:
    decode(octets, charset).encode()
    "".join(decode_pieces([octets[:7], octets[7:]], charset)).encode()
    (decode_word(octets, charset) or "").encode()


@pytest.mark.parametrize("name", sorted(set(_NAMES.values())))
@settings(max_examples=20)
@given(octets=st.binary(min_size=1, max_size=40), size=st.integers(1, 100))
def test_a_long_text_of_anything_is_read(name: str, octets: bytes, size: int) -> None:
    pieces = [octets * (SAMPLE // len(octets) + 1), *(octets[at:] * size for at in range(min(5, len(octets))))]
    "".join(decode_pieces(pieces, name)).encode()


def test_a_shift_of_UTF7_that_does_not_end_is_read_once() -> None:
    assert sum(map(len, decode_pieces([b"+" + b"AGEA" * 20_000] * 200, "utf-7"))) > 1_000_000
    text = "Grüße\r\n" * 20_000
    octets = text.encode("utf-7")
    pieces = [octets[at : at + 10_000] for at in range(0, len(octets), 10_000)]
    assert "".join(decode_pieces(pieces, "utf-7")) == text


@given(st.text(max_size=200), st.integers(1, 50))
def test_a_long_text_in_pieces_is_what_it_was(text: str, size: int) -> None:
    octets = b"x" * SAMPLE + text.encode()
    pieces = [octets[: SAMPLE - 3], *(octets[at : at + size] for at in range(SAMPLE - 3, len(octets), size))]
    assert "".join(decode_pieces(pieces, "utf-8")) == octets.decode()


@given(st.binary(max_size=200), NAMES)
def test_a_short_text_in_pieces_is_read_as_if_it_were_whole(octets: bytes, charset: str) -> None:
    assert "".join(decode_pieces((bytes([octet]) for octet in octets), charset)) == decode(octets, charset)
