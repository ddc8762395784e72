"""From the greeting to the first transaction."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve

from worldmail.interfaces.outbound import Fate, Phase, Security, Trouble
from worldmail.testing.scripted_smtp import ScriptedServer
from worldmail.testing.smtp_client import CUTS, HOP, TLS, ClientMeeting, make_shipment

WITH_TLS = ("PIPELINING", "STARTTLS")
REQUIRED = (Security.ENCRYPTED, Security.VERIFIED)


def meet(
    answers: dict[str, list[str]] | None = None, *, cut: str = "whole", hop: Any = HOP, **changes: Any
) -> ClientMeeting:
    """A connection to a server that offers STARTTLS unless told otherwise."""
    offers = changes.pop("offers", WITH_TLS)
    server = ScriptedServer(answers=answers or {}, offers=offers, offers_secured=changes.pop("offers_secured", None))
    return ClientMeeting(server=server, hop=hop, cut=cut, **changes)


def trouble(meeting: ClientMeeting) -> Trouble:
    assert not meeting.ready
    if meeting.trouble is None:
        meeting.time_out()
    assert meeting.trouble is not None
    assert meeting.closed is not None
    assert not meeting.dialogue.usable
    assert meeting.trouble.server == "mx.b.test[192.0.2.1]:25"
    assert meeting.trouble.reason.isascii() and meeting.trouble.reason
    return meeting.trouble


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("greeting", ["220 mx ESMTP", "220", "220-first\r\n220 second"])
def test_a_greeting_is_answered_with_EHLO(greeting: str, cut: str) -> None:
    meeting = meet({"GREETING": [greeting]}, cut=cut, offers=())
    assert meeting.ready and meeting.dialogue.usable
    assert meeting.server.commands == ["EHLO mail.a.test"]


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize(
    ("words", "fate", "status"),
    [
        ("554 5.7.1 not from there", Fate.FAILED, "5.7.1"),
        ("521 no mail here", Fate.FAILED, "5.3.2"),
        ("450 4.3.2 later", Fate.DEFERRED, "4.3.2"),
        ("421 4.7.0 too many CLOSE", Fate.DEFERRED, "4.7.0"),
        ("421 too many CLOSE", Fate.DEFERRED, "4.3.2"),
        ("CLOSE", Fate.DEFERRED, "4.4.2"),
        ("SILENCE", Fate.DEFERRED, "4.4.2"),
        ("SSH-2.0-OpenSSH", Fate.DEFERRED, "4.5.0"),
        ("354 what", Fate.DEFERRED, "4.5.0"),
    ],
)
@pytest.mark.parametrize("phase", ["GREETING", "EHLO"])
def test_a_server_that_does_not_begin(phase: str, words: str, fate: Fate, status: str, cut: str) -> None:
    answers = {phase: [words]}
    if phase == "EHLO":
        answers["HELO"] = [words]
    found = trouble(meet(answers, cut=cut))
    assert (found.fate, found.status) == (fate, status)
    assert found.phase is (Phase.GREETING if phase == "GREETING" else Phase.HELLO)
    assert (found.reply is not None) is (words[0] in "45")  # what fits nothing is told in our words


@pytest.mark.parametrize("code", ["500 5.5.2 what", "502 no", "504 no", "550 no"])
def test_a_server_that_does_not_know_EHLO_is_told_HELO(code: str) -> None:
    meeting = meet({"EHLO": [code]})
    assert meeting.ready
    assert meeting.server.commands == ["EHLO mail.a.test", "HELO mail.a.test"]
    assert meeting.send(make_shipment()).fates[0].fate is Fate.DELIVERED
    assert "MAIL FROM:<alice@a.test>" in meeting.commands


def test_a_refusal_for_now_is_not_answered_with_HELO() -> None:
    meeting = meet({"EHLO": ["450 4.3.2 later"]})
    assert trouble(meeting).fate is Fate.DEFERRED
    assert not [command for command in meeting.server.commands if command.startswith("HELO")]


def test_LMTP_has_nothing_but_LHLO() -> None:
    meeting = meet({"LHLO": ["500 what"]}, hop=evolve(HOP, lmtp=True))
    assert trouble(meeting).phase is Phase.HELLO
    assert meeting.server.commands[0] == "LHLO mail.a.test"
    assert not [command for command in meeting.server.commands if command.startswith(("EHLO", "HELO"))]


def test_we_say_goodbye_where_we_go_no_further() -> None:
    meeting = meet({"GREETING": ["554 no"]})
    trouble(meeting)
    assert meeting.server.commands == ["QUIT"]


# --- STARTTLS -------------------------------------------------------------------------------------


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("security", [Security.OPPORTUNISTIC, *REQUIRED])
def test_TLS_is_started_where_it_is_offered_and_EHLO_said_again(security: Security, cut: str) -> None:
    meeting = meet(cut=cut, hop=evolve(HOP, security=security), offers_secured=("SIZE 10",))
    assert meeting.ready
    assert meeting.server.commands == ["EHLO mail.a.test", "STARTTLS", "EHLO mail.a.test"]
    outcome = meeting.send(make_shipment())
    assert outcome.tls == TLS
    assert outcome.fates[0].status == "5.3.4"  # what was offered in the clear is forgotten


def test_TLS_is_not_started_where_it_is_not_wanted() -> None:
    meeting = meet(hop=evolve(HOP, security=Security.NEVER))
    assert meeting.ready
    assert meeting.server.commands == ["EHLO mail.a.test"]


def test_TLS_that_is_there_from_the_start_is_not_started_again() -> None:
    meeting = meet(hop=evolve(HOP, security=Security.VERIFIED, implicit_tls=True), tls=TLS)
    assert meeting.ready
    assert meeting.server.commands == ["EHLO mail.a.test"]


@pytest.mark.parametrize(("offers", "words"), [((), "220 go"), (WITH_TLS, "454 4.7.0 not now"), (WITH_TLS, "502 no")])
def test_without_TLS_mail_goes_in_the_clear_if_that_is_all_that_was_wished(offers: tuple[str, ...], words: str) -> None:
    meeting = meet({"STARTTLS": [words]}, offers=offers)
    assert meeting.ready
    assert meeting.send(make_shipment()).tls is None


@pytest.mark.parametrize(("offers", "words"), [((), "220 go"), (WITH_TLS, "454 4.7.0 not now"), (WITH_TLS, "502 no")])
@pytest.mark.parametrize("security", REQUIRED)
def test_without_TLS_nothing_goes_where_it_is_required(security: Security, offers: tuple[str, ...], words: str) -> None:
    meeting = meet({"STARTTLS": [words]}, offers=offers, hop=evolve(HOP, security=security))
    found = trouble(meeting)
    assert (found.fate, found.status, found.phase) == (Fate.DEFERRED, "4.7.4", Phase.TLS)
    assert not [command for command in meeting.server.commands if command.startswith(("MAIL", "AUTH"))]


@pytest.mark.parametrize("words", ["CLOSE", "SILENCE", "421 no CLOSE", "what", "354 odd"])
def test_a_server_that_breaks_off_at_STARTTLS(words: str) -> None:
    found = trouble(meet({"STARTTLS": [words]}))
    assert (found.fate, found.phase) == (Fate.DEFERRED, Phase.TLS)


@pytest.mark.parametrize("cut", CUTS)
def test_what_comes_in_the_clear_behind_the_consent_to_TLS_is_never_believed(cut: str) -> None:
    injected = "220 go\r\n250-mx\r\n250 AUTH PLAIN"
    found = trouble(meet({"STARTTLS": [injected]}, cut=cut))
    assert found.phase is Phase.TLS


@pytest.mark.parametrize("security", [Security.OPPORTUNISTIC, *REQUIRED])
def test_a_handshake_that_fails_is_told_in_words(security: Security) -> None:
    meeting = meet(hop=evolve(HOP, security=security), handshake="the certificate has expired")
    found = trouble(meeting)
    assert (found.fate, found.status, found.phase) == (Fate.DEFERRED, "4.7.5", Phase.TLS)
    assert "the certificate has expired" in found.reason


def test_HELO_alone_is_not_enough_where_TLS_is_required() -> None:
    meeting = meet({"EHLO": ["502 no"]}, hop=evolve(HOP, security=Security.VERIFIED))
    assert trouble(meeting).status == "4.7.4"


def test_the_time_for_each_thing_is_that_of_the_RFC() -> None:
    meeting = meet({"GREETING": ["SILENCE"]})
    assert meeting.dialogue.timeout == 300
    for phase, seconds in (("MAIL", 300), ("RCPT", 300), ("DATA", 120), ("TEXT", 600)):
        meeting = meet({phase: ["SILENCE"]}, offers=())
        meeting.begin(make_shipment(), [])
        assert meeting.dialogue.timeout == seconds
