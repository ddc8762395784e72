"""base64 and quoted-printable, while content streams."""

from __future__ import annotations

import binascii

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worldmail.mail.mime.encoders import Base64Encoder, Encoder, QuotedPrintableEncoder

BOTH = pytest.mark.parametrize("kind", [Base64Encoder, QuotedPrintableEncoder])
texts = st.lists(
    st.sampled_from(
        [b"\r\n", b"\r", b"\n", b"--", b"-" * 73, b"=", b" ", b"\t", b".", b"\xe4", b"x" * 70, b"y" * 4093, b"\0"]
    )
).map(b"".join)


def encoded(kind: type[Encoder], octets: bytes, cut: int, *, last: bool) -> bytes:
    encoder = kind()
    given_out = b"".join([encoder.feed(octets[at : at + cut]) for at in range(0, len(octets), cut)])
    return given_out + encoder.finish(last=last)


def decoded(kind: type[Encoder], octets: bytes) -> bytes:
    return binascii.a2b_base64(octets) if kind is Base64Encoder else binascii.a2b_qp(octets)


@BOTH
@given(octets=texts | st.binary(max_size=300), cut=st.integers(1, 5000), last=st.booleans())
@settings(deadline=None)
def test_what_was_encoded_decodes_to_what_it_was(kind: type[Encoder], octets: bytes, cut: int, last: bool) -> None:
    given_out = encoded(kind, octets, cut, last=last)
    assert decoded(kind, given_out) == octets
    assert given_out == encoded(kind, octets, 1 << 20, last=last)
    rows = given_out.split(b"\r\n")
    assert max(map(len, rows)) <= 76
    assert not any(row.startswith(b"--") or row.endswith((b" ", b"\t")) for row in rows)
    assert given_out.isascii() and b"\n" not in b"".join(rows) and b"\r" not in b"".join(rows)
    assert not (last and octets) or given_out.endswith(b"\r\n")


def test_plain_lines_stay_as_they_are() -> None:
    text = b"Dear all,\r\n\r\n\tthis is text.\r\n" + b"x" * 75 + b"\r\n"
    assert encoded(QuotedPrintableEncoder, text, 1000, last=True) == text


def test_lines_of_base64_are_joined_by_CRLF() -> None:
    assert encoded(Base64Encoder, b"\xff" * 58, 1, last=False) == b"/" * 76 + b"\r\n/w=="
    assert encoded(Base64Encoder, b"\xff", 1, last=True) == b"/w==\r\n"
    assert encoded(Base64Encoder, b"", 1, last=True) == b""
