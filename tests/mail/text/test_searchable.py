"""What SEARCH finds in a message, as RFC 9051 §6.4.4 has it and as Dovecot does."""

from __future__ import annotations

import base64
import itertools
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worldmail.mail.mime.scan import scan
from worldmail.mail.text.casemap import fold
from worldmail.mail.text.charsets import SAMPLE
from worldmail.mail.text.searchable import (
    LONGEST_HTML,
    body_texts,
    field_texts,
    folded,
    found,
    header_lines,
    header_texts,
    matches,
)
from worldmail.mail.text.tokens import fragments, terms_of_pieces

MESSAGE = (
    b"""\
From: =?utf-8?q?J=C3=BCrgen?= Muster <j@a.test>
To: b@b.test
Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?= an
 alle zusammen
X-Raw:one
\ttwo
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=xx

the preamble text
--xx
Content-Type: text/plain; charset=iso-8859-1
Content-Transfer-Encoding: quoted-printable
X-Part: partheaderword =?utf-8?q?M=C3=BCller?=

softly bro=
ken w=F6rd and line one
line two
--xx
Content-Type: text/html; charset=utf-8

<p class="tagword">b<b>o</b>ld &uuml;mlaut</p>
--xx
Content-Type: application/octet-stream; name=attachname.bin
Content-Transfer-Encoding: base64

%b
--xx
Content-Type: application/json

jsonword
--xx
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: base64

%b
--xx
Content-Type: message/rfc822

Subject: =?utf-8?q?inn=C3=A9r?= innersubject
From: inner@c.test
Content-Type: text/plain

innerbody text
--xx
Content-Type: message/delivery-status

Reporting-MTA: dns; mtaword.test
--xx
Content-Type: text/plain
Content-Transfer-Encoding: x-uuencode

uuword
--xx--
the epilogue text
""".replace(b"\n", b"\r\n")
    % (
        base64.b64encode(b"secretbinary inside"),
        base64.b64encode("decodedtext ünïcode".encode()),
    )
)
ROOT = scan(MESSAGE)


def in_header(needle: str) -> bool:
    return matches(header_texts(MESSAGE, ROOT), fold(needle))


def in_body(needle: str) -> bool:
    return matches(body_texts(MESSAGE, ROOT), fold(needle))


@pytest.mark.parametrize(
    "needle",
    [
        *(
            "softly broken",
            "WÖRD",
            "one\r\nline two",
            "tagword",
            "b<b>o",
            "&uuml;",
            "decodedtext",
            "ünïcode",
            "innerbody",
        ),
        *("mtaword", "bold", "ümlaut"),
    ],
)
def test_these_are_in_the_body(needle: str) -> None:
    assert in_body(needle) and not in_header(needle)


@pytest.mark.parametrize(
    "needle",
    [
        *(
            "partheaderword",
            "Müller",
            "attachname",
            "octet-stream",
            "innersubject",
            "innér",
            "inner@c",
            "Grüße",
            "an alle",
        ),
        *("Subject: GRÜ", "Subject:", "X-Raw: one two", "Jürgen Muster", "multipart/mixed", "X-Part: part", "boundary"),
    ],
)
def test_these_are_in_a_header(needle: str) -> None:
    assert in_header(needle) and not in_body(needle)


@pytest.mark.parametrize(
    "needle",
    [
        *(
            "preamble",
            "epilogue",
            "one line",
            "secretbinary",
            base64.b64encode(b"secret").decode(),
            "jsonword",
            "uuword",
        ),
        *("--xx", "=?utf-8", "one\ttwo", "softly bro="),
    ],
)
def test_these_are_nowhere(needle: str) -> None:
    assert not in_header(needle) and not in_body(needle)


def test_a_field_is_looked_for_in_the_header_of_the_message() -> None:
    header = MESSAGE[: ROOT.body]
    assert field_texts(header, "subject") == ["Grüße an alle zusammen"]
    assert field_texts(header, "x-raw") == ["one two"]
    assert field_texts(header, "x-part") == []
    assert field_texts(b"A: 1\r\nB:\r\na :2\r\n", "a") == ["1", "2"]
    assert field_texts(b"A: 1\r\nB:\r\n\r\n", "b") == [""]
    assert field_texts(b"A.B: 1\r\n", "a?b") == []


