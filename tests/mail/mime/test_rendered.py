"""What was rendered is read back."""

from __future__ import annotations

import contextlib
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worldmail.mail.mime.envelope import render_envelope
from worldmail.mail.mime.quoting import nstring
from worldmail.mail.mime.rendered import EnvelopeAddress, Value, envelope_fields, read_addresses, read_text, read_value
from worldmail.mail.mime.scan import scan
from worldmail.mail.mime.structure import render_structure

OCTETS = st.binary(max_size=20).map(lambda octets: octets.replace(b"\0", b""))
VALUES = st.recursive(
    st.none() | OCTETS | st.integers(0, 10**15), lambda values: st.lists(values, max_size=4).map(tuple), max_leaves=20
)


def render(value: Value) -> bytes:
    if isinstance(value, tuple):
        return b"(%b)" % b" ".join(map(render, value))
    return b"%d" % value if isinstance(value, int) else nstring(value)


class Envelope(NamedTuple):
    date: bytes | None
    subject: bytes | None
    from_: tuple[EnvelopeAddress, ...]
    sender: tuple[EnvelopeAddress, ...]
    reply_to: tuple[EnvelopeAddress, ...]
    to: tuple[EnvelopeAddress, ...]
    cc: tuple[EnvelopeAddress, ...]
    bcc: tuple[EnvelopeAddress, ...]
    in_reply_to: bytes | None
    message_id: bytes | None


def read_envelope(octets: bytes) -> Envelope:
    """All of its fields."""
    fields = envelope_fields(octets)
    return Envelope(
        *map(read_text, fields[:2]),  # type: ignore[arg-type]  # two, six and two
        *map(read_addresses, fields[2:8]),  # type: ignore[arg-type]
        *map(read_text, fields[8:]),  # type: ignore[arg-type]
    )


@given(VALUES)
def test_a_value_is_read_back(value: Value) -> None:
    assert read_value(render(value)) == value


@given(
    st.builds(
        lambda names, values: dict(zip(names, values, strict=False)),
        st.lists(st.sampled_from([b"date", b"subject", b"from", b"to", b"cc", b"message-id"]), unique=True),
        st.lists(OCTETS | st.sampled_from([b'"A, B" <a@b.test>', b"g: x@y.test;", b"=?utf-8?q?=C3=BC?= <u@v.test>"])),
    )
)
def test_every_envelope_is_read_back(fields: dict[bytes, bytes]) -> None:
    rendered = render_envelope(fields)
    envelope = read_envelope(rendered)
    assert (envelope.subject is None) == (b"subject" not in fields)
    value = read_value(rendered)
    assert isinstance(value, tuple)
    assert tuple(envelope) == tuple(
        () if field is None and 2 <= place < 8 else field for place, field in enumerate(value)
    )


def test_an_envelope_has_its_fields() -> None:
    fields = {
        b"date": b"Sun, 22 Nov 2026 12:30:45 +0000",
        b"subject": b'a "quoted" \\ word',
        b"from": b'"Some One" <one@a.test>',
        b"to": b"g: x@y.test;, z@w.test",
        b"message-id": "<ü@a.test>".encode(),
    }
    envelope = read_envelope(render_envelope(fields))
    assert envelope.subject == b'a "quoted" \\ word'
    assert envelope.from_ == envelope.sender == (EnvelopeAddress(b"Some One", None, b"one", b"a.test"),)
    assert envelope.to == (
        EnvelopeAddress(None, None, b"g", None),
        EnvelopeAddress(None, None, b"x", b"y.test"),
        EnvelopeAddress(None, None, None, None),
        EnvelopeAddress(None, None, b"z", b"w.test"),
    )
    assert envelope.cc == ()
    assert envelope.message_id == "<ü@a.test>".encode()


def test_a_structure_is_read_back() -> None:
    message = b'Content-Type: multipart/mixed; boundary="x"\r\n\r\n--x\r\n\r\nhello\r\n--x--\r\n'
    assert read_value(render_structure(scan(message)))


def test_a_literal_is_no_syntax() -> None:
    message_id = b'x" NIL) (\r\n'
    envelope = read_envelope(render_envelope({b"message-id": message_id, b"subject": b"(\xff", b"from": b"\xff <a@b>"}))
    assert (envelope.message_id, envelope.subject) == (message_id, b"(\xff")
    assert envelope.from_ == (EnvelopeAddress(b"\xff", None, b"a", b"b"),)


@pytest.mark.parametrize("octets", [b"", b")", b"(", b'"x', b"x", b"NIL NIL", b"{3}\r\nab", b"(NIL))", b"{1}a", b"()x"])
def test_what_is_no_value_is_refused(octets: bytes) -> None:
    with pytest.raises(ValueError):
        read_value(octets)


@pytest.mark.parametrize("octets", [b"NIL", b"(NIL)", b"(" + b"NIL " * 9 + b"())x", b"(" + b"() " * 9 + b"())"])
def test_what_is_no_envelope_is_refused(octets: bytes) -> None:
    with pytest.raises(ValueError):
        read_envelope(octets)


@given(st.binary(max_size=60) | st.text('()" \\NIL{}0123\r\n').map(str.encode))
def test_nothing_else_is_raised(octets: bytes) -> None:
    with contextlib.suppress(ValueError):
        read_value(octets)
    with contextlib.suppress(ValueError):
        read_envelope(octets)


def test_depth_is_no_matter() -> None:
    deep = read_value(b"(" * 200_000 + b")" * 200_000)
    assert isinstance(deep, tuple)
