"""XFORWARD before MAIL: said to who is to be told and wants to know, and whatever is answered, the mail goes."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve

from worldmail.interfaces.outbound import Fate, Shipment
from worldmail.mail.envelope import Facts
from worldmail.protocols.smtp.client.capabilities import read_capabilities
from worldmail.testing.scripted_smtp import ScriptedServer
from worldmail.testing.smtp_client import CUTS, HOP, ClientMeeting, make_means, make_shipment

ATTRIBUTES = "XFORWARD NAME ADDR PROTO HELO IDENT SINCE"
FULL = ("PIPELINING", "CHUNKING", "8BITMIME", ATTRIBUTES)
FACTS = Facts(client="2001:db8::9", helo="far", protocol="ESMTPS", local=False, id="Q1", since=7)
SAID = "XFORWARD NAME=[UNAVAILABLE] ADDR=IPv6:2001:db8::9 PROTO=ESMTPS HELO=far IDENT=Q1 SINCE=7"


def shipment(**changes: Any) -> Shipment:
    return evolve(make_shipment("bob@b.test", **changes), origin=FACTS)


def meet(*offers: str, tells: bool = True, **changes: Any) -> ClientMeeting:
    server = ScriptedServer(offers=offers, answers=changes.pop("answers", {}))
    return ClientMeeting(server=server, hop=evolve(HOP, tells_origin=tells), **changes)


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("offers", [FULL, ("PIPELINING", ATTRIBUTES), (ATTRIBUTES,), ("CHUNKING", ATTRIBUTES)])
def test_it_stands_before_mail_each_time(offers: tuple[str, ...], cut: str) -> None:
    meeting = meet(*offers, cut=cut)
    for _ in range(2):
        assert meeting.send(shipment()).fates[0].fate is Fate.DELIVERED
    said = [line for line in meeting.commands if line.startswith(("XFORWARD", "MAIL"))]
    assert said == [SAID, said[1], SAID, said[1]]


def test_it_goes_in_one_flight_with_the_message() -> None:
    meeting = meet(*FULL)
    meeting.send(shipment())
    flight = meeting.writes[-1]
    assert flight.startswith(b"XFORWARD ")
    assert b"\r\nBDAT " in flight


def test_ahead_of_replies_it_stands_behind_rset() -> None:
    meeting = meet(*FULL, means=make_means(ahead=4))
    for _ in range(3):
        meeting.dialogue.send(shipment())
    meeting._go_on()
    words = [line.split(" ")[0] for line in meeting.commands]
    assert words[4:8] == ["RSET", "XFORWARD", "MAIL", "RCPT"]
    assert words.count("XFORWARD") == 3


@pytest.mark.parametrize("answer", ["550 5.7.0 no", "501 5.5.4 what?", "421 4.3.2 bye", "450 4.7.0 not now"])
@pytest.mark.parametrize("offers", [FULL, (ATTRIBUTES,)])
def test_a_refusal_of_it_does_not_keep_the_mail(answer: str, offers: tuple[str, ...]) -> None:
    meeting = meet(*offers, answers={"XFORWARD": [answer]})
    fate = meeting.send(shipment()).fates[0].fate
    assert fate is (Fate.DEFERRED if answer.startswith("421") else Fate.DELIVERED)


@pytest.mark.parametrize(
    ("offers", "tells"), [(("PIPELINING",), True), (("PIPELINING", "XFORWARD"), True), (FULL, False)]
)
def test_who_is_not_to_be_told_or_does_not_want_to_know_is_not(offers: tuple[str, ...], tells: bool) -> None:
    meeting = meet(*offers, tells=tells)
    meeting.send(shipment())
    assert not any(line.startswith("XFORWARD") for line in meeting.commands)


def test_what_a_server_wants_to_know_is_read() -> None:
    assert read_capabilities([b"XFORWARD NAME addr", b"SIZE 1"]).xforward == {"NAME", "ADDR"}
