"""BODYSTRUCTURE and BODY (RFC 9051 §7.5.2)."""

from __future__ import annotations

import pytest

from worldmail.mail.mime.scan import scan
from worldmail.mail.mime.structure import render_structure
from worldmail.protocols.imap.fetch.body import without_extensions

PLAIN = b'("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" %d %d%b)'
NOTHING = b" NIL NIL NIL NIL"


def message(header: bytes, body: bytes) -> bytes:
    return b"%b\r\n\r\n%b" % (header.replace(b"\n", b"\r\n"), body.replace(b"\n", b"\r\n"))


def assert_rendered(data: bytes, structure: bytes, body: bytes) -> None:
    assert render_structure(scan(data)) == structure
    assert without_extensions(structure) == body


def test_text_has_its_size_and_lines() -> None:
    assert_rendered(b"Subject: x\r\n\r\none\r\ntwo", PLAIN % (8, 1, NOTHING), PLAIN % (8, 1, b""))


def test_what_is_no_text_has_its_size_only() -> None:
    data = message(b"Content-Type: image/gif\nContent-Transfer-Encoding: base64", b"QUJD\n")
    basic = b'("image" "gif" NIL NIL NIL "base64" 6'
    assert_rendered(data, basic + NOTHING + b")", basic + b")")


def test_all_that_a_part_says_of_itself_is_shown_in_its_place() -> None:
    header = (
        b'Content-Type: text/html; charset=utf-8\nContent-ID: <a@b>\nContent-Description: "d"\n'
        b"Content-Transfer-Encoding: 8bit\nContent-MD5: md5==\nContent-Disposition: inline; filename=x\n"
        b"Content-Language: en, de\nContent-Location: http://a.test/"
    )
    basic = b'("text" "html" ("charset" "utf-8") "<a@b>" "\\"d\\"" "8bit" 0 0'
    extension = b' "md5==" ("inline" ("filename" "x")) ("en" "de") "http://a.test/"'
    assert_rendered(message(header, b""), basic + extension + b")", basic + b")")


def test_a_multipart_has_its_parts_side_by_side() -> None:
    header = b"Content-Type: multipart/mixed; boundary=b\nContent-Disposition: inline\nContent-Language: en"
    data = message(header, b"--b\n\none\n--b\nContent-Type: image/gif\n\ntwo\n--b--")
    gif = b'("image" "gif" NIL NIL NIL "7bit" 3%b)'
    assert_rendered(
        data,
        b'(%b%b "mixed" ("boundary" "b") ("inline" NIL) ("en") NIL)' % (PLAIN % (3, 0, NOTHING), gif % NOTHING),
        b'(%b%b "mixed")' % (PLAIN % (3, 0, b""), gif % b""),
    )


def test_a_multipart_without_parts_is_shown_with_an_empty_one() -> None:
    assert_rendered(
        message(b"Content-Type: multipart/mixed", b"text"),
        b'(%b "mixed" NIL NIL NIL NIL)' % (PLAIN % (0, 0, NOTHING)),
        b'(%b "mixed")' % (PLAIN % (0, 0, b"")),
    )


@pytest.mark.parametrize("subtype", [b"rfc822", b"global"])
def test_a_message_in_a_message_has_its_envelope_structure_and_lines(subtype: bytes) -> None:
    data = message(b"Content-Type: message/" + subtype, b"Subject: in\n\none\n")
    envelope = b'(NIL "in" NIL NIL NIL NIL NIL NIL NIL NIL)'
    basic = b'("message" "%b" NIL NIL NIL "7bit" 20 %b ' % (subtype, envelope)
    assert_rendered(
        data,
        b"%b%b 3%b)" % (basic, PLAIN % (5, 1, NOTHING), NOTHING),
        b"%b%b 3)" % (basic, PLAIN % (5, 1, b"")),
    )


def test_8_bit_values_are_literals() -> None:
    data = message(b"Content-Type: a/b; name=\xfc\nContent-Description: \xc3\xbc", b"")
    assert (
        render_structure(scan(data)) == b'("a" "b" ("name" {1}\r\n\xfc) NIL {2}\r\n\xc3\xbc "7bit" 0 NIL NIL NIL NIL)'
    )
