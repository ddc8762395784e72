"""A report goes to hops without 8BITMIME too."""

from __future__ import annotations

import asyncio
import email
import email.policy
from collections.abc import AsyncIterator
from email.message import EmailMessage

from attrs import evolve

from tests.mail.dsn.samples import SAMPLES, UTF8_HEADER, failed, notice
from worldmail.mail.dsn.compose import compose
from worldmail.mail.dsn.values import Notice
from worldmail.mail.envelope import Body
from worldmail.mail.mime.downgrade import seven_bit


def converted(made: Notice, content: bytes) -> list[EmailMessage]:
    """The parts of the report of these, in 7bit."""
    report = compose(made)

    async def source() -> AsyncIterator[bytes]:
        for piece in (report.head, content, report.tail):
            yield piece

    async def gathered() -> bytes:
        return b"".join([chunk async for chunk in seven_bit(source)])

    octets = asyncio.run(gathered())
    assert octets.partition(b"\r\n\r\n")[2].isascii()
    message = email.message_from_bytes(octets, policy=email.policy.SMTP)
    return [part for part in message.iter_parts() if isinstance(part, EmailMessage)]


def test_an_8bit_message_is_converted_inside_of_its_report() -> None:
    made = notice(failed(), body=Body.EIGHT_BIT)
    content = b"MIME-Version: 1.0\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" + "Grüße aus Köln\r\n".encode()
    inner = converted(made, content)[2].get_content()
    assert inner.get_payload(decode=True) == "Grüße aus Köln\r\n".encode()


def test_international_parts_are_encoded_whole() -> None:
    content = UTF8_HEADER + "\r\nFür alle\r\n".encode()
    _, status, message = converted(SAMPLES["utf8"], content)
    assert status["Content-Transfer-Encoding"] == "quoted-printable"
    assert message.get_content_type() == "message/global"
    assert message["Content-Transfer-Encoding"] in ("quoted-printable", "base64")


def test_an_international_header_is_encoded() -> None:
    header = converted(evolve(SAMPLES["utf8"], full_limit=0), b"")[2]
    assert header.get_content_type() == "message/global-headers"
    assert header["Content-Transfer-Encoding"] == "quoted-printable"
