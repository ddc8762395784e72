"""What a row keeps of an envelope, and of its recipients."""

from __future__ import annotations

import pytest
from attrs import evolve

from worldmail.interfaces.outbound import Wishes
from worldmail.mail.address import Address
from worldmail.mail.envelope import Body, Envelope, Facts, Notify, Origin, OriginalRecipient, Recipient, Return
from worldmail.queue.jobs import read_envelope, read_recipient, write_envelope, write_wishes

FULL = Envelope(
    sender=Address.parse("ann@example.test"),
    body=Body.BINARY,
    smtputf8=True,
    envelope_id="a b+c",
    returns=Return.HEADERS,
    submitter=Address.parse('"ann smith"@example.test'),
)
ALL = Wishes(require_tls=True, deliver_by=(7, "R"), trace_by=True, priority=-3, release="for;60")


@pytest.mark.parametrize(("envelope", "wishes"), [(FULL, ALL), (Envelope(sender=None), Wishes())])
def test_an_envelope_comes_back_as_it_was(envelope: Envelope, wishes: Wishes) -> None:
    sender = "" if envelope.sender is None else str(envelope.sender)
    plain = Origin(session="", protocol="ESMTPS", client="192.0.2.9", helo="client.test")
    first = Facts(client="2001:db8::1", name="a.test", helo="a", protocol="SMTP", local=False, id="X", since=7, port=25)
    nobody = Origin(session="", protocol="", client="")
    for origin, told in ((plain, 7), (nobody, None), (evolve(plain, told=first), 1)):
        kept = write_envelope(envelope, wishes, origin, told)
        assert read_envelope(sender, kept) == (envelope, wishes, origin, told)


def test_a_recipient_comes_back_as_it_was() -> None:
    address = Address.parse("bøb@there.test")
    original = OriginalRecipient(address_type="utf-8", address="bøb@x.test")
    for notify in (None, frozenset({Notify.NEVER}), frozenset({Notify.SUCCESS, Notify.DELAY})):
        for first in (None, original):
            recipient = Recipient(address=address, notify=notify, original=first)
            assert read_recipient(str(address), write_wishes(recipient)) == recipient
