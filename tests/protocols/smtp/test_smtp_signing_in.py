"""AUTH (RFC 4954) and STARTTLS (RFC 3207)."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from worldmail.errors import AuthenticationDelayed
from worldmail.testing.feeding import converse, settle
from worldmail.testing.smtp import TLS, SmtpScene, Talk, envelope
from worldmail.wire.effects import StartTls


def b64(text: bytes) -> bytes:
    return base64.b64encode(text)


PLAIN = b64(b"\0bob@example.test\0secret")
WRONG = b64(b"\0bob@example.test\0wrong")


def scene(**changes: Any) -> SmtpScene:
    return SmtpScene(**{"listener": "submission", "tls": True} | changes)


def test_ehlo_lists_auth_in_tls_alone() -> None:
    assert "250-AUTH PLAIN LOGIN" in scene().play(b"EHLO a\r\n").replies[1]
    in_the_clear = scene(tls=False).play(b"EHLO a\r\n").replies[1]
    assert not any("AUTH" in line for line in in_the_clear)
    assert "250-STARTTLS" in in_the_clear


def test_ehlo_lists_no_auth_and_no_starttls_once_done() -> None:
    again = scene().play(b"EHLO a\r\nAUTH PLAIN " + PLAIN + b"\r\nEHLO a\r\n").replies[-1]
    assert not any("AUTH" in line or "STARTTLS" in line for line in again)


def test_challenge_mechanisms_are_listed_in_the_clear() -> None:
    legacy = scene(tls=False, prepare=lambda world: setattr(world.authentication, "legacy", True))
    assert "250-AUTH CRAM-MD5" in legacy.play(b"EHLO a\r\n").replies[1]


def test_an_initial_response_signs_in() -> None:
    assert scene().play(b"EHLO a\r\nAUTH PLAIN " + PLAIN + b"\r\n").codes[-1] == "235 2.7.0"


def test_an_exchange_of_two_challenges_signs_in() -> None:
    talk = scene().play(b"EHLO a\r\nauth login\r\n" + b64(b"bob@example.test") + b"\r\n" + b64(b"secret") + b"\r\n")
    assert talk.replies[2:] == [["334 VXNlcm5hbWU6"], ["334 UGFzc3dvcmQ6"], ["235 2.7.0 Authentication successful"]]


def test_an_empty_challenge_is_334_and_a_space() -> None:
    assert scene().play(b"EHLO a\r\nAUTH PLAIN\r\n" + PLAIN + b"\r\n").replies[2:] == [
        ["334 "],
        ["235 2.7.0 Authentication successful"],
    ]


def test_a_lone_equals_sign_is_an_empty_initial_response() -> None:
    talk = scene().play(b"EHLO a\r\nAUTH LOGIN =\r\n")
    assert talk.replies[-1] == ["334 UGFzc3dvcmQ6"]


def test_a_wrong_password_is_535_and_the_session_goes_on() -> None:
    place = scene()
    talk = place.play(b"EHLO a\r\nAUTH PLAIN " + WRONG + b"\r\nAUTH PLAIN " + PLAIN + b"\r\n")
    assert talk.codes[-2:] == ["535 5.7.8", "235 2.7.0"]
    assert "wrong" not in str(place.world.journal.records)
    assert WRONG.decode() not in str(place.world.journal.records)


def test_a_star_cancels() -> None:
    talk = scene().play(b"EHLO a\r\nAUTH PLAIN\r\n*\r\nNOOP\r\n")
    assert talk.codes[-2:] == ["501 5.7.0", "250 2.0.0"]


@pytest.mark.parametrize("wrong", [b"AGJvYg", b"AG Jv", b"====", b"AGJvYgA=x", b"-_--", b"AGJvYn==", b"*x"])
def test_base64_is_read_strictly(wrong: bytes) -> None:
    talk = scene().play(b"EHLO a\r\nAUTH PLAIN\r\n" + wrong + b"\r\nNOOP\r\n")
    assert talk.codes[-2:] == ["501 5.5.2", "250 2.0.0"]


def test_a_response_that_means_nothing_is_501() -> None:
    assert scene().play(b"EHLO a\r\nAUTH PLAIN " + b64(b"nothing") + b"\r\n").codes[-1] == "501 5.5.2"


def test_a_second_login_is_503() -> None:
    talk = scene().play(b"EHLO a\r\nAUTH PLAIN " + PLAIN + b"\r\nAUTH PLAIN " + PLAIN + b"\r\n")
    assert talk.codes[-1] == "503 5.5.1"


def test_a_login_within_a_transaction_is_503() -> None:
    place = SmtpScene(tls=True, changes={"auth": True})
    assert place.play(b"EHLO a\r\nMAIL FROM:<>\r\nAUTH PLAIN " + PLAIN + b"\r\n").codes[-1] == "503 5.5.1"


def test_a_login_before_ehlo_or_behind_helo_is_503() -> None:
    assert scene().play(b"AUTH PLAIN " + PLAIN + b"\r\n").codes[-1] == "503 5.5.1"
    assert scene().play(b"HELO a\r\nAUTH PLAIN " + PLAIN + b"\r\n").codes[-1] == "503 5.5.1"


def test_an_unknown_mechanism_is_504() -> None:
    assert scene().play(b"EHLO a\r\nAUTH KERBEROS_V4\r\nAUTH\r\n").codes[-2:] == ["504 5.5.4", "501 5.5.4"]


def test_a_password_in_the_clear_is_538_and_never_looked_at() -> None:
    place = scene(tls=False)
    assert place.play(b"EHLO a\r\nAUTH PLAIN " + PLAIN + b"\r\n").codes[-1] == "538 5.7.11"
    assert place.world.authentication.contexts[-1].secure is False


def test_auth_is_502_where_it_is_off() -> None:
    assert SmtpScene(tls=True).play(b"EHLO a\r\nAUTH PLAIN " + PLAIN + b"\r\n").codes[-1] == "502 5.5.1"


def test_a_throttled_login_is_454() -> None:
    place = scene(prepare=lambda world: setattr(world.authentication, "fail", AuthenticationDelayed()))
    assert place.play(b"EHLO a\r\nAUTH PLAIN " + PLAIN + b"\r\n").codes[-1] == "454 4.7.0"


def test_the_longest_response_is_12288_octets() -> None:
    longest = b64(b"x" * 9213)
    assert len(longest) == 12284
    talk = scene().play(b"EHLO a\r\nAUTH PLAIN\r\n" + longest + b"\r\nNOOP\r\n", ways=("whole", "line by line"))
    assert talk.codes[-2:] == ["501 5.5.2", "250 2.0.0"]
    too_long = scene().play(b"EHLO a\r\nAUTH PLAIN\r\n" + longest + b"AAAA\r\nNOOP\r\n", ways=("whole", "line by line"))
    assert too_long.replies[-2:] == [["500 5.5.6 Authentication exchange line is too long"], ["250 2.0.0 Ok"]]


def test_other_commands_may_not_be_so_long() -> None:
    assert scene().play(b"NOOP " + b"x" * 3000 + b"\r\n", ways=("whole",)).codes[-1] == "500 5.5.2"


def test_submission_wants_a_login_before_mail() -> None:
    assert scene().play(b"EHLO a\r\nMAIL FROM:<bob@example.test>\r\n").codes[-1] == "530 5.7.0"


def test_a_login_is_remembered_over_ehlo_and_rset() -> None:
    talk = scene().play(b"EHLO a\r\nAUTH PLAIN " + PLAIN + b"\r\nRSET\r\nEHLO b\r\nMAIL FROM:<bob@example.test>\r\n")
    assert talk.codes[-1] == "250 2.1.0"


def test_who_must_sign_in_has_a_minute() -> None:
    place = scene()
    session = place.make_session()
    session.opened(place.make_peer())
    assert session.timeout == 60.0
    place.world.clock.advance(45)
    assert session.timeout == 15.0
    place.world.clock.advance(45)
    assert session.timeout == 0.0


def test_a_dribbling_message_of_a_stranger_has_a_minimum_rate() -> None:
    place = SmtpScene()
    session = place.make_session()
    session.opened(place.make_peer())
    assert session.minimum_rate == 0
    session.receive(envelope() + b"DATA\r\n")
    while (event := session.next_event()) is not None:
        settle(session.handle(event))
    assert session.minimum_rate == 500
    session.peer.exempt = True
    assert session.minimum_rate == 0


def test_starttls_is_answered_220_and_then_starts() -> None:
    place = SmtpScene()
    session = place.make_session()
    session.opened(place.make_peer())
    session.receive(b"EHLO a\r\nSTARTTLS\r\n")
    settle(session.handle(session.next_event()))
    effects = settle(session.handle(session.next_event()))
    assert effects == (b"220 2.0.0 Ready to start TLS\r\n", StartTls())


def test_everything_is_forgotten_behind_starttls() -> None:
    place = SmtpScene()
    talk = place.play_segments([b"EHLO a\r\n", b"STARTTLS\r\n", b"MAIL FROM:<>\r\n", b"EHLO b\r\n"])
    assert talk.codes == ["220", "250", "220 2.0.0", "503 5.5.1", "250"]


def test_starttls_in_tls_is_503() -> None:
    assert SmtpScene(tls=True).play(b"EHLO a\r\nSTARTTLS\r\n").codes[-1] == "503 5.5.1"


def test_starttls_without_a_certificate_is_454() -> None:
    place = SmtpScene(prepare=lambda world: setattr(world.tls, "offered", False))
    assert place.play(b"EHLO a\r\nSTARTTLS\r\n").codes[-1] == "454 4.7.0"


def test_starttls_is_502_where_there_is_none() -> None:
    assert SmtpScene(changes={"tls": "off"}).play(b"EHLO a\r\nSTARTTLS\r\n").codes[-1] == "502 5.5.1"


def test_starttls_within_a_transaction_is_503() -> None:
    assert SmtpScene().play(envelope() + b"STARTTLS\r\n").codes[-1] == "503 5.5.1"


def test_received_tells_of_tls_and_login() -> None:
    place = scene(settings={"record_account": True})
    place.play(
        b"EHLO a\r\nAUTH PLAIN " + PLAIN + b"\r\nMAIL FROM:<bob@example.test>\r\nRCPT TO:<alice@example.test>\r\n"
        b"DATA\r\nFrom: bob@example.test\r\n\r\nx\r\n.\r\n"
    )
    received = place.contents()[0].partition(b"Date:")[0]
    assert received == (
        b"Received: from a ([127.0.0.1])\r\n"
        b"\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256 bits))\r\n"
        b"\t(authenticated as bob@example.test)\r\n"
        b"\tby mail.example.test with ESMTPSA id A000000000000001\r\n"
        b"\tfor <alice@example.test>; Sun, 17 Mar 2030 17:46:40 +0000\r\n"
    )
    origin = place.world.acceptance.accepted[0].origin
    assert (origin.account, origin.tls) == ("bob@example.test", TLS)


def test_the_same_peer_may_speak_on_over_all_segments() -> None:
    place = scene()
    text = b"EHLO a\r\nAUTH LOGIN\r\n" + b64(b"bob@example.test") + b"\r\n" + b64(b"secret") + b"\r\nQUIT\r\n"
    for cut in range(len(text)):
        talk = Talk.of(settle(converse(place.make_session(), [text[:cut], text[cut:]], place.make_peer())))
        assert talk.codes[-2:] == ["235 2.7.0", "221 2.0.0"]


# --- whose message it is (RFC 4954 §5) -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("named", "network", "kept"),
    [
        (b"", False, None),
        (b" AUTH=<>", False, None),
        (b" AUTH=BOB@example.test", False, "BOB@example.test"),
        (b" AUTH=alice@example.test", False, None),
        (b" AUTH=eve+2Bx@far.test", True, "eve+x@far.test"),
        (b" AUTH=<>", True, None),
    ],
)
def test_who_is_signed_in_may_say_who_submitted_the_message_if_we_trust_him(
    named: bytes, network: bool, kept: str | None
) -> None:
    networks: dict[str, Any] = {"relay_networks": ("192.0.2.0/28",), "peer": {"host": "192.0.2.7"}} if network else {}
    made = scene(**networks)
    text = b"RCPT TO:<bob@example.test>\r\nDATA\r\nx\r\n.\r\n"
    made.play(b"EHLO a\r\nAUTH PLAIN " + PLAIN + b"\r\nMAIL FROM:<bob@example.test>" + named + b"\r\n" + text)
    submitter = made.world.acceptance.accepted[0].envelope.submitter
    assert (None if submitter is None else str(submitter)) == kept


def test_who_is_not_signed_in_is_never_believed_who_submitted_a_message() -> None:
    for networks in ({}, {"relay_networks": ("192.0.2.0/28",), "peer": {"host": "192.0.2.7"}}):
        made = SmtpScene(**networks)  # type: ignore[arg-type]
        made.play(envelope(b"<a@a.test> AUTH=bob@example.test") + b"DATA\r\nx\r\n.\r\n")
        assert made.world.acceptance.accepted[0].envelope.submitter is None
