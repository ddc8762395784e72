"""Content is made fit for hops without 8BITMIME or BINARYMIME, each rule by an example."""

from __future__ import annotations

import asyncio
import email
import email.policy
import tracemalloc
from collections.abc import AsyncIterator, Callable

import pytest

from worldmail.mail.mime.downgrade import (
    EIGHT,
    SEVEN,
    CannotConvert,
    Carriage,
    Conversion,
    Source,
    eight_bit,
    seven_bit,
    survey,
)

UMLAUTS = "Grüße aus Köln\r\n".encode()


def source_of(message: bytes, cut: int = 1000) -> Source:
    async def source() -> AsyncIterator[bytes]:
        for at in range(0, len(message), cut):
            yield message[at : at + cut]

    return source


def converted(message: bytes, convert: Callable[[Source], AsyncIterator[bytes]] = seven_bit) -> bytes:
    async def gathered() -> bytes:
        return b"".join([chunk async for chunk in convert(source_of(message))])

    return asyncio.run(gathered())


def lines(*given: bytes) -> bytes:
    return b"\r\n".join(given) + b"\r\n"


def test_text_becomes_quoted_printable_in_the_place_of_its_label() -> None:
    message = lines(b"Subject: x", b"MIME-Version: 1.0", b"Content-Transfer-Encoding: 8bit (raw)", b"X-Y: z", b"")
    assert converted(message + UMLAUTS) == lines(
        b"Subject: x",
        b"MIME-Version: 1.0",
        b"Content-Transfer-Encoding: quoted-printable",
        b"X-Y: z",
        b"",
        b"Gr=C3=BC=C3=9Fe aus K=C3=B6ln",
    )


def test_a_label_is_added_behind_the_type() -> None:
    message = lines(b"MIME-Version: 1.0", b"Content-Type: text/plain;", b"\tcharset=utf-8", b"X-Y: z", b"")
    assert b"charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\nX-Y: z\r\n\r\nGr=C3" in converted(
        message + UMLAUTS
    )


def test_a_second_label_goes() -> None:
    message = lines(b"Content-Transfer-Encoding: 8bit", b"X-Y: z", b"content-transfer-encoding: base64", b"")
    assert converted(message + UMLAUTS).lower().count(b"content-transfer-encoding") == 1


def test_a_message_without_MIME_says_that_nobody_knows_its_charset() -> None:
    assert converted(b"Subject: x\r\n\r\n" + UMLAUTS).startswith(
        lines(
            b"Subject: x",
            b"MIME-Version: 1.0",
            b"Content-Type: text/plain; charset=unknown-8bit",
            b"Content-Transfer-Encoding: quoted-printable",
            b"",
        )
    )


@pytest.mark.parametrize(
    ("kind", "body", "encoding"),
    [
        (b"text/plain; charset=koi8-r", "Привет, как дела?".encode("koi8-r"), b"base64"),
        (b"text/html", UMLAUTS, b"quoted-printable"),
        (b"image/png", b"\x89PNG mostly ASCII, and yet no text", b"base64"),
        (b"text/plain", b"x" * 1200, b"quoted-printable"),
        (b"text/plain", b"one\ntwo\n", b"base64"),
    ],
)
def test_the_encoding_suits_the_content(kind: bytes, body: bytes, encoding: bytes) -> None:
    given_out = converted(lines(b"Content-Type: " + kind, b"Content-Transfer-Encoding: binary", b"") + body)
    assert b"Content-Transfer-Encoding: %b\r\n" % encoding in given_out
    assert email.message_from_bytes(given_out).get_payload(decode=True) == body
    assert all(len(line) <= 76 for line in given_out.partition(b"\r\n\r\n")[2].split(b"\r\n"))


def test_what_is_fit_already_only_changes_its_labels() -> None:
    message = lines(
        b"Content-Type: multipart/mixed; boundary=b",
        b"Content-Transfer-Encoding: binary",
        b"",
        b"--b",
        b"Content-Transfer-Encoding: 8bit",
        b"",
        b"plain",
        b"--b--",
    )
    assert converted(message) == message.replace(b"binary", b"7bit").replace(b"8bit", b"7bit")
    assert converted(message, eight_bit) == message.replace(b"binary", b"8bit")


def test_a_message_that_needs_nothing_is_the_same_to_the_octet() -> None:
    message = lines("Subject: füße".encode(), b"Content-Transfer-Encoding: 7bit", b"", b"text", b"--", b".")
    assert converted(message) == message


