"""Transfer encodings undone (RFC 2045 §6.7, §6.8; RFC 3516)."""

from __future__ import annotations

import base64
import quopri

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worldmail.mail.mime.decoding import PIECE, UnknownEncoding, decoded, decoded_size, decoder
from worldmail.mail.mime.scan import scan

pieces = st.lists(st.integers(1, 40), max_size=30)


def fed(encoding: bytes, octets: bytes, sizes: list[int]) -> bytes:
    """What comes out if it goes in in pieces of these sizes."""
    decoding, given, position = decoder(encoding), [], 0
    for size in sizes:
        given.append(decoding.feed(octets[position : position + size]))
        position += size
    return b"".join((*given, decoding.feed(octets[position:]), decoding.finish()))


@given(st.binary(max_size=300), pieces)
def test_base64_is_decoded_wherever_it_is_cut(octets: bytes, sizes: list[int]) -> None:
    assert fed(b"base64", base64.encodebytes(octets).replace(b"\n", b"\r\n"), sizes) == octets


@given(st.binary(max_size=300), pieces)
def test_quoted_printable_is_decoded_wherever_it_is_cut(octets: bytes, sizes: list[int]) -> None:
    assert fed(b"Quoted-Printable", quopri.encodestring(octets, quotetabs=True), sizes) == octets


@given(st.binary(max_size=300), pieces)
def test_the_pieces_make_no_difference_for_any_octets(octets: bytes, sizes: list[int]) -> None:
    for encoding in (b"base64", b"quoted-printable"):
        assert fed(encoding, octets, sizes) == fed(encoding, octets, [])


@pytest.mark.parametrize("encoding", [b"7bit", b"8BIT", b"Binary"])
def test_some_encodings_are_none(encoding: bytes) -> None:
    assert fed(encoding, b"\0=41\xff", [2]) == b"\0=41\xff"


@pytest.mark.parametrize(
    ("encoded", "octets"),
    [
        (b"QUJD", b"ABC"),
        (b"Q U\tJ*D\r\n", b"ABC"),
        (b"QUI=", b"AB"),
        (b"QUI", b"AB"),
        (b"QUJDR", b"ABC"),
        (b"QQ==QUJD", b"A"),
        (b"=", b""),
        (b"", b""),
    ],
)
def test_broken_base64_gives_what_can_be_read(encoded: bytes, octets: bytes) -> None:
    assert fed(b"base64", encoded, []) == octets


@pytest.mark.parametrize(
    ("encoded", "octets"),
    [
        (b"a=3Db=3d", b"a=b="),
        (b"soft=\r\n break", b"soft break"),
        (b"soft= \t\r\nbreak", b"softbreak"),
        (b"white \t\r\nspace  ", b"white\r\nspace"),
        (b"kept =20\r\n", b"kept  \r\n"),
        (b"=ZZ =", b"=ZZ "),
        (b"bare  \nfeed", b"bare\nfeed"),
    ],
)
def test_white_space_at_the_end_of_a_line_is_no_content(encoded: bytes, octets: bytes) -> None:
    assert fed(b"quoted-printable", encoded, []) == octets


@pytest.mark.parametrize("line", [b"x" * 300_000, b"=41" * 100_000, b"x" + b" " * 200_000 + b"x"])
def test_a_line_without_an_end_is_not_waited_for(line: bytes) -> None:
    decoding = decoder(b"quoted-printable")
    given = b"".join(decoding.feed(line[at : at + 1000]) for at in range(0, len(line), 1000))
    assert len(given) > 60_000 or line.startswith(b"x ")
    whole = given + decoding.finish()
    assert whole.replace(b" ", b"") == line.replace(b"=41", b"A").replace(b" ", b"")


def test_an_unknown_encoding_is_refused() -> None:
    data = b"Content-Transfer-Encoding: x-own\r\n\r\ntext"
    with pytest.raises(UnknownEncoding):
        decoded(data, scan(data))
    with pytest.raises(UnknownEncoding):
        decoded_size(data, scan(data))


def test_a_part_is_decoded_as_it_says_and_its_size_is_known() -> None:
    octets = bytes(range(256)) * 2 * (PIECE // 512 + 7)
    data = b"Content-Transfer-Encoding: BASE64\r\n\r\n" + base64.encodebytes(octets)
    assert b"".join(decoded(data, scan(data))) == octets
    assert decoded_size(data, scan(data)) == len(octets)


@pytest.mark.parametrize("kind", [b"message/rfc822", b"multipart/mixed; boundary=b"])
def test_what_has_parts_has_no_encoding_whatever_it_says(kind: bytes) -> None:
    data = b"Content-Type: %b\r\nContent-Transfer-Encoding: base64\r\n\r\nQUJD" % kind
    assert b"".join(decoded(data, scan(data))) == b"QUJD"
    assert decoded_size(data, scan(data)) == 4
