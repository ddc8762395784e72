"""Signing in."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from attrs import evolve

from worldmail.interfaces.outbound import Fate, Login, Phase, Security, Trouble
from worldmail.mail.address import Address
from worldmail.testing.scripted_smtp import ScriptedServer
from worldmail.testing.smtp_client import CUTS, HOP, TLS, ClientMeeting, make_shipment

LOGIN = Login(user="tim", password="pencil")
PLAIN = base64.b64encode(b"\0tim\0pencil").decode()


def meet(
    mechanisms: str, answers: dict[str, list[str]] | None = None, *, login: Login = LOGIN, **changes: Any
) -> ClientMeeting:
    offers = ("PIPELINING", f"AUTH {mechanisms}") if mechanisms else ("PIPELINING",)
    values: dict[str, Any] = {"tls": TLS, "hop": evolve(HOP, login=login), **changes}
    return ClientMeeting(server=ScriptedServer(offers=offers, answers=answers or {}), **values)


def trouble(meeting: ClientMeeting) -> Trouble:
    if meeting.trouble is None:
        meeting.time_out()
    found = meeting.trouble
    assert found is not None and not meeting.ready and meeting.closed is not None
    assert (found.fate, found.phase) == (Fate.DEFERRED, Phase.LOGIN)
    assert "pencil" not in found.reason and found.reason.isascii()
    assert not [command for command in meeting.server.commands if command.startswith("MAIL")]
    return found


@pytest.mark.parametrize("cut", CUTS)
def test_PLAIN_takes_one_line(cut: str) -> None:
    meeting = meet("PLAIN LOGIN", cut=cut)
    assert meeting.ready
    assert meeting.commands == [f"AUTH PLAIN {PLAIN}"]
    assert meeting.send(make_shipment()).fates[0].fate is Fate.DELIVERED


@pytest.mark.parametrize("cut", CUTS)
def test_LOGIN_is_asked_for_name_and_password(cut: str) -> None:
    answers = {"AUTH": ["334 VXNlcm5hbWU6"], "*": ["334 UGFzc3dvcmQ6", "235 ok"]}
    meeting = meet("LOGIN", answers, cut=cut)
    assert meeting.ready
    assert meeting.commands == ["AUTH LOGIN", "dGlt", "cGVuY2ls"]


def test_CRAM_MD5_comes_before_the_password_itself() -> None:
    challenge = base64.b64encode(b"<1896.697170952@postoffice.reston.mci.net>").decode()
    answers = {"AUTH": [f"334 {challenge}"], "*": ["235 ok"]}
    meeting = meet("PLAIN CRAM-MD5", answers, login=Login(user="tim", password="tanstaaftanstaaf"))
    assert meeting.ready
    assert meeting.commands[0] == "AUTH CRAM-MD5"
    assert base64.b64decode(meeting.commands[1]) == b"tim b913a602c7eda7a495b4e6e7334d3890"


def test_SCRAM_comes_first_and_a_server_that_proves_nothing_is_left() -> None:
    meeting = meet("PLAIN CRAM-MD5 SCRAM-SHA-1 SCRAM-SHA-256", {"AUTH": ["235 2.7.0 welcome, whoever you are"]})
    assert meeting.commands[0].startswith("AUTH SCRAM-SHA-256 ")
    assert "did not prove itself" in trouble(meeting).reason
    assert trouble(meeting).reply is None  # its words say that all is well


@pytest.mark.parametrize(
    "challenge", ["!", "AAAA", base64.b64encode(b"r=other,s=QSXC,i=4096").decode(), "", "x" * 2000]
)
def test_a_challenge_that_cannot_be_ends_it(challenge: str) -> None:
    meeting = meet("SCRAM-SHA-256", {"AUTH": [f"334 {challenge}"]})
    trouble(meeting)
    assert meeting.commands[1:] == ["*"] or meeting.commands[1:] == ["*", "QUIT"]


def test_a_server_that_asks_forever_is_left() -> None:
    meeting = meet("LOGIN", {"AUTH": ["334 AAAA"], "*": ["334 AAAA"]})
    trouble(meeting)
    assert len(meeting.commands) < 12


@pytest.mark.parametrize(
    ("words", "status"),
    [
        ("535 5.7.8 wrong", "4.7.8"),
        ("454 4.7.0 later", "4.7.0"),
        ("454 later", "4.7.8"),
        ("550 5.7.1 no", "4.7.8"),
        ("421 4.3.2 closing CLOSE", "4.3.2"),
        ("CLOSE", "4.4.2"),
        ("SILENCE", "4.4.2"),
        ("what", "4.5.0"),
        ("250 odd", "4.5.0"),
    ],
)
def test_a_login_that_fails_is_no_fault_of_the_mail(words: str, status: str) -> None:
    found = trouble(meet("PLAIN LOGIN", {"AUTH": [words]}))
    assert found.status == status
    if words[:3] in ("535", "454", "550"):
        assert found.reply is not None and str(found.reply.code) == words[:3]
        assert "login" in found.reason


def test_a_wrong_password_is_not_tried_in_other_ways() -> None:
    meeting = meet("PLAIN LOGIN", {"AUTH": ["535 5.7.8 wrong"]})
    assert [command for command in meeting.commands if command.startswith("AUTH")] == [f"AUTH PLAIN {PLAIN}"]


@pytest.mark.parametrize("code", [421, 454, 500, 535])
@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_a_server_that_repeats_the_password_makes_nobody_tell_it(mechanism: str, code: int) -> None:
    encoded = {"PLAIN": PLAIN, "LOGIN": "cGVuY2ls"}[mechanism]
    refusal = f"{code}-what is {encoded}\r\n{code} or pencil"
    answers = {"AUTH": ["334 VXNlcm5hbWU6"], "*": ["334 UGFzc3dvcmQ6", refusal]}
    reply = trouble(meet(mechanism, {"AUTH": [refusal]} if mechanism == "PLAIN" else answers)).reply
    assert reply is not None
    assert reply.lines == ("what is ***", "or ***")


@pytest.mark.parametrize("words", ["504 unknown", "534 5.7.9 too weak", "538 5.7.11 not so", "502 what"])
def test_a_mechanism_that_is_refused_is_followed_by_the_next(words: str) -> None:
    meeting = meet("CRAM-MD5 PLAIN", {"AUTH": [words, "235 ok"]})
    assert meeting.ready
    assert meeting.commands == ["AUTH CRAM-MD5", f"AUTH PLAIN {PLAIN}"]


@pytest.mark.parametrize(
    ("changes", "login", "allowed"),
    [
        ({}, LOGIN, True),
        ({"tls": None}, LOGIN, False),
        ({"tls": None, "peer_changes": {"host": "127.0.0.1"}}, LOGIN, True),
        ({"tls": None, "peer_changes": {"host": "::1"}}, LOGIN, True),
        ({"tls": None}, evolve(LOGIN, plaintext=True), True),
    ],
)
def test_a_password_goes_only_where_nobody_reads_it(changes: dict[str, Any], login: Login, allowed: bool) -> None:
    meeting = meet("PLAIN LOGIN", login=login, **changes)
    assert meeting.ready is allowed
    if not allowed:
        assert "in the clear" in trouble(meeting).reason
        assert not [command for command in meeting.commands if command.startswith("AUTH")]


@pytest.mark.parametrize("mechanisms", ["", "GSSAPI XOAUTH2"])
def test_no_way_to_sign_in_is_said_so(mechanisms: str) -> None:
    found = trouble(meet(mechanisms))
    assert found.reply is None


def test_a_login_is_offered_only_after_TLS() -> None:
    server = ScriptedServer(offers=("STARTTLS",), offers_secured=("AUTH PLAIN",))
    meeting = ClientMeeting(server=server, hop=evolve(HOP, login=LOGIN, security=Security.ENCRYPTED))
    assert meeting.ready
    assert server.commands[-1] == f"AUTH PLAIN {PLAIN}"


def test_what_TLS_1_3_binds_to_is_used_where_the_server_offers_it() -> None:
    def binding(name: str) -> bytes:
        assert name == "tls-exporter"
        return b"\1" * 32

    meeting = meet("SCRAM-SHA-256-PLUS SCRAM-SHA-256", {"AUTH": ["535 no"]}, peer_changes={"channel_binding": binding})
    word, mechanism, initial = meeting.commands[0].split()
    assert (word, mechanism) == ("AUTH", "SCRAM-SHA-256-PLUS")
    assert base64.b64decode(initial).startswith(b"p=tls-exporter,,n=tim,r=nonce")


# --- whose message it is (RFC 4954 §5) -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("submitter", "said"),
    [(None, "<>"), ("ann@a.test", "ann@a.test"), ("a+b=c@a.test", "a+2Bb+3Dc@a.test"), ("ñ@a.test", "<>")],
)
def test_a_server_that_we_signed_in_to_is_told_who_submitted_the_message(submitter: str | None, said: str) -> None:
    meeting = meet("PLAIN")
    meeting.send(make_shipment(submitter=None if submitter is None else Address.parse(submitter)))
    assert meeting.commands[1] == f"MAIL FROM:<alice@a.test> AUTH={said}"


def test_a_server_that_we_did_not_sign_in_to_is_told_nothing_of_that() -> None:
    meeting = meet("PLAIN", hop=HOP)
    meeting.send(make_shipment(submitter=Address.parse("ann@a.test")))
    assert meeting.commands[0] == "MAIL FROM:<alice@a.test>"