def test_a_message_in_a_message_is_converted_inside() -> None:
    message = lines(
        b"Content-Type: message/rfc822", b"Content-Transfer-Encoding: 8bit", b"", b"MIME-Version: 1.0", b"", b"\xe4" * 3
    )
    inner = email.message_from_bytes(converted(message)).get_payload()[0]
    assert inner["Content-Transfer-Encoding"] == "base64"
    assert inner.get_payload(decode=True) == b"\xe4\xe4\xe4\r\n"


def test_a_message_with_UTF8_headers_is_encoded_whole() -> None:
    inner = lines("Subject: Grüße".encode(), b"", b"text")
    message = lines(b"Content-Type: message/global", b"Content-Transfer-Encoding: 8bit", b"") + inner
    given_out = converted(message)
    assert b"\r\nContent-Transfer-Encoding: quoted-printable\r\n" in given_out
    assert b"Subject: Gr=C3=BC=C3=9Fe\r\n\r\ntext\r\n" in given_out


SIGNED = (
    b"Content-Type: multipart/mixed; boundary=out",
    b"",
    b"--out",
    b"Content-Type: multipart/signed; boundary=in",
    b"",
    b"--in",
    b"Content-Type: text/plain",
    b"Content-Transfer-Encoding: 8bit",
    b"",
    b"signed",
    b"--in",
    b"Content-Type: application/pgp-signature",
    b"",
    b"seal",
    b"--in--",
    b"--out",
    b"Content-Type: text/plain; charset=latin1",
    b"",
    b"unsigned",
    b"--out--",
)


def test_what_is_signed_keeps_every_octet_while_what_is_beside_it_is_converted() -> None:
    message = lines(*SIGNED).replace(b"unsigned", b"unsigned f\xfc\xdfe")
    given_out = converted(message)
    start, end = message.index(b"Content-Type: multipart/signed"), message.index(b"--in--")
    assert message[start:end] in given_out
    assert b"f=FC=DFe" in given_out


@pytest.mark.parametrize("kind", [b"signed", b"encrypted"])
def test_8bit_in_a_sealed_part_cannot_be_converted(kind: bytes) -> None:
    message = (
        lines(*SIGNED).replace(b"\r\nsigned", b"\r\nf\xfc\xdfe").replace(b"multipart/signed", b"multipart/" + kind)
    )
    with pytest.raises(CannotConvert, match="A signed or encrypted part holds 8-bit octets"):
        converted(message)
    assert converted(message, eight_bit) == message


@pytest.mark.parametrize(
    ("label", "body", "reason"),
    [
        (b"7bit", b"\xe4", "A part that says it is 7bit holds 8-bit octets"),
        (b"Base64", b"\xe4", "A part that says it is base64 holds 8-bit octets"),
        (b"quoted-printable", b"a\nb", "A part that says it is quoted-printable holds a CR or LF alone"),
        (b"x-uuencode", b"\0", "A part that says it is x-uuencode holds NUL"),
        (b"7bit", b"x" * 999, "A part that says it is 7bit holds a line of more than 998 octets"),
    ],
)
def test_what_says_that_it_is_fit_and_is_not_cannot_be_converted(label: bytes, body: bytes, reason: str) -> None:
    with pytest.raises(CannotConvert, match=f"^{reason}$") as refused:
        converted(lines(b"Content-Transfer-Encoding: " + label, b"", body))
    assert refused.value.status == "5.6.3"


@pytest.mark.parametrize("kind", [b"partial", b"external-body", b"delivery-status"])
def test_types_that_have_no_encoding_are_not_encoded(kind: bytes) -> None:
    with pytest.raises(CannotConvert, match="has no transfer encoding"):
        converted(lines(b"Content-Type: message/" + kind, b"", b"f\xfc\xdfe"))


@pytest.mark.parametrize(
    "message",
    [
        lines(b"Content-Type: multipart/mixed; boundary=b", b"", b"no part, f\xfc\xdfe"),
        lines(b"Content-Type: multipart/mixed", b"", b"--b", b"", b"f\xfc\xdfe"),
        lines(b"Content-Type: multipart/mixed; boundary=f\xfc\xdf", b"", b"--f\xfc\xdf", b"", b"text"),
    ],
)
def test_multiparts_whose_parts_nobody_finds_cannot_be_converted(message: bytes) -> None:
    with pytest.raises(CannotConvert):
        converted(message)


def test_what_is_nested_too_deep_cannot_be_converted() -> None:
    deep = b"".join(b"Content-Type: multipart/mixed; boundary=b%03d\r\n\r\n--b%03d\r\n" % (at, at) for at in range(120))
    with pytest.raises(CannotConvert, match="cannot be looked into"):
        converted(deep + b"\r\n\xe4\r\n")
    assert converted(deep + b"\r\ntext\r\n") == deep + b"\r\ntext\r\n"


