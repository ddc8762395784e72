"""Notices to compose reports of, one of each kind: their reports are kept in `golden`."""

from __future__ import annotations

from attrs import evolve

from worldmail.mail.address import Address
from worldmail.mail.dsn.values import Action, Happening, Notice, Original
from worldmail.mail.envelope import Body, Envelope, Notify, Origin, OriginalRecipient, Recipient, Return

AT = 1_900_000_000
HEADER = (
    b"Received: from laptop.example.test ([192.0.2.7])\r\n\tby mail.example.test with ESMTPSA id 3f2a;"
    b" Sun, 17 Mar 2030 17:46:40 +0000\r\n"
    b"From: Ann <ann@example.test>\r\n"
    b"To: bob@peer.test\r\n"
    b"Subject: Lunch on Friday\r\n"
    b"Date: Sun, 17 Mar 2030 18:46:39 +0100\r\n"
    b"Message-ID: <1234@example.test>\r\n"
)
CONTENT = HEADER + b"\r\nShall we?\r\n"
UTF8_HEADER = (
    "From: Änn <änn@example.test>\r\nTo: bøb@peer.test\r\nSubject: Mittagessen für alle\r\n"
    "Message-ID: <5678@example.test>\r\n"
).encode()

ANN = Address.parse("ann@example.test")


def recipient(text: str, **given: object) -> Recipient:
    return evolve(Recipient(address=Address.parse(text)), **given)


def failed(address: str = "bob@peer.test", **given: object) -> Happening:
    happening = Happening(
        recipient=recipient(address),
        action=Action.FAILED,
        status="5.1.1",
        server="mx.peer.test",
        reply=f"550 5.1.1 <{address}>: Recipient address rejected: User unknown in virtual mailbox table",
        last_attempt=AT - 30,
        log_id="3f2a.1",
    )
    return evolve(happening, **given)


def notice(*happenings: Happening, **envelope: object) -> Notice:
    return Notice(
        host="mail.example.test",
        to=ANN,
        original=Original(
            envelope=evolve(Envelope(sender=ANN), **envelope),
            header=HEADER,
            size=len(CONTENT),
            arrived=AT - 3600,
            origin=Origin(session="s", protocol="ESMTPSA", client="192.0.2.7", helo="laptop.example.test"),
        ),
        happenings=happenings,
        at=AT,
        message_id="report-1@mail.example.test",
    )


def _utf8() -> Notice:
    sender = Address.parse("änn@example.test")
    happening = failed(
        "bøb+lunch@peer.test",
        recipient=recipient(
            "bøb+lunch@peer.test", original=OriginalRecipient(address_type="utf-8", address="bøb=x@example.test")
        ),
        reply="550 5.1.1 <bøb+lunch@peer.test>: unbekannter Empfänger",
    )
    made = notice(happening, smtputf8=True, body=Body.EIGHT_BIT, sender=sender)
    return evolve(made, to=sender, original=evolve(made.original, header=UTF8_HEADER))


SAMPLES: dict[str, Notice] = {
    "failed": notice(failed()),
    "failed-headers": notice(failed(), returns=Return.HEADERS, envelope_id="order 66+7"),
    "failed-several": notice(
        failed("bob@peer.test"),
        failed("eve@peer.test", reply="550 5.1.1 <bob@peer.test>: Recipient address rejected: User unknown"),
        failed("list@big.test", status="5.2.3", server="mx1.big.test", reply="552 5.2.3 message is larger than 10 MB"),
        failed("zoe@gone.test", status="4.4.7", server=None, reply=None),
        failed("kim@gone.test", status="4.4.7", server=None, reply=None),
        failed("joe@slow.test", action=Action.DELAYED, status="4.4.1", reply=None, server=None, retry_until=AT + 86400),
    ),
    "delayed": notice(
        failed(
            action=Action.DELAYED,
            status="4.2.2",
            reply="452 4.2.2 The mailbox is over its quota",
            retry_until=AT + 4 * 86400,
        )
    ),
    "delivered": notice(
        failed(
            "bob@example.test",
            recipient=recipient(
                "bob@example.test",
                notify=frozenset({Notify.SUCCESS}),
                original=OriginalRecipient(address_type="rfc822", address="Bob.Smith@example.test"),
            ),
            action=Action.DELIVERED,
            status="2.0.0",
            server=None,
            reply=None,
        ),
        returns=Return.FULL,
        envelope_id="QQ314159",
    ),
    "relayed": notice(failed(action=Action.RELAYED, status="2.0.0", reply="250 2.0.0 Ok: queued as 4X7")),
    "expanded": notice(failed("team@example.test", action=Action.EXPANDED, status="2.0.0", server=None, reply=None)),
    "utf8": _utf8(),
    "postmaster": evolve(notice(failed(), sender=None), to=Address.parse("postmaster@example.test")),
}
