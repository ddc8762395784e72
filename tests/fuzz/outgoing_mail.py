"""Mail on its way out: content made fit for poorer hops, and reports on what became of it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator

from worldmail.mail.address import Address
from worldmail.mail.dsn.compose import compose
from worldmail.mail.dsn.values import Action, Happening, Notice, Original
from worldmail.mail.envelope import Envelope, OriginalRecipient, Recipient, Return
from worldmail.mail.mime.downgrade import CannotConvert, eight_bit, seven_bit

SEALED = (
    b"Content-Type: multipart/mixed; boundary=o\r\nContent-Transfer-Encoding: binary\r\n\r\n"
    b"--o\r\nContent-Type: multipart/signed; boundary=i\r\n\r\n--i\r\n\r\nf\xc3\xbcr\r\n--i\r\n\r\nseal\r\n--i--\r\n"
    b"--o\r\nContent-Type: message/rfc822\r\n\r\nSubject: x\r\n\r\n\xff\n--o--\r\n"
)
ANN, BOB = Address.parse("ann@example.test"), Address.parse("bob@peer.test")
PIECES = (1, 7, 1 << 16)


def convert(octets: bytes) -> None:
    """What comes out is the same however it came in, stays the same, and has line ends alone for CR and LF."""
    for conversion in (seven_bit, eight_bit):
        said = {_converted(conversion, octets, piece) for piece in PIECES}
        assert len(said) == 1
        made = said.pop()
        if isinstance(made, bytes):
            assert re.search(rb"(?<!\r)\n|\r(?!\n)", made) is None
            assert _converted(conversion, made, 1 << 16) == made


def _converted(conversion: object, octets: bytes, piece: int) -> bytes | str:
    async def source() -> AsyncIterator[bytes]:
        for at in range(0, len(octets), piece):
            yield octets[at : at + piece]

    async def gathered() -> bytes:
        return b"".join([chunk async for chunk in conversion(source)])

    try:
        return asyncio.run(gathered())
    except CannotConvert as reason:
        return str(reason)


def report(octets: bytes) -> None:
    """A header, and a peer's words behind it: the report has three parts and lines that can be sent."""
    header, _, said = octets.partition(b"\r\n\r\n")
    text = said.decode("utf-8", "replace")
    happening = Happening(
        recipient=Recipient(address=BOB, original=OriginalRecipient(address_type="utf-8", address=text)),
        action=Action.FAILED,
        status=text[:8],
        reply=text,
        server=text[:300],
        log_id=text,
    )
    envelope = Envelope(sender=ANN, envelope_id=text, returns=Return.HEADERS, smtputf8=len(text) % 2 == 1)
    made = compose(
        Notice(
            host="mail.example.test",
            to=ANN,
            original=Original(envelope=envelope, header=header + b"\r\n", size=len(octets), arrived=0),
            happenings=(happening,),
            at=0,
            message_id="1@mail.example.test",
        )
    )
    whole = made.head + made.tail
    assert re.search(rb"(?<!\r)\n|\r(?!\n)|\0", whole) is None
    assert max(map(len, whole.split(b"\r\n"))) <= 998
    assert whole.count(b"\r\n--=_report_") == 4
