"""The client and our own server, in memory: what the one says the other understands."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import define, evolve, field

from worldmail.config.units import duration
from worldmail.interfaces.outbound import Fate, Login, Security, Wishes
from worldmail.mail.address import Address
from worldmail.mail.envelope import Body, Notify, OriginalRecipient, Recipient, Return
from worldmail.testing.feeding import Conductor, settle
from worldmail.testing.smtp import TLS as SERVER_TLS
from worldmail.testing.smtp import SmtpScene
from worldmail.testing.smtp_client import CUTS, HOP, ClientMeeting, MemoryContent, make_means, make_shipment
from worldmail.testing.smtp_client import TLS as VERIFIED
from worldmail.testing.world import EPOCH, ManualClock
from worldmail.wire.effects import StartTls

NOW = int(EPOCH)
BINARY = b"MIME-Version: 1.0\r\nContent-Transfer-Encoding: binary\r\n\r\n\x00\xff\r\n.\r\n\rQUIT\n\x01"


@define(kw_only=True)
class OwnServer:
    """Our server's session, as a client's peer."""

    scene: SmtpScene = field(factory=SmtpScene)
    closed: bool = False
    conductor: Any = field(init=False)
    _told: int = 0

    def __attrs_post_init__(self) -> None:
        self.conductor = Conductor(dialogue=self.scene.make_session(), peer=self.scene.make_peer())

    def open(self) -> bytes:
        settle(self.conductor.open())
        return self._said()

    def receive(self, data: bytes) -> bytes:
        settle(self.conductor.feed(data))
        self.closed = self.conductor.held.closed is not None
        return self._said()

    def secure(self) -> None:
        assert self.conductor.held.secured == 1
        self.conductor.peer.tls = SERVER_TLS

    def _said(self) -> bytes:
        output: bytes = self.conductor.held.output[self._told :]
        self._told += len(output)
        return output

    @property
    def arrived(self) -> list[bytes]:
        """The messages that it took, as they were sent."""
        return self.scene.contents()


def meet(cut: str = "whole", scene: SmtpScene | None = None, **changes: Any) -> ClientMeeting:
    server = OwnServer(scene=scene or SmtpScene())
    meeting = ClientMeeting(server=server, cut=cut, **{"hop": evolve(HOP, security=Security.NEVER), **changes})
    assert meeting.ready, meeting.trouble
    return meeting


@pytest.mark.parametrize("cut", CUTS)
def test_messages_arrive_one_after_another(cut: str) -> None:
    meeting = meet(cut)
    for number in range(3):
        text = b"Subject: %d\r\n\r\n.x\r\n" % number
        outcome = meeting.send(make_shipment("bob@example.test", "alice@example.test", text=text))
        assert [fate.fate for fate in outcome.fates] == [Fate.DELIVERED] * 2
    meeting.quit()
    assert [text.endswith(b"Subject: %d\r\n\r\n.x\r\n" % number) for number, text in enumerate(meeting.server.arrived)]
    assert len(meeting.server.arrived) == 3
    assert len(meeting.writes) == 5  # EHLO, three messages, QUIT
    assert meeting.closed == "finished"


@pytest.mark.parametrize("cut", CUTS)
def test_some_recipients_are_refused_and_the_others_have_the_message(cut: str) -> None:
    meeting = meet(cut)
    outcome = meeting.send(make_shipment("bob@example.test", "nobody@example.test", "eve@example.test"))
    assert [fate.fate for fate in outcome.fates] == [Fate.DELIVERED, Fate.FAILED, Fate.FAILED]
    assert outcome.fates[1].status == "5.1.1"
    assert outcome.fates[1].reply is not None and outcome.fates[1].reply.lines == ("No such mailbox here",)


def test_all_recipients_are_refused_and_the_next_message_goes() -> None:
    meeting = meet()
    outcome = meeting.send(make_shipment("nobody@example.test"))
    assert outcome.fates[0].fate is Fate.FAILED
    assert meeting.send(make_shipment("bob@example.test")).fates[0].fate is Fate.DELIVERED
    assert len(meeting.server.arrived) == 1


@pytest.mark.parametrize("apart", [False, True])
def test_binary_content_arrives_to_the_octet(apart: bool) -> None:
    meeting = meet()
    outcome = meeting.send(make_shipment("bob@example.test", text=MemoryContent(BINARY, apart=apart), body=Body.BINARY))
    assert outcome.fates[0].fate is Fate.DELIVERED
    [arrived] = meeting.server.arrived
    assert arrived.endswith(BINARY)


@pytest.mark.parametrize("cut", CUTS)
def test_large_content_arrives_in_chunks(cut: str) -> None:
    text = b"Subject: large\r\n\r\n" + b"".join(b".%d\r\n" % number for number in range(100_000))
    meeting = meet(cut)
    outcome = meeting.send(make_shipment("bob@example.test", text=MemoryContent(text, apart=True, piece=10_007)))
    assert outcome.fates[0].fate is Fate.DELIVERED
    [accepted] = meeting.server.scene.world.acceptance.accepted
    assert accepted.content.size >= len(text)


def test_addresses_in_utf8_arrive() -> None:
    scene = SmtpScene(prepare=lambda world: world.add_account("jürgen@example.test"))
    meeting = meet(scene=scene)
    text = "Subject: grüße\r\n\r\nx\r\n".encode()
    outcome = meeting.send(make_shipment("jürgen@example.test", sender="ñ@a.test", text=text, smtputf8=True))
    assert outcome.fates[0].fate is Fate.DELIVERED
    [accepted] = scene.world.acceptance.accepted
    assert accepted.envelope.smtputf8 and accepted.envelope.sender == Address.parse("ñ@a.test")


def test_wishes_for_reports_arrive_if_the_server_takes_them() -> None:
    meeting = meet()
    original = OriginalRecipient(address_type="utf-8", address="b+ö=b@x.test")
    recipient = Recipient(
        address=Address.parse("bob@example.test"), notify=frozenset((Notify.NEVER,)), original=original
    )
    outcome = meeting.send(make_shipment(recipient, envelope_id="an id+", returns=Return.HEADERS))
    assert outcome.fates[0].fate is Fate.DELIVERED
    [accepted] = meeting.server.scene.world.acceptance.accepted
    envelope = accepted.envelope
    assert outcome.dsn
    assert (envelope.envelope_id, envelope.returns) == ("an id+", Return.HEADERS)
    assert envelope.recipients[0] == recipient


@pytest.mark.parametrize("cut", CUTS)
def test_what_was_asked_for_arrives_with_the_time_that_is_left(cut: str) -> None:
    """Of the priority of strangers, what is below the usual."""
    wishes = Wishes(require_tls=True, deliver_by=(NOW + 90, "R"), trace_by=True, priority=-3)
    means = make_means(clock=ManualClock(time=NOW + 30.9))
    meeting = meet(cut, hop=HOP, means=means, scene=SmtpScene(tls=True), tls=VERIFIED)
    outcome = meeting.send(make_shipment("bob@example.test", wishes=wishes))
    assert outcome.fates[0].fate is Fate.DELIVERED and outcome.deliver_by
    [accepted] = meeting.server.scene.world.acceptance.accepted
    assert accepted.wishes == evolve(wishes, deliver_by=(NOW + 60, "R"))


def test_what_is_too_late_for_the_server_is_not_sent() -> None:
    scene = SmtpScene(settings={"deliver_by_minimum": duration("2m")})
    meeting = meet(scene=scene, means=make_means(clock=ManualClock(time=NOW)))
    outcome = meeting.send(make_shipment("bob@example.test", wishes=Wishes(deliver_by=(NOW + 90, "R"))))
    assert (outcome.fates[0].fate, outcome.fates[0].status) == (Fate.FAILED, "5.4.7")
    assert len(meeting.writes) == 1


def test_in_the_clear_nothing_goes_that_requires_TLS() -> None:
    outcome = meet().send(make_shipment("bob@example.test", wishes=Wishes(require_tls=True)))
    assert (outcome.fates[0].fate, outcome.fates[0].status) == (Fate.FAILED, "5.7.10")


def test_a_message_that_is_too_large_for_the_server_is_not_sent() -> None:
    meeting = meet(scene=SmtpScene(settings={"message_size": 65536}))
    outcome = meeting.send(make_shipment("bob@example.test", text=b"x" * 65537))
    assert (outcome.fates[0].fate, outcome.fates[0].status) == (Fate.FAILED, "5.3.4")
    assert len(meeting.writes) == 1


@pytest.mark.parametrize("cut", CUTS)
def test_in_TLS_a_user_signs_in_and_submits(cut: str) -> None:
    login = Login(user="bob@example.test", password="secret")
    hop = evolve(HOP, security=Security.ENCRYPTED, login=login)
    meeting = meet(cut, SmtpScene(listener="submission"), hop=hop)
    outcome = meeting.send(make_shipment("alice@example.test", sender="bob@example.test"))
    assert outcome.fates[0].fate is Fate.DELIVERED
    assert outcome.tls is not None
    [accepted] = meeting.server.scene.world.acceptance.accepted
    assert accepted.origin.account == "bob@example.test"


def test_a_wrong_password_is_told() -> None:
    login = Login(user="bob@example.test", password="wrong")
    hop = evolve(HOP, security=Security.ENCRYPTED, login=login)
    meeting = ClientMeeting(server=OwnServer(scene=SmtpScene(listener="submission")), hop=hop)
    assert meeting.trouble is not None and meeting.trouble.fate is Fate.DEFERRED
    assert str(meeting.trouble.reply).startswith("535 5.7.8")


def test_the_server_stops_and_the_message_is_deferred() -> None:
    meeting = meet()
    settle(meeting.server.conductor.carry_out(meeting.server.conductor.dialogue.shutting_down()))
    meeting.hear(meeting.server.receive(b""))
    assert meeting.closed == "the server spoke unasked"


def test_the_handshake_is_the_servers_effect_too() -> None:
    meeting = meet(hop=HOP)
    assert meeting.peer.tls is not None
    assert StartTls is not None and meeting.server.conductor.held.secured == 1


@pytest.mark.parametrize("cut", CUTS)
def test_fifty_messages_in_one_flight_are_all_taken(cut: str) -> None:
    server = OwnServer()
    meeting = ClientMeeting(server=server, cut=cut, means=make_means(ahead=100))
    outcomes: list[Any] = []
    for number in range(50):
        refused = number % 7 == 3
        to = "nobody@example.test" if refused else "bob@example.test"
        sent: Any = meeting.dialogue.send(make_shipment(to, text=b"Subject: %d\r\n\r\n" % number))
        sent.addCallback(outcomes.append)
    meeting.quit()
    expected = [Fate.FAILED if number % 7 == 3 else Fate.DELIVERED for number in range(50)]
    assert [outcome.fates[0].fate for outcome in outcomes] == expected
    assert len(server.scene.contents()) == expected.count(Fate.DELIVERED)