def test_raw_octets_in_a_header_are_read_field_by_field() -> None:
    header = "A: Grüße\r\n".encode() + "B: schöne Grüße aus München\r\nC: süße Äpfel\r\n".encode("latin-1")
    assert header_lines(header) == "A: Grüße\nB: schöne Grüße aus München\nC: süße Äpfel\n"


def test_an_empty_needle_is_in_everything() -> None:
    assert matches([], "") and not matches([], "x")
    assert found([["ab"]], ["", "a", "c"]) == {"", "a"}


@given(st.lists(st.text("abé", max_size=6), max_size=8), st.text("abé", max_size=5))
def test_a_needle_is_found_across_pieces(pieces: list[str], needle: str) -> None:
    assert matches([pieces], fold(needle)) == (fold(needle) in fold("".join(pieces)))


@given(st.lists(st.text("ab", max_size=4), max_size=4), st.text("ab", min_size=1, max_size=4))
def test_a_needle_is_not_found_across_texts(texts: list[str], needle: str) -> None:
    assert matches([[text] for text in texts], needle) == any(needle in text for text in texts)


def test_a_text_is_read_no_further_than_it_takes() -> None:
    endless = itertools.chain(["abc"], itertools.repeat("x"))
    assert found([endless], ["abc", "x"]) == {"abc", "x"}


def test_a_large_part_comes_in_pieces() -> None:
    for subtype in (b"plain", b"html"):
        body = b"word " * (2 * LONGEST_HTML // 5) + "größte".encode() + b" end" * SAMPLE
        message = b"Content-Type: text/%b; charset=utf-8\r\n\r\n" % subtype + body
        (text,) = body_texts(message, scan(message))
        assert max(map(len, text)) <= 2 * SAMPLE
        (text,) = body_texts(message, scan(message))
        assert matches([text], fold("größte end"))


def test_so_much_HTML_in_a_message_is_looked_through_as_it_is_read() -> None:
    part = b"--x\r\nContent-Type: text/html\r\n\r\n" + b"<b>x</b>" * (LONGEST_HTML // 20) + b"\r\n"
    message = b"Content-Type: multipart/mixed; boundary=x\r\n\r\n" + part * 4
    assert sum(1 for text in body_texts(message, scan(message)) for _ in zip(text, "x", strict=False)) == 4 + 2


def test_the_terms_of_a_message_lead_to_it() -> None:
    terms = terms_of_pieces(folded(itertools.chain(header_texts(MESSAGE, ROOT), body_texts(MESSAGE, ROOT))))
    assert terms is not None
    for needle in ("grüße", "mtaword", "innersubject", "ümlaut", "wörd"):
        asked = fragments(fold(needle))
        assert asked.exact and any(asked.parts[0][0] in term for term in terms)


@given(st.text(min_size=1, max_size=80).filter(str.strip), st.sampled_from(["utf-8", "utf-16", "utf-7"]))
def test_what_the_standard_library_composes_is_found(text: str, charset: str) -> None:
    text = "".join(character for character in text if character.isprintable()) or "x"
    composed = EmailMessage()
    composed.set_content(text, charset=charset, cte="base64")
    message = composed.as_bytes().replace(b"\n", b"\r\n")
    assert matches(body_texts(message, scan(message)), fold(text))


@given(st.binary(max_size=300))
def test_nothing_raises(octets: bytes) -> None:
    for message in (octets, MESSAGE[:600] + octets + MESSAGE[600:]):
        root = scan(message)
        matches(header_texts(message, root), "x\0")
        matches(body_texts(message, root), "x\0")
        field_texts(message, "subject")


def test_a_hostile_header_is_read_in_one_go() -> None:
    for unit in (b"a:\xff\r\n", b"=?a?q?", b"\r\n ", b":", b" ", b"\t:", b"subject:\xff\r\n \r\n"):
        header_lines(unit * 200_000)
        field_texts(b"subject" + unit * 200_000, "subject")
