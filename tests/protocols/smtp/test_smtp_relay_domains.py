"""Relay domains in ESMTP: whom RCPT, VRFY and EXPN take there, from whom."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from worldmail.directory.admin import DirectoryAdmin
from worldmail.directory.directory import Directory
from worldmail.directory.recipient_admin import RecipientAdmin
from worldmail.directory.source import DatabaseSource
from worldmail.errors import TemporaryFailure
from worldmail.mail.address import Address
from worldmail.testing.accounts import CountingDatabase
from worldmail.testing.feeding import settle
from worldmail.testing.recipients import MemoryRecipients
from worldmail.testing.smtp import SmtpScene
from worldmail.testing.world import MemoryWorld

OK, UNKNOWN, DENIED, LATER = "250 2.1.5", "550 5.1.1", "550 5.7.1", "451 4.3.0"

# What a recipient is, from whomever it comes: relay.test lists bob and "list!x", open.test lists nobody, away.test has
# a source that is in trouble and a list with carol. Expected of a stranger, and of one who may relay.
RECIPIENTS = {
    b"bob@relay.test": (OK, OK),
    b"BOB@Relay.TEST": (OK, OK),
    b"bob+tag@relay.test": (OK, OK),
    b'"bob"@relay.test': (OK, OK),
    b"bob@alias.test": (OK, OK),
    b"list!x@relay.test": (OK, OK),
    b"postmaster@relay.test": (OK, OK),
    b"PostMaster@alias.test": (OK, OK),
    b"abuse@relay.test": (OK, OK),
    b"eve@relay.test": (UNKNOWN, UNKNOWN),
    b"eve@alias.test": (UNKNOWN, UNKNOWN),
    b"*@relay.test": (UNKNOWN, UNKNOWN),
    b"bob%far.example@relay.test": (UNKNOWN, UNKNOWN),
    b"far.example!bob@relay.test": (UNKNOWN, UNKNOWN),
    b'"bob@far.example"@relay.test': (UNKNOWN, UNKNOWN),
    b"any@open.test": (OK, OK),
    b"any+thing@open.test": (OK, OK),
    b"abuse@open.test": (OK, OK),
    b"any%far.example@open.test": (DENIED, OK),
    b"far.example!any@open.test": (DENIED, OK),
    b'"any@far.example"@open.test': (DENIED, OK),
    b"carol@away.test": (OK, OK),
    b"eve@away.test": (LATER, LATER),
    b"postmaster@away.test": (OK, OK),
    b"eve@relay.test.far.example": (DENIED, OK),
    b"eve@sub.relay.test": (DENIED, OK),
    b"eve@test": (DENIED, OK),
    b"@relay.test:x@far.example": (DENIED, OK),
    b"@far.example:bob@relay.test": (OK, OK),
    b"bob@[192.0.2.1]": (DENIED, OK),
    b"both@example.test": (OK, OK),
    b"gone@example.test": (UNKNOWN, UNKNOWN),
}


def furnish(world: MemoryWorld) -> None:
    """The directory that is meant by the table."""
    database = CountingDatabase()
    admin: Any = DirectoryAdmin(database, (), None, world.clock.now, world.clock.sleep)  # type: ignore[arg-type]
    recipients = RecipientAdmin(database, world.clock.sleep)
    settle(admin.add_domain("example.test"))
    for name in ("relay.test", "open.test", "away.test"):
        settle(admin.add_domain(name, "relay"))
    settle(admin.add_domain("alias.test", alias_of="relay.test"))
    listed = ("bob@relay.test", "list!x@relay.test", "carol@away.test")
    settle(recipients.add([Address.parse(name) for name in listed]))
    for name, *targets in (("both", "bob@relay.test", "eve@relay.test"), ("gone", "eve@relay.test")):
        settle(admin.set_alias(Address(name, "example.test"), tuple(map(Address.parse, targets))))
    source = MemoryRecipients(lists={"away.test": set()}, error=TemporaryFailure(reason="away"))
    directory = Directory((DatabaseSource(database=database),), database.memory.changes, recipients=(source,))
    world.world = world.replace(directory=directory)


def ask(scene: SmtpScene, recipient: bytes) -> str:
    """What RCPT says."""
    talk = scene.play(b"EHLO relay.test\r\nMAIL FROM:<>\r\nRCPT TO:<" + recipient + b">\r\n")
    return talk.codes[-1]


@pytest.mark.parametrize("recipient", RECIPIENTS, ids=lambda text: text.decode())
def test_a_stranger_reaches_who_is_there_and_nobody_else(recipient: bytes) -> None:
    assert ask(SmtpScene(prepare=furnish), recipient) == RECIPIENTS[recipient][0]


@pytest.mark.parametrize("recipient", RECIPIENTS, ids=lambda text: text.decode())
def test_a_network_that_may_relay_reaches_who_is_there(recipient: bytes) -> None:
    assert (
        ask(SmtpScene(prepare=furnish, relay_networks=("192.0.2.0/28",), peer={"host": "192.0.2.7"}), recipient)
        == RECIPIENTS[recipient][1]
    )


def test_mail_for_a_relay_domain_goes_on_as_it_was_addressed() -> None:
    scene = SmtpScene(prepare=furnish)
    names = (b"Bob+Tag@alias.test", b"abuse@relay.test", b"both@example.test", b"Any@Open.test")
    to = b"".join(b"RCPT TO:<" + name + b">\r\n" for name in names)
    talk = scene.play(b"EHLO a.test\r\nMAIL FROM:<a@a.test>\r\n" + to + b"DATA\r\nSubject: x\r\n\r\ny\r\n.\r\n")
    assert talk.codes[-1] == "250 2.0.0"
    (accepted,) = scene.world.acceptance.accepted
    onward = [str(each.recipient.address) for each in accepted.onward]
    assert onward == ["Bob+Tag@alias.test", "postmaster@relay.test", "bob@relay.test", "Any@Open.test"]
    assert not accepted.deliveries


def test_VRFY_and_EXPN_say_what_RCPT_would() -> None:
    scene = SmtpScene(prepare=furnish, settings={"vrfy": "on", "expn": "on"})
    talk = scene.play(
        b"EHLO a.test\r\nVRFY bob@relay.test\r\nVRFY eve@relay.test\r\nVRFY eve@away.test\r\nVRFY any@open.test\r\n"
        b"EXPN both@example.test\r\nEXPN gone@example.test\r\nEXPN eve@away.test\r\n"
    )
    assert talk.codes[2:] == [
        "252 2.5.0",
        UNKNOWN,
        LATER,
        "252 2.5.0",
        "250 2.1.5",
        UNKNOWN,
        LATER,
    ]
    assert talk.replies[6] == ["250 2.1.5 <bob@relay.test>"]


def test_the_size_of_a_message_for_a_relay_domain_is_bounded_as_any_others() -> None:
    scene = SmtpScene(prepare=furnish, settings={"message_size": 65536})
    talk = scene.play(
        b"EHLO a.test\r\nMAIL FROM:<a@a.test>\r\nRCPT TO:<bob@relay.test>\r\nDATA\r\n" + b"x" * 70_000 + b"\r\n.\r\n"
    )
    assert talk.codes[-1] == "552 5.3.4"
    assert scene.world.acceptance.accepted == []


def test_nobody_signs_in_as_an_address_of_a_relay_domain() -> None:
    talk = SmtpScene(prepare=furnish, listener="submission", tls=True).play(
        b"EHLO a.test\r\nAUTH PLAIN " + base64.b64encode(b"\0bob@relay.test\0secret") + b"\r\n"
    )
    assert talk.codes[-1] == "535 5.7.8"
