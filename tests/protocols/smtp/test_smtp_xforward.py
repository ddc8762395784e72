"""XFORWARD: who may say where a message came from before, and what becomes of it."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred

from worldmail.config.units import network
from worldmail.errors import Refusal
from worldmail.interfaces.policy import RecipientRequest
from worldmail.mail.envelope import Facts, Turned
from worldmail.protocols.smtp.session import Session
from worldmail.protocols.smtp.turned import Turn
from worldmail.protocols.smtp.xforward import LINE, NAMES, parse_xforward, xforward_lines
from worldmail.testing.feeding import converse, cuts, settle
from worldmail.testing.smtp import SmtpScene, Talk

ALL = Facts(
    client="192.0.2.9",
    port=4711,
    name="mx.far.test",
    helo="far",
    protocol="ESMTPS",
    local=False,
    id="Q1",
    since=1700000000,
)
MAIL = b"MAIL FROM:<a@a.test>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\nSubject: x\r\n\r\nx\r\n.\r\n"
TOLD = (
    b"XFORWARD NAME=mx.far.test ADDR=192.0.2.9 PORT=4711\r\n"
    b"xforward proto=ESMTPS helo=far ident=Q1 Source=remote SINCE=7\r\n"
)


class TurnedScene(SmtpScene):
    """Sessions on a connection that the relay of a pair turned."""

    pair: str | None = "relay.test"
    asked: list[Any]

    def make_session(self) -> Session:
        made = super().make_session()
        self.asked = []
        listening: Any = Listening(self.asked)
        self.world.policy.checks.append(listening)
        turned = Turned(relay="relay.test", agent="relay")
        return Session(made.entrance.turned(), Turn(turned=turned, promise=Deferred, pair=self.pair))


class Listening:
    """A check that keeps what it is asked."""

    name = "listening"
    requests = (RecipientRequest,)

    def __init__(self, asked: list[Any]) -> None:
        self._asked = asked

    def check(self, request: Any) -> None:
        self._asked.append(request.asker)


def trusted(**changes: Any) -> SmtpScene:
    return SmtpScene(settings={"xforward_networks": (network("127.0.0.0/8"),)}, **changes)


def origin(scene: SmtpScene) -> Any:
    return scene.world.acceptance.accepted[-1].origin


def test_it_is_announced_to_those_who_may() -> None:
    words = f"XFORWARD {' '.join(NAMES)}"
    assert any(words in line for line in trusted().play(b"EHLO a.test\r\n").replies[1])
    assert any(words in line for line in TurnedScene().play(b"EHLO a.test\r\n").replies[1])
    stranger = trusted(peer={"host": "192.0.2.7"}).play(b"EHLO a.test\r\nXFORWARD NAME=a\r\n")
    assert "XFORWARD" not in str(stranger.replies[1])
    assert stranger.codes[-1] == "550 5.7.0"
    nowhere = SmtpScene().play(b"EHLO a.test\r\nXFORWARD NAME=a\r\n")
    assert "XFORWARD" not in str(nowhere.replies[1])
    assert nowhere.codes[-1] == "502 5.5.1"


def test_any_other_server_that_turns_its_connection_is_not_asked() -> None:
    scene = TurnedScene()
    scene.pair = None
    talk = scene.play(b"EHLO a.test\r\nXFORWARD ADDR=192.0.2.9\r\n" + MAIL)
    assert "XFORWARD" not in str(talk.replies[1])
    assert talk.codes[2] == "502 5.5.1"
    assert {(asker.client, asker.helo, asker.told_by) for asker in scene.asked} == {("", "", "relay.test")}


def test_what_is_said_adds_up_and_goes_with_the_next_message_alone() -> None:
    scene = TurnedScene()
    talk = scene.play(b"EHLO relay.test\r\n" + TOLD + MAIL + MAIL)
    assert talk.codes[2:4] == ["250 2.0.0", "250 2.0.0"]
    first, second = [accepted.origin for accepted in scene.world.acceptance.accepted]
    assert first.told == evolve(ALL, since=7)
    assert (first.client, first.helo) == ("127.0.0.1", "relay.test"), "who handed it over is as it was"
    assert first.facts == first.told
    assert second.told is None
    assert [(asker.client, asker.helo, asker.told_by) for asker in scene.asked] == [
        ("192.0.2.9", "far", "relay.test"),
        ("", "", "relay.test"),
    ]


@pytest.mark.parametrize("between", [b"RSET\r\n", b"EHLO relay.test\r\n", b"MAIL FROM:<a@a.test>\r\nRSET\r\n"])
def test_a_reset_forgets_it(between: bytes) -> None:
    scene = TurnedScene()
    scene.play(b"EHLO relay.test\r\n" + TOLD + between + MAIL)
    assert origin(scene).told is None


def test_it_has_its_place_between_transactions() -> None:
    talk = TurnedScene().play(b"XFORWARD NAME=a\r\nEHLO a.test\r\nMAIL FROM:<>\r\nXFORWARD NAME=a\r\n")
    assert talk.codes == ["220", "503 5.5.1", "250", "250 2.1.0", "503 5.5.1"]


@pytest.mark.parametrize("unknown", [b"[UNAVAILABLE]", b"[tempunavail]", b""])
def test_what_is_not_known_is_said_so(unknown: bytes) -> None:
    scene = TurnedScene()
    said = b" ".join(name.encode() + b"=" + unknown for name in NAMES)
    talk = scene.play(b"EHLO relay.test\r\n" + TOLD + b"XFORWARD " + said + b"\r\n" + MAIL)
    assert talk.codes[4] == "250 2.0.0"
    assert origin(scene).told == Facts()
    assert origin(scene).facts.client == "127.0.0.1"


@pytest.mark.parametrize(
    "argument",
    [
        b"",
        b" ",
        b"NAME",
        b"NAME a",
        b"WHAT=x",
        b"=x",
        b"NAME=a+b",
        b"NAME=a+0D+0A",
        b"NAME=a+20b",
        b"NAME=" + b"a" * 256,
        b"PORT=65536",
        b"PORT=-1",
        b"PORT=x",
        b"SOURCE=HERE",
        b"SINCE=1e9",
        b"SINCE=1234567890123",
        b"PROTO=a(b",
        b"PROTO=" + b"A" * 65,
        b"IDENT=\xc3\xa4",
        b"IDENT=\xff",
    ],
)
def test_what_cannot_be_read_is_refused_and_changes_nothing(argument: bytes) -> None:
    scene = TurnedScene()
    talk = scene.play(b"EHLO relay.test\r\nXFORWARD HELO=far\r\nXFORWARD " + argument + b"\r\n" + MAIL)
    assert talk.codes[3][:3] == "501"
    assert origin(scene).told == Facts(helo="far")


@pytest.mark.parametrize(
    ("value", "client"),
    [
        (b"2001:DB8::1", "2001:db8::1"),
        (b"IPv6:2001:db8::1", "2001:db8::1"),
        (b"ipv6:2001:db8::1", "2001:db8::1"),
        (b"local.socket", ""),
        (b"192.0.2.300", ""),
    ],
)
def test_addresses_of_any_kind_are_taken(value: bytes, client: str) -> None:
    assert parse_xforward(b"ADDR=" + value) == {"client": client}


def test_an_address_that_is_only_told_lets_nobody_do_more() -> None:
    scene = TurnedScene(relay_networks=("192.0.2.0/24",))
    told = b"EHLO relay.test\r\nXFORWARD ADDR=192.0.2.9\r\nMAIL FROM:<a@a.test> MT-PRIORITY=5\r\n"
    talk = scene.play(told + b"RCPT TO:<eve@far.test>\r\n")
    assert talk.codes[-2:] == ["250 2.3.6", "550 5.7.1"]


def test_what_a_trusted_network_says_is_for_the_trace_alone() -> None:
    scene = trusted(relay_networks=("127.0.0.0/8",))
    talk = scene.play(
        b"EHLO filter.test\r\nXFORWARD ADDR=192.0.2.9\r\nMAIL FROM:<a@a.test>\r\nRCPT TO:<eve@far.test>\r\n"
    )
    assert talk.codes[-1] == "250 2.1.5"
    scene.play(b"EHLO filter.test\r\n" + TOLD + MAIL)
    assert origin(scene).told.client == "192.0.2.9"


def test_the_received_field_says_who_handed_it_over() -> None:
    scene = TurnedScene()
    scene.play(b"EHLO relay.test\r\n" + TOLD + MAIL)
    [text] = scene.contents()
    assert text.startswith(b"Received: from relay.test ([127.0.0.1])")
    assert b"192.0.2.9" not in text


@pytest.mark.parametrize("names", [NAMES, ("ADDR", "HELO"), ()])
def test_what_is_said_is_read_as_it_was(names: tuple[str, ...]) -> None:
    lines = xforward_lines(ALL, names)
    read: dict[str, Any] = {}
    for line in lines:
        assert line.endswith(b"\r\n")
        read |= parse_xforward(line[len("XFORWARD ") : -2])
    wanted = ALL if names == NAMES else Facts(client=ALL.client, helo=ALL.helo) if names else Facts()
    assert Facts(**read) == wanted


@given(st.text(max_size=300), st.text(max_size=300), st.ip_addresses())
def test_whatever_is_known_is_said_in_lines_that_can_be_read(name: str, helo: str, address: Any) -> None:
    lines = xforward_lines(Facts(name=name, helo=helo, client=str(address), id="a+b=c"), NAMES)
    for line in lines:
        assert len(line) <= LINE or line.count(b"=") == 1
        parse_xforward(line[len("XFORWARD ") : -2])


@given(st.binary(max_size=200))
def test_whatever_is_said_is_read_or_refused(argument: bytes) -> None:
    try:
        Facts(**parse_xforward(argument))
    except Refusal as refusal:
        assert refusal.reply_code == 501


def test_in_every_cut_the_answers_are_the_same() -> None:
    scene = TurnedScene()
    client = b"EHLO relay.test\r\n" + TOLD + MAIL
    talks = {
        way: Talk.of(settle(converse(scene.make_session(), segments, scene.make_peer()))).codes
        for way, segments in cuts(client).items()
    }
    assert len({tuple(codes) for codes in talks.values()}) == 1
