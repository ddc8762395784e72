"""Whom a message of one of our users may claim to be from (RFC 5322 §3.6.2, RFC 6409 §6.1)."""

from __future__ import annotations

import pytest

from worldmail.errors import NotPermitted
from worldmail.interfaces.policy import Asker, MessageRequest
from worldmail.mail.envelope import Envelope
from worldmail.policy.senders import SendersCheck
from worldmail.testing.feeding import settle
from worldmail.testing.world import MemoryWorld


def ask(header: bytes) -> None:
    """Bob hands in a message with this header."""
    world = MemoryWorld.make()
    account = world.add_account("bob@example.test")
    asker = Asker(session="s", role="submission", client="127.0.0.1", helo="c", tls=True, account=account)
    waiting = SendersCheck(world.world.directory).check(
        MessageRequest(asker=asker, envelope=Envelope(sender=account.address), header=header, size=1)
    )
    if waiting is not None:
        settle(waiting)


@pytest.mark.parametrize(
    "header",
    [
        b"From: bob@example.test\r\n",
        b"From: bob\r\n",
        b"From: alice@example.test <bob@example.test>\r\n",
        b"From: Bob (alice@example.test) <bob@example.test>\r\n",
        b"From: group: bob@example.test;\r\n",
        b"Subject: no author; one is put in front\r\n",
    ],
)
def test_own_addresses_are_taken(header: bytes) -> None:
    ask(header)


@pytest.mark.parametrize(
    "header",
    [
        b"From: alice@example.test\r\n",
        b"From:\r\n alice@example.test\r\n",
        b"From : alice@example.test\r\n",
        b"From: bob@example.test, alice@example.test\r\n",
        b"From: bob@example.test\r\nfrom: bob@example.test\r\n",
        b"From: bob@example.test\r\nSender: alice@example.test\r\n",
        b"Subject: x\r\ngarbage\r\nFrom: alice@example.test\r\n",
    ],
)
def test_other_addresses_are_refused(header: bytes) -> None:
    with pytest.raises(NotPermitted):
        ask(header)


@pytest.mark.parametrize("header", [b"From:\r\n", b"From: \r\n", b"From: (nobody)\r\n", b"From: undisclosed:;\r\n"])
def test_a_From_that_names_nobody_is_refused(header: bytes) -> None:
    with pytest.raises(NotPermitted, match="names nobody"):
        ask(header)
