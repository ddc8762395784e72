"""A preview shows the first words that somebody wrote."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worldmail.mail.mime.scan import scan
from worldmail.mail.text.preview import LONGEST, _of_any, preview


def shown(message: bytes) -> str:
    return preview(message, scan(message))


def plain(text: str) -> str:
    return shown(b"Content-Type: text/plain; charset=utf-8\r\n\r\n" + text.replace("\n", "\r\n").encode())


def html(text: str) -> str:
    return shown(b"Content-Type: text/html; charset=utf-8\r\n\r\n" + text.encode())


@pytest.mark.parametrize(
    ("text", "preview"),
    [
        ("Hello\n\n  world \t !", "Hello world !"),
        ("", ""),
        ("On Monday Ann wrote:\n> old\n> words\n\nNew words", "New words"),
        ("New words\n\nOn Monday Ann\nwrote:\n\n> old", "New words"),
        ("New words:\n\nand more\n> old", "New words: and more"),
        ("> only\n> quoted", "only quoted"),
        ("On Monday Ann wrote:\n> old", "On Monday Ann wrote: old"),
        ("Hello\n-- \nAnn", "Hello"),
        ("=======\nNews\n-------\nfirst", "News first"),
        ("a\x00b\x07c\x85d", "a b c d"),
        ("👩\u200d👧 x", "👩\u200d👧 x"),
        ("Hello \u200c \u200c\xa0\u034f \u200c world", "Hello world"),
    ],
)
def test_the_preview_of_plain_text(text: str, preview: str) -> None:
    assert plain(text) == preview


@pytest.mark.parametrize(
    ("text", "preview"),
    [
        ("<style>p{}</style><p>Gr&uuml;&szlig;e</p>an<br>alle", "Grüße an alle"),
        ("<p>new</p><blockquote>old</blockquote>", "new"),
        ("<blockquote>old</blockquote>", "old"),
    ],
)
def test_the_preview_of_HTML(text: str, preview: str) -> None:
    assert html(text) == preview


def multipart(*parts: bytes) -> bytes:
    return b"Content-Type: multipart/mixed; boundary=x\r\n\r\n" + b"".join(
        b"--x\r\n%b\r\n" % part for part in (*parts, b"")
    )


HTML = b"Content-Type: text/html\r\n\r\n<p>marked</p>"
FILE = b"Content-Type: text/plain\r\nContent-Disposition: attachment\r\n\r\nfile"
EMPTY = b"Content-Type: text/plain\r\n\r\n \r\n"
INNER = b"Content-Type: message/rfc822\r\n\r\nSubject: x\r\n\r\ninner"
CODED = b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n%b"


def test_plain_text_comes_before_HTML_and_files_are_passed_over() -> None:
    assert shown(multipart(FILE, HTML, CODED % base64.b64encode("grün".encode()))) == "grün"
    assert shown(multipart(FILE, EMPTY, HTML)) == "marked"
    assert shown(multipart(FILE, INNER)) == ""


def test_a_preview_has_so_many_characters_and_not_octets() -> None:
    assert plain("ü" * 1000) == "ü" * LONGEST
    assert plain("word " * 100) == ("word " * 40).strip()


def test_the_beginning_of_a_long_text_is_enough() -> None:
    assert plain(" " * 10_000 + "a " + "ü" * 1_000_000).startswith("a ü")
    assert shown(CODED % base64.b64encode("äöü ".encode() * 100_000)) == ("äöü " * 50).strip()


@given(st.binary(max_size=300))
def test_nothing_raises_and_nothing_is_too_long(octets: bytes) -> None:
    for message in (octets, b"\r\n" + octets, b"Content-Type: text/html\r\n\r\n" + octets, multipart(octets, octets)):
        assert len(shown(message)) <= LONGEST
        assert "\0" not in shown(message) and "\n" not in shown(message)


@pytest.mark.parametrize(
    "unit", ["> x\n", "x:\n> ", "\n", "\u200c", "a:\n", "=" * 5, "<", "&#", "<blockquote>", "-- \n"]
)
def test_a_hostile_text_takes_no_longer(unit: str) -> None:
    plain(unit * 100_000)
    html(unit * 100_000)


@given(
    st.text("ab >-=:\n\r\t\x00é", max_size=40).flatmap(lambda text: st.integers(1, 60).map(lambda times: text * times))
)
def test_simple_text_has_the_preview_that_any_text_has(text: str) -> None:
    message = b"Subject: x\r\n\r\n" + text.encode()
    assert preview(message, scan(message)) == _of_any(message, scan(message))
