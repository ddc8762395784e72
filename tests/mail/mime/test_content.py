"""What parts say of their content (RFC 2045, 2046, 2183, 2231, 3282)."""

from __future__ import annotations

import pytest

from worldmail.mail.mime.content import (
    MAXIMUM_PARAMETERS,
    MESSAGE,
    TEXT_PLAIN,
    content_type,
    disposition,
    languages,
    parameters,
    transfer_encoding,
)


def given(text: bytes) -> dict[bytes, bytes]:
    return dict(parameters(text, 0))


@pytest.mark.parametrize(
    ("value", "rendered"),
    [
        (b"text/plain", b'"text" "plain" ("charset" "us-ascii")'),
        (b"TEXT/Html; Charset=UTF-8", b'"TEXT" "Html" ("Charset" "UTF-8")'),
        (b"text / plain (c) ; a = b", b'"text" "plain" ("a" "b" "charset" "us-ascii")'),
        (b"(c) text/(d)plain; charset=x(e)", b'"text" "plain" ("charset" "x")'),
        (b"image/gif", b'"image" "gif" NIL'),
        (b"te.xt/x.y-z+q;", b'"te.xt" "x.y-z+q" NIL'),
        (b"text/\xff", b'"text" {1}\r\n\xff ("charset" "us-ascii")'),
        (b"text/html; charset*=us-ascii''x", b'"text" "html" ("charset*" "us-ascii\'\'x")'),
        (b'a/b; c="d\\"e\\\\f"', b'"a" "b" ("c" "d\\"e\\\\f")'),
        (b"Message/RFC822", b'"message" "rfc822" NIL'),
    ],
)
def test_a_type_is_given_as_it_was_written(value: bytes, rendered: bytes) -> None:
    assert content_type(value).rendered == rendered


@pytest.mark.parametrize(
    "value",
    [b"", b"text", b"text/", b"/plain", b"text/plain charset=x", b"text/plain/x", b'"text"/plain', b"a b/c", b";"],
)
def test_a_type_that_cannot_be_read_is_plain_text_wherever_it_stands(value: bytes) -> None:
    assert content_type(value, MESSAGE) is TEXT_PLAIN
    assert content_type(None, MESSAGE) is MESSAGE


@pytest.mark.parametrize(
    ("value", "boundary"),
    [
        (b"multipart/mixed; boundary=b", b"b"),
        (b'multipart/mixed; BOUNDARY="b c"', b"b c"),
        (b'multipart/mixed; boundary="b "', b"b"),
        (b"multipart/mixed; boundary=b; boundary=c", b"b"),
        (b"multipart/mixed; boundary*0=b; boundary*1=c", b"bc"),
        (b"multipart/mixed; boundary*=us-ascii''b", None),
        (b"multipart/mixed; boundary=" + b"x" * 200, b"x" * 80),
        (b"multipart/mixed", None),
        (b"text/plain; boundary=b", None),
    ],
)
def test_a_multipart_has_its_boundary(value: bytes, boundary: bytes | None) -> None:
    assert content_type(value).boundary == boundary


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (b"a=b;c=d", {b"a": b"b", b"c": b"d"}),
        (b' a = "b;c" ; d=e', {b"a": b"b;c", b"d": b"e"}),
        (b"a=b c; d=e", {b"a": b"b", b"d": b"e"}),
        (b"a=b/c; d=e", {b"a": b"b", b"d": b"e"}),
        (b'a=; b=""', {b"a": b"", b"b": b""}),
        (b"a; =b;; c=d", {b"c": b"d"}),
        (b'a=b; c="not closed', {b"a": b"b"}),
        (b'a="b"c; d=e', {b"a": b"b", b"d": b"e"}),
        (b"a=J\xc3\xb6rg", {b"a": b"J\xc3\xb6rg"}),
    ],
)
def test_parameters_are_read_as_far_as_they_can_be(text: bytes, found: dict[bytes, bytes]) -> None:
    assert given(text) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (b"n*0=a; n*1=b; n*2=c", {b"n": b"abc"}),
        (b"n*1=b; N*0=a; x=y", {b"x": b"y", b"n": b"ab"}),
        (b"n*0*=utf-8''%41; n*1*=%42; n*2=c", {b"n*": b"utf-8''%41%42c"}),
        (b"n*0=a; n*1*=%42", {b"n*": b"''a%42"}),
        (b"n*=utf-8'en'%41", {b"n*": b"utf-8'en'%41"}),
        (b"n*0=a; n*2=c", {b"n*0": b"a", b"n*2": b"c"}),
        (b"n*1=b", {b"n*1": b"b"}),
        (b"n*x=a", {b"n*x": b"a"}),
    ],
)
def test_parameters_in_pieces_are_put_together_if_none_is_missing(text: bytes, found: dict[bytes, bytes]) -> None:
    assert given(text) == found


def test_there_is_a_bound_to_the_number_of_parameters() -> None:
    assert len(parameters(b"a=b;" * 5000, 0)) == MAXIMUM_PARAMETERS


@pytest.mark.parametrize(
    ("value", "kind", "found"),
    [
        (b"inline", b"inline", ()),
        (b"ATTACHMENT; filename=x", b"ATTACHMENT", ((b"filename", b"x"),)),
        (b"attachment foo; a=b", b"attachment", ((b"a", b"b"),)),
        (b"; filename=x", b"", ((b"filename", b"x"),)),
        (b'"attachment"; filename=x', b"", ((b"filename", b"x"),)),
        (b"", b"", ()),
    ],
)
def test_a_disposition_has_a_type_and_parameters(value: bytes, kind: bytes, found: object) -> None:
    assert disposition(value) == (kind, found)


@pytest.mark.parametrize(
    ("value", "mechanism"),
    [
        (None, b"7bit"),
        (b"BASE64", b"BASE64"),
        (b"(c) base64 (d)", b"base64"),
        (b"x-own", b"x-own"),
        (b"7bit;", b"7bit"),
        (b"", b"7bit"),
        (b"two words", b"7bit"),
        (b'"base64"', b"7bit"),
    ],
)
def test_a_transfer_encoding_that_cannot_be_read_is_7bit(value: bytes | None, mechanism: bytes) -> None:
    assert transfer_encoding(value) == mechanism


def test_languages_are_tags_between_commas() -> None:
    assert languages(b"en, de-AT (Austrian) ,, fr") == [b"en", b"de-AT", b"fr"]
    assert len(languages(b"a," * 5000)) == MAXIMUM_PARAMETERS
