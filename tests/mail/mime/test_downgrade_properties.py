"""Whatever the message is: what was converted can be sent, and every part decodes to what it was."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from worldmail.mail.mime.decoding import UnknownEncoding, decoded
from worldmail.mail.mime.downgrade import CannotConvert, Source, eight_bit, seven_bit
from worldmail.mail.mime.part import Part
from worldmail.mail.mime.scan import scan

Converter = Callable[[Source], AsyncIterator[bytes]]
BOTH = pytest.mark.parametrize("convert", [seven_bit, eight_bit])

# Lines that mean something, so that chance makes messages and not noise.
LINES = (
    b"",
    b"--a",
    b"--a--",
    b"--ab",
    b"--ab--",
    b"--",
    b"Content-Type: multipart/mixed; boundary=a",
    b"Content-Type: multipart/digest; boundary=ab",
    b'Content-Type: multipart/alternative; boundary="a"',
    b"Content-Type: multipart/signed; boundary=ab",
    b"Content-Type: multipart/mixed",
    b"Content-Type: message/rfc822",
    b"Content-Type: text/plain; charset=utf-8",
    b"Content-Type: application/octet-stream",
    b"Content-Transfer-Encoding: base64",
    b"Content-Transfer-Encoding: 8bit",
    b"Content-Transfer-Encoding: binary",
    b"content-transfer-encoding : 7bit",
    b"Content-Transfer-Encoding:",
    b" 8bit (folded)",
    b"text",
    b"=C3=A4",
    "füße".encode(),
    b"\0",
    b"\xff\xfe" * 20,
    b"x" * 999,
)
FEW_OCTETS = st.lists(
    st.sampled_from([b"\r\n", b"\n", b"\r", b"-", b"--a", b" ", b".", b"=", b"\xe4", b"\0", b"z" * 80])
)
messages = st.one_of(
    st.binary(max_size=200),
    st.lists(st.one_of(st.sampled_from(LINES), st.binary(max_size=12)), max_size=40).map(b"\r\n".join),
    st.lists(st.sampled_from(LINES), max_size=40).map(b"\n".join),
)
bodies = FEW_OCTETS.map(b"".join) | st.binary(max_size=200)
leaves = st.builds(
    lambda kind, label, body: kind + label + b"\r\n" + body,
    st.sampled_from([b"", b"Content-Type: text/plain\r\n", b"Content-Type:\r\n image/png\r\n"]),
    st.sampled_from([b"", b"Content-Transfer-Encoding: 8bit\r\n", b"Content-Transfer-Encoding:\r\n Binary\r\n"]),
    bodies,
)


def _multipart(parts: list[bytes], number: int, label: bytes, preamble: bytes, end: bytes) -> bytes:
    boundary = b"=_%d" % number
    inside = b"".join(b"\r\n--%b\r\n%b" % (boundary, part) for part in parts)
    return b"%bContent-Type: multipart/mixed; boundary=%b\r\n\r\n%b%b%b" % (
        label,
        b'"%b"' % boundary,
        preamble,
        inside,
        end.replace(b"B", boundary),
    )


def _nested(inner: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    label = st.sampled_from([b"", b"Content-Transfer-Encoding: 8bit\r\n", b"Content-Transfer-Encoding: binary\r\n"])
    return st.one_of(
        st.builds(
            _multipart,
            st.lists(inner, min_size=1, max_size=3),
            st.integers(0, 10**9),
            label,
            st.sampled_from([b"", b"before\r\n", "füße\n".encode()]),
            st.sampled_from([b"\r\n--B--\r\n", b"\r\n--B--", b"", b"\r\n--B-- \r\n\xfcber\r\n"]),
        ),
        st.builds(lambda said, inside: said + b"Content-Type: message/rfc822\r\n\r\n" + inside, label, inner),
    )


trees = st.recursive(leaves, _nested, max_leaves=6)


def converted(convert: Converter, message: bytes, cut: int = 1 << 16) -> bytes:
    async def source() -> AsyncIterator[bytes]:
        for at in range(0, len(message), cut):
            yield message[at : at + cut]

    async def gathered() -> bytes:
        return b"".join([chunk async for chunk in convert(source)])

    return asyncio.run(gathered())


def shape(message: bytes) -> Any:
    """The tree: types, and what each leaf decodes to."""
    return _shape(message, scan(message))


def _shape(message: bytes, part: Part) -> Any:
    kind = (part.content.type.lower(), part.content.subtype.lower())
    if part.is_multipart or part.is_message:
        return kind, [_shape(message, child) for child in part.children]
    try:
        return kind, b"".join(decoded(message, part))
    except UnknownEncoding:
        return kind, message[part.body : part.end]


def assert_is_carried(convert: Converter, message: bytes) -> None:
    assert b"\0" not in message
    assert b"\n" not in message.replace(b"\r\n", b"") and b"\r" not in message.replace(b"\r\n", b"")
    assert max(map(len, message.split(b"\r\n"))) <= 998
    said = [part.fields.get(b"content-transfer-encoding", b"").lower() for part in _unsealed(scan(message))]
    assert not any(b"binary" in one for one in said)
    if convert is seven_bit:
        assert message.isascii()
        assert not any(b"8bit" in one for one in said)


def _unsealed(part: Part) -> list[Part]:
    if part.content.subtype.lower() == b"signed":
        return []
    return [part, *(found for child in part.children for found in _unsealed(child))]


@BOTH
@given(message=trees)
@settings(max_examples=300, deadline=None)
def test_a_message_is_converted_leaf_by_leaf(convert: Converter, message: bytes) -> None:
    assume(b"\n\n\r\n" not in message)
    given_out = converted(convert, message)
    assert shape(given_out) == shape(message)
    assert_is_carried(convert, given_out)
    assert converted(convert, given_out) == given_out


@BOTH
@given(message=messages)
@settings(max_examples=600, deadline=None)
def test_a_broken_message_decodes_to_the_same_or_is_refused(convert: Converter, message: bytes) -> None:
    assume(b"\n\n\r\n" not in message)
    try:
        given_out = converted(convert, message)
    except CannotConvert:
        return
    assert shape(given_out) == shape(message)
    assert converted(convert, given_out) == given_out


@BOTH
@given(message=st.one_of(trees, messages), cut=st.integers(1, 40))
@settings(max_examples=300, deadline=None)
def test_it_does_not_matter_how_it_was_cut(convert: Converter, message: bytes, cut: int) -> None:
    def said(size: int) -> bytes | str:
        try:
            return converted(convert, message, size)
        except CannotConvert as refused:
            return str(refused)

    assert said(cut) == said(1 << 16)