def test_what_stands_between_parts_is_made_legible() -> None:
    message = lines(
        b"Content-Type: multipart/mixed; boundary=b", b"", b"f\xfc\xdfe\n.", b"--b", b"", b"x", b"--b--", b"\xe4"
    )
    assert converted(message) == message.replace(b"f\xfc\xdfe\n.", b"f??e\r\n.").replace(b"\xe4", b"?")


def test_no_line_of_quoted_printable_is_taken_for_a_delimiter() -> None:
    text = b"\xe4" + b"x" * 72 + b"--b\r\n" + b"--" * 200 + b"\r\n--=" + b"-" * 75 + b"\r\n"
    message = lines(b"Content-Type: multipart/mixed; boundary=b", b"", b"--b", b"Content-Type: text/plain", b"")
    given_out = converted(message + text + lines(b"", b"--b--"))
    (part,) = email.message_from_bytes(given_out).get_payload()
    assert part.get_payload(decode=True) == text
    assert given_out.count(b"\r\n--") == 2
    assert all(len(line) <= 76 for line in given_out.split(b"\r\n"))


def test_a_survey_tells_whether_anything_is_encoded() -> None:
    def surveyed(message: bytes, carriage: Carriage = SEVEN) -> Conversion:
        async def run() -> Conversion:
            return await survey(source_of(message), carriage)

        return asyncio.run(run())

    assert not surveyed(b"Content-Transfer-Encoding: 8bit\r\n\r\ntext\r\n").encodes
    assert surveyed(b"\r\n" + UMLAUTS).encodes
    assert not surveyed(b"\r\n" + UMLAUTS, EIGHT).encodes


def test_memory_does_not_grow_with_the_message() -> None:
    pieces = 300

    async def source() -> AsyncIterator[bytes]:
        yield b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: a/b\r\n\r\n"
        for _ in range(pieces):
            yield b"\xff" * (1 << 16)
        yield b"\r\n--b\r\n\r\n"
        for _ in range(pieces):
            yield b"\xe4 and so on, without an end " * 2000

    async def count() -> int:
        return sum([len(chunk) async for chunk in seven_bit(source)])

    tracemalloc.start()
    try:
        assert asyncio.run(count()) > pieces << 16
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


def test_a_header_that_is_too_long_to_be_kept_is_passed_on_and_nothing_behind_it_converted() -> None:
    header = b"X-Y: z\r\n" * 200_000 + b"\r\n"
    assert converted(header + b"text\r\n") == header + b"text\r\n"
    with pytest.raises(CannotConvert, match="cannot be looked into"):
        converted(header + b"\xe4\r\n")


def test_more_parts_than_are_counted_are_passed_on_as_they_are() -> None:
    begin = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
    many = b"--b\r\n\r\ntext\r\n" * 11_000
    assert converted(begin + many) == begin + many
    with pytest.raises(CannotConvert, match="cannot be looked into"):
        converted(begin + many + b"--b\r\n\r\n\xe4\r\n")


def test_a_binary_message_that_breaks_off_in_a_line_keeps_its_last_line() -> None:
    message = b"Content-Type: text/plain\r\nContent-Transfer-Encoding: binary\r\n\r\nno line end"
    for convert in (seven_bit, eight_bit):
        given_out = converted(message, convert)
        assert given_out.endswith(b"\r\n")
        assert email.message_from_bytes(given_out).get_payload(decode=True) == b"no line end"


@pytest.mark.parametrize(
    "where", [b"Subject: a\0b\r\n\r\n\xe4", b"Content-Type: message/rfc822\r\n\r\nSubject: \0\r\n\r\n"]
)
def test_NUL_in_a_header_cannot_be_converted(where: bytes) -> None:
    with pytest.raises(CannotConvert, match="A header holds NUL"):
        converted(where)


@pytest.mark.parametrize("line", [b"a\rb", b"\r", b"\r Subject: x"])
def test_a_CR_alone_in_a_header_cannot_be_converted(line: bytes) -> None:
    with pytest.raises(CannotConvert, match="A header holds a CR alone"):
        converted(b"Content-Type: message/rfc822\r\n\r\nX: y\r\n" + line + b"\r\n\r\ntext\r\n")


def test_line_ends_of_headers_and_delimiters_become_CRLF() -> None:
    message = b"Content-Type: multipart/mixed;\n boundary=b\n\n--b\nX: ab\n\ntext\n--b--\n"
    assert converted(message) == lines(
        b"Content-Type: multipart/mixed;", b" boundary=b", b"", b"--b", b"X: ab", b"", b"text", b"--b--"
    )
