"""Fetching what a relay holds for us: the connection is turned, and our own server takes the mail (RFC 2645)."""

from __future__ import annotations

import pytest
from attrs import evolve
from twisted.internet.defer import Deferred

from tests.protocols.smtp.client.turned_line import (
    HOP,
    MESSAGE,
    OFFERS,
    TAKEN,
    TEXT,
    Lines,
    Relay,
    Site,
    fetch,
    trouble,
)
from worldmail.errors import ConfigurationError
from worldmail.interfaces.outbound import Fate, Hop, HopFailed, Phase, Security
from worldmail.mail.envelope import Notify, Return, Turned
from worldmail.testing.scripted_smtp import ScriptedServer
from worldmail.testing.smtp import SmtpScene
from worldmail.testing.smtp_client import CUTS, TLS

PIN = "ab" * 32


def saying(*replies: str, offers: tuple[str, ...] = OFFERS, **changes: object) -> Relay:
    """A relay that answers ATRN like this."""
    answers = {"AUTH": ["334 PDEyMzQ+"], "*": ["235 2.7.0 ok"], "ATRN": list(replies)}
    return Relay(server=ScriptedServer(offers=offers, answers=answers), **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("cut", CUTS)
def test_what_waits_is_taken_by_our_own_server_over_the_same_connection(cut: str) -> None:
    relay = Relay()
    site, result = fetch(relay, cut)
    assert relay.commands == ["EHLO", "STARTTLS", "EHLO", "AUTH", relay.commands[4], "ATRN"]
    assert relay.server.commands[-1] == "ATRN"
    assert relay.codes == ["220", "250", "250", "250", "354", "250", "221"]
    assert (result.ok, result.messages, result.words) == (True, 1, "1 message from relay.test[192.0.2.1]:366")
    [text] = site.scene.contents()
    assert text.startswith(b"Received: from relay.test ([192.0.2.1])\r\n\t(using TLSv1.3")
    assert b"bits))\r\n\t(fetched from relay.test)\r\n\tby " in text
    [accepted] = site.scene.world.acceptance.accepted
    assert accepted.origin.turned == Turned(relay="relay.test", agent="shop")
    assert accepted.origin.protocol == "ESMTPS"


def test_domains_are_asked_for_by_name() -> None:
    relay = Relay()
    Site(lines=Lines(relay=relay)).fetch("shop.test", "sea.test")
    assert relay.server.commands[-1] == "ATRN shop.test,sea.test"


def test_the_envelope_arrives_as_it_was() -> None:
    envelope = (
        b"MAIL FROM:<a@a.test> RET=HDRS ENVID=xyz SIZE=100\r\n"
        b"RCPT TO:<bob@example.test> NOTIFY=DELAY,FAILURE ORCPT=rfc822;b@other.test\r\nDATA\r\n"
    )
    site, _ = fetch(Relay(says=b"EHLO relay.test\r\n" + envelope + TEXT + b"QUIT\r\n"))
    [accepted] = site.scene.world.acceptance.accepted
    [recipient] = accepted.envelope.recipients
    assert (accepted.envelope.returns, accepted.envelope.envelope_id) == (Return.HEADERS, "xyz")
    assert recipient.notify == {Notify.DELAY, Notify.FAILURE}
    assert recipient.original is not None and recipient.original.address == "b@other.test"


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize(
    ("reply", "ok", "words"),
    [
        ("453 4.3.0 You have no mail", True, "Nothing waits: 453 4.3.0 You have no mail"),
        ("453-You have\r\n453 no mail", True, "Nothing waits: 453 You have no mail"),
        ("450 Request refused", False, "The server does not let us have this mail: 450 Request refused"),
        ("451 busy", False, "The server cannot hand our mail over now: 451 busy"),
        ("502 not here", False, "The server does not do ODMR here: 502 not here"),
        ("530 Authentication required", False, "The server wants us to sign in first: 530 Authentication required"),
        ("599 what", False, "The server refused to turn the connection: 599 what"),
        ("432 4.7.12 later", False, "The server refused to turn the connection: 432 4.7.12 later"),
    ],
)
def test_each_answer_is_read_in_its_true_meaning(cut: str, reply: str, ok: bool, words: str) -> None:
    relay = saying(reply)
    _, result = fetch(relay, cut)
    assert (result.ok, result.words) == (ok, words)
    assert result.messages == (0 if ok else None)
    assert relay.commands[-1] == "QUIT"


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ("354 go on", "does not fit"),
        ("251 perhaps", "does not fit"),
        ("what?", "no reply of its protocol"),
        ("421 4.3.2 good night CLOSE", "ends the conversation"),
        ("CLOSE", "The connection was lost"),
    ],
)
def test_what_is_no_answer_ends_the_conversation(cut: str, reply: str, reason: str) -> None:
    failed = trouble(saying(reply), cut)
    assert reason in failed.trouble.reason
    assert failed.trouble.fate is Fate.DEFERRED


