"""Transfer encodings are undone, however the octets come and whatever is wrong with them."""

from __future__ import annotations

import base64
import quopri

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worldmail.mail.text.transfer import decode_transfer, decode_transfer_pieces, is_known


@given(st.binary(max_size=500), st.integers(1, 30))
def test_base64_is_decoded_however_it_is_cut(octets: bytes, size: int) -> None:
    coded = base64.encodebytes(octets)
    pieces = decode_transfer_pieces([coded[at : at + size] for at in range(0, len(coded), size)], "BASE64")
    assert pieces is not None
    assert b"".join(pieces) == octets == decode_transfer(coded, "base64")


@given(st.binary(max_size=500), st.integers(1, 30))
def test_quoted_printable_is_decoded_however_it_is_cut(octets: bytes, size: int) -> None:
    coded = quopri.encodestring(octets)
    pieces = decode_transfer_pieces([coded[at : at + size] for at in range(0, len(coded), size)], "Quoted-Printable")
    assert pieces is not None
    assert b"".join(pieces) == octets == decode_transfer(coded, "quoted-printable")


@pytest.mark.parametrize(
    ("coded", "octets"),
    [
        (b"aGVsbG8=", b"hello"),
        (b"aGVsbG8", b"hello"),
        (b"aG!Vs\r\nbG 8=\r\n", b"hello"),
        (b"aGVsbG8=aGVsbG8=", b"hello"),
        (b"aGVsb", b"hel"),
        (b"====", b""),
        (b"", b""),
    ],
)
def test_base64_is_read_as_far_as_it_goes(coded: bytes, octets: bytes) -> None:
    assert decode_transfer(coded, "base64") == octets


@pytest.mark.parametrize("name", ["7bit", "8bit", "BINARY", ""])
def test_these_are_no_encodings(name: str) -> None:
    assert decode_transfer(b"=41\xff", name) == b"=41\xff"


def test_an_unknown_encoding_is_not_decoded() -> None:
    assert decode_transfer(b"x", "x-uuencode") is None
    assert is_known("Base64") and not is_known("x-uuencode")


def test_quoted_printable_without_line_ends_is_cut_between_characters() -> None:
    coded = b"=41" * 100_000
    pieces = decode_transfer_pieces(
        [coded[at : at + 65_537] for at in range(0, len(coded), 65_537)], "quoted-printable"
    )
    assert pieces is not None
    assert b"".join(pieces) == b"A" * 100_000


@given(st.binary(max_size=300), st.sampled_from(["base64", "quoted-printable"]))
def test_nothing_raises(octets: bytes, encoding: str) -> None:
    assert decode_transfer(octets, encoding) is not None