def test_who_speaks_before_it_is_greeted_is_not_listened_to() -> None:
    """The customer's server greets first (RFC 2645 §4): what stands behind the 250 is nobody's command."""
    relay = saying("250 reversing\r\nEHLO relay.test")
    failed = trouble(relay)
    assert "before it is greeted" in failed.trouble.reason
    assert relay.heard == b""


def test_a_relay_that_turns_and_leaves_is_told_of() -> None:
    _, result = fetch(Relay(says=b"", leaves="closed by peer"))
    assert (result.ok, result.messages) == (False, 0)
    assert result.words.endswith("turned the connection and then said nothing: closed by peer")


def test_a_relay_that_turns_and_says_nothing_is_left() -> None:
    lines = Lines(relay=Relay(says=b""))
    site = Site(lines=lines)
    site.begin()
    assert site.results == []
    assert lines.dialogue.timeout == 300
    lines.time_out()
    [result] = site.results
    assert (result.ok, lines.relay.codes) == (False, ["220", "421"])


def test_a_turn_that_breaks_off_is_no_success_and_what_came_counts() -> None:
    site, result = fetch(Relay(says=TAKEN.removesuffix(b"QUIT\r\n") + MESSAGE, leaves="connection reset"))
    assert (result.ok, result.messages) == (False, 1)
    assert result.words == "the turned connection with relay.test[192.0.2.1]:366 broke off: connection reset"
    assert len(site.scene.contents()) == 1


def test_nothing_is_said_of_TLS_or_of_signing_in_on_a_turned_connection() -> None:
    says = (
        b"EHLO relay.test\r\nSTARTTLS\r\nAUTH PLAIN AGJvYkBleGFtcGxlLnRlc3QAc2VjcmV0\r\nATRN\r\nETRN a.test\r\nQUIT\r\n"
    )
    relay = Relay(says=says)
    _, result = fetch(relay)
    assert relay.codes == ["220", "250", "502", "502", "502", "502", "221"]
    offered = {line[4:].split(" ")[0] for line in relay.heard.decode().split("\r\n") if line[:3] == "250"}
    assert not offered & {"STARTTLS", "AUTH", "ATRN", "ETRN"}
    assert {"PIPELINING", "CHUNKING", "DSN", "SIZE", "SMTPUTF8"} <= offered
    assert result.ok


def test_the_relay_reaches_only_our_own_domains_whatever_its_address_may() -> None:
    """Rules that go by the client's address must not take the relay for the sender."""
    says = b"EHLO relay.test\r\nMAIL FROM:<a@a.test>\r\nRCPT TO:<x@far.test>\r\nRCPT TO:<bob@example.test>\r\nQUIT\r\n"
    relay = Relay(says=says)
    fetch(relay, scene=SmtpScene(relay_networks=("192.0.2.0/24",)))
    assert relay.codes == ["220", "250", "250", "550", "250", "221"]


def test_mail_that_is_refused_does_not_end_the_turn_but_nonsense_does() -> None:
    many = b"RCPT TO:<nobody@example.test>\r\n" * 150
    refused = b"EHLO relay.test\r\nMAIL FROM:<a@a.test>\r\n" + many + b"RSET\r\n" + b"MAIL FROM:<\r\n" * 50
    relay = Relay(says=refused + MESSAGE + TEXT + b"QUIT\r\n")
    _, result = fetch(relay)
    assert (result.ok, result.messages) == (True, 1)
    relay = Relay(says=b"250 ok\r\n" * 50)
    _, result = fetch(relay)
    assert (result.ok, relay.codes.count("500")) == (False, 20)


def test_the_settings_are_those_of_the_listener_that_is_named_and_no_listener_is_needed() -> None:
    relay = Relay(says=b"EHLO relay.test\r\nQUIT\r\n")
    site = Site(lines=Lines(relay=relay), settings={"listeners": ()})
    assert site.fetch().ok
    for name in ("none", "submission"):
        with pytest.raises(ConfigurationError, match=f"no listener {name} of role mx"):
            Site(lines=Lines(relay=Relay())).fetch(listener=name)
    assert Site(lines=Lines(relay=Relay())).fetch(listener="smtp").messages == 1


def test_a_fetch_that_is_cancelled_takes_the_message_that_is_under_way_and_leaves() -> None:
    lines = Lines(relay=Relay(says=b"EHLO relay.test\r\n" + MESSAGE + TEXT[:10]))
    site = Site(lines=lines)
    running = site.begin()
    running.cancel()
    assert lines.gone is None and not site.results
    lines.say(TEXT[10:] + MESSAGE)
    assert lines.gone == "leaving"
    assert lines.relay.codes[-2:] == ["250", "421"]
    assert len(site.results) == len(site.scene.contents()) == 1


def test_a_second_time_it_leaves_at_once() -> None:
    lines = Lines(relay=Relay(says=b"EHLO relay.test\r\n" + MESSAGE + TEXT[:10]))
    site = Site(lines=lines)
    running = site.begin()
    running.cancel()
    running.cancel()
    assert lines.gone == "left"
    assert len(site.results) == 1 and not site.scene.contents()


def test_one_that_was_not_turned_yet_is_dropped() -> None:
    lines = Lines(relay=saying("SILENCE"))
    site = Site(lines=lines)
    site.begin().cancel()
    assert lines.gone is not None and len(site.results) == 1


@pytest.mark.parametrize(
    ("word", "phase"),
    [("GREETING", Phase.GREETING), ("EHLO", Phase.HELLO), ("STARTTLS", Phase.TLS), ("AUTH", Phase.LOGIN)],
)
@pytest.mark.parametrize("said", ["CLOSE", "554 5.7.0 no", "421 4.3.2 no CLOSE", "nonsense", "354 go on"])
def test_a_relay_that_behaves_badly_before_the_turn_is_told_of(word: str, phase: Phase, said: str) -> None:
    relay = saying("250 ok")
    relay.server.answers[word] = [said]
    if word == "EHLO":
        relay.server.answers["HELO"] = [said]
    lines = Lines(relay=relay)
    site = Site(lines=lines)
    site.begin()
    [failed] = site.results
    assert isinstance(failed, HopFailed)
    assert failed.trouble.phase is phase
    assert lines.gone is not None


def test_no_password_is_said_in_the_clear() -> None:
    relay = saying("250 ok", offers=("AUTH PLAIN", "ATRN"))
    site = Site(lines=Lines(relay=relay))
    site.begin(hop=evolve(HOP, security=Security.NEVER))
    [failed] = site.results
    assert "only in the clear" in failed.trouble.reason
    assert "AUTH" not in relay.commands


def test_a_look_changes_nothing_and_tells_what_there_is() -> None:
    relay = Relay()
    site = Site(lines=Lines(relay=relay))
    found: list[list[str]] = []
    Deferred.fromCoroutine(site.fetches.look(HOP, "ATRN")).addCallback(found.append)
    assert found == [
        [
            "connected to relay.test[192.0.2.1]:366",
            "TLSv1.3 with TLS_AES_256_GCM_SHA384, certificate verified",
            "signed in as shop@relay.test",
            "it offers: STARTTLS AUTH ATRN",
            "ATRN is offered",
        ]
    ]
    assert relay.commands[-1] == "QUIT"


@pytest.mark.parametrize(
    ("hop", "verified", "told"),
    [
        (HOP, True, ["certificate verified", f"its key would be pins={PIN}"]),
        (
            evolve(HOP, security=Security.PINNED, pins=frozenset({PIN})),
            True,
            ["certificate pinned", f"its key is pins={PIN}"],
        ),
        (
            evolve(HOP, security=Security.PINNED, pins=frozenset({"0" * 64})),
            True,
            ["certificate verified", f"its key would be pins={PIN}"],
        ),
        (evolve(HOP, security=Security.OPPORTUNISTIC, login=None), False, ["certificate not looked at"]),
    ],
)
def test_a_look_proposes_no_key_that_nobody_vouches_for(hop: Hop, verified: bool, told: list[str]) -> None:
    site = Site(lines=Lines(relay=Relay(), tls=evolve(TLS, verified=verified), pin=PIN))
    found: list[list[str]] = []
    Deferred.fromCoroutine(site.fetches.look(hop, "ATRN")).addCallback(found.append)
    [lines] = found
    assert [line.rpartition(", ")[2] for line in lines if "certificate" in line or "its key" in line] == told
