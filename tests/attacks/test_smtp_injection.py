"""Input that tries to become something else: commands before TLS, header fields, replies, paths to elsewhere."""

from __future__ import annotations

import base64
import itertools
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from worldmail.mail.header import Header
from worldmail.testing.feeding import Conductor, settle
from worldmail.testing.smtp import SmtpScene, Talk, envelope

LOGIN = b"EHLO a\r\nAUTH PLAIN " + base64.b64encode(b"\0bob@example.test\0secret") + b"\r\n"

STRANGE = [
    b"\r\nX-Injected: yes",
    b"\nX-Injected: yes",
    b"\rX-Injected: yes",
    b"\0",
    b"\x0b",
    b"\x0c",
    b"\x1b[31m",
    b"\x7f",
    b"\x85",
    b"\xc2\x85",
    "\u2028X-Injected: yes".encode(),
    "\u202eevil".encode(),
    b"\xff\xfe",
    b"\xc0\x8a",
    b"%0d%0aX-Injected: yes",
    b"+0D+0AX-Injected:",
    b"\\r\\nX-Injected: yes",
    b"(",
    b")",
    b'"',
    b"\\",
    b"<",
    b">",
    b";",
    b"{{7*7}}",
    b"'; DROP TABLE message; --",
    b"../../etc/passwd",
    b"$(reboot)",
    b"`reboot`",
    b"|reboot",
    b"%s%n%x",
    b"a" * 300,
]


@pytest.mark.parametrize(
    "behind", [b"MAIL FROM:<evil@else.test>\r\n", b"E", b"\r\n", b"\x16\x03\x01", b"RSET\r\nQUIT\r\n"]
)
def test_bytes_behind_starttls_are_never_run(behind: bytes) -> None:
    scene = SmtpScene()
    talk = scene.play_segments([b"EHLO a\r\nSTARTTLS\r\n" + behind, b"EHLO b\r\n"])
    assert talk.codes == ["220", "250", "220 2.0.0"]
    assert talk.closed == "input behind STARTTLS"


def test_bytes_behind_starttls_in_each_split_of_the_flight_end_the_connection_or_come_in_tls() -> None:
    wire = b"EHLO a\r\nSTARTTLS\r\nMAIL FROM:<evil@else.test>\r\n"
    upgrade = wire.index(b"MAIL")
    for cut in range(len(wire)):
        scene = SmtpScene()
        talk = scene.play_segments([wire[:cut], wire[cut:]])
        assert "250 2.1.0" not in talk.codes
        if cut != upgrade:
            assert talk.closed == "input behind STARTTLS"


def test_what_was_said_in_the_clear_is_not_known_in_tls() -> None:
    scene = SmtpScene()
    session = scene.make_session()
    conductor = Conductor(dialogue=session, peer=scene.make_peer())
    settle(conductor.open())
    settle(conductor.feed(b"EHLO evil\r\n"))
    settle(conductor.feed(b"STARTTLS\r\n"))
    assert session.helo == ""
    assert session.transaction is None
    settle(conductor.feed(b"MAIL FROM:<>\r\n"))
    assert b"503 5.5.1" in conductor.held.output


def _tried(text: bytes, scene: SmtpScene) -> Talk:
    return scene.play_segments([text])


@pytest.mark.parametrize("strange", STRANGE)
@pytest.mark.parametrize(
    "template",
    [
        b"EHLO a%sb\r\n",
        b"HELO %s\r\n",
        b"EHLO [%s]\r\n",
        b"EHLO a\r\nMAIL FROM:<a%sb@a.test> SMTPUTF8\r\n",
        b'EHLO a\r\nMAIL FROM:<"a%sb"@a.test> SMTPUTF8\r\n',
        b"EHLO a\r\nMAIL FROM:<a@%s.test> SMTPUTF8\r\n",
        b"EHLO a\r\nMAIL FROM:<a@a.test> ENVID=%s\r\n",
        b"EHLO a\r\nMAIL FROM:<a@a.test> AUTH=%s\r\n",
        b"EHLO a\r\nMAIL FROM:<a@a.test> SIZE=%s\r\n",
        b"EHLO a\r\nMAIL FROM:<a@a.test> %s=1\r\n",
    ],
)
def test_no_argument_becomes_a_header_field(template: bytes, strange: bytes) -> None:
    scene = SmtpScene(settings={"errors": 1000})
    rest = b"EHLO a\r\nMAIL FROM:<a@a.test>\r\n" if b"MAIL" not in template else b"MAIL FROM:<a@a.test>\r\n"
    if template.startswith((b"EHLO a%s", b"HELO", b"EHLO [")):
        rest = b"MAIL FROM:<a@a.test>\r\n"
    text = (
        template.replace(b"%s", strange) + rest + b"RCPT TO:<bob@example.test>\r\nDATA\r\nSubject: x\r\n\r\ny\r\n.\r\n"
    )
    talk = _tried(text, scene)
    _check_kept(scene)
    _check_replies(talk)


@pytest.mark.parametrize("strange", STRANGE)
@pytest.mark.parametrize(
    "template",
    [
        b"RCPT TO:<bob+%s@example.test>\r\n",
        b'RCPT TO:<"bob+%s"@example.test>\r\n',
        b"RCPT TO:<@%s:bob@example.test>\r\n",
        b"RCPT TO:<bob@example.test> ORCPT=rfc822;%s\r\n",
        b"RCPT TO:<bob@example.test> ORCPT=utf-8;%s\r\n",
        b"RCPT TO:<bob@example.test> NOTIFY=%s\r\n",
    ],
)
def test_no_recipient_becomes_a_header_field(template: bytes, strange: bytes) -> None:
    scene = SmtpScene()
    begin = b"EHLO a\r\nMAIL FROM:<a@a.test> SMTPUTF8\r\n"
    talk = _tried(begin + template.replace(b"%s", strange) + b"DATA\r\nSubject: x\r\n\r\ny\r\n.\r\n", scene)
    _check_kept(scene)
    _check_replies(talk)


def _check_kept(scene: SmtpScene) -> None:
    for text in scene.texts():
        head, _, body = text.partition(b"\r\n\r\n")
        names = [line.partition(b":")[0] for line in head.split(b"\r\n") if not line.startswith(b"\t")]
        assert names == [b"Return-Path", b"Delivered-To", b"Received", b"Subject"]
        assert body == b"y\r\n"
        assert Header(head + b"\r\n").count(b"x-injected") == 0
        assert not any(octet in head.replace(b"\r\n", b"").replace(b"\t", b"") for octet in range(32))
        assert b"\x7f" not in head
        assert "\u2028" not in head.decode()


def _check_replies(talk: Talk) -> None:
    for line in talk.conversation.output.split(b"\r\n"):
        assert b"\n" not in line
        assert b"\r" not in line
        assert len(line) <= 510


ELSEWHERE = [
    b"<x@else.test>",
    b"<@example.test:x@else.test>",
    b"<@example.test,@else.test:x@else.test>",
    b"<x@[192.0.2.1]>",
    b"<x@[127.0.0.1]>",
    b"<x@example.test.else.test>",
    b"<x@xexample.test>",
    b"<x@backup.test.else.test>",
    b"<x@sub.backup.test>",
]
NOWHERE = [
    b"<x%else.test@example.test>",
    b"<else.test!x@example.test>",
    b'<"x@else.test"@example.test>',
    b'<"x@else.test">',
    b"<x@else.test@example.test>",
    b"<x@EXAMPLE.TEST.>",
    b"<x@>",
    b"<@example.test>",
    b"<>",
]
LOCAL = [
    b"<bob@example.test>",
    b"<BOB@EXAMPLE.test>",
    b"<postmaster>",
    b"<team@example.test>",
    b"<bob+x@example.test>",
    b"<mixed@example.test>",
    b"<away@example.test>",
    b"<chain@example.test>",
    b"<x@backup.test>",
    b"<@else.test:x@BACKUP.test>",
]


def _addresses(world: Any) -> None:
    world.add_alias("mixed@example.test", "bob@example.test", "x@else.test")
    world.add_alias("away@example.test", "x@else.test")
    world.add_alias("chain@example.test", "away@example.test")
    world.add_alias("team@example.test", "bob@example.test", "alice@example.test")
    world.directory.relayed.append("backup.test")


_NETWORK = {"relay_networks": ("192.0.2.0/28",)}

STRANGERS: dict[str, tuple[dict[str, Any], bytes]] = {
    "a stranger on mx": ({"listener": "smtp"}, b"EHLO a\r\n"),
    "a stranger on mx in TLS": ({"listener": "smtp", "tls": True}, b"EHLO a\r\n"),
    "one who says he is us": ({"listener": "smtp"}, b"EHLO mail.example.test\r\n"),
    "one who says he is the loopback": ({"listener": "smtp"}, b"EHLO [127.0.0.1]\r\n"),
    "one who says he is of the network": ({"listener": "smtp", **_NETWORK}, b"EHLO [192.0.2.9]\r\n"),
    "one beside the network": ({"peer": {"host": "192.0.2.16"}, **_NETWORK}, b"EHLO a\r\n"),
    "an exempt peer": ({"listener": "smtp", "peer": {"exempt": True}}, b"EHLO a\r\n"),
    "a mapped address": ({"listener": "smtp", "peer": {"host": "::ffff:127.0.0.1"}}, b"EHLO a\r\n"),
}
USERS: dict[str, tuple[dict[str, Any], bytes]] = {
    "bob on submission": ({"listener": "submission", "tls": True}, LOGIN),
    "bob on mx": ({"listener": "smtp", "tls": True, "changes": {"auth": True}}, LOGIN),
    "one of the network": ({"peer": {"host": "192.0.2.9"}, **_NETWORK}, b"EHLO a\r\n"),
    "one of the network, mapped": ({"peer": {"host": "::ffff:192.0.2.9"}, **_NETWORK}, b"EHLO a\r\n"),
}


@pytest.mark.parametrize("who", [*STRANGERS, *USERS])
@pytest.mark.parametrize("sender", [b"<bob@example.test>", b"<>", b"<x@backup.test>"])
def test_the_relay_matrix(who: str, sender: bytes) -> None:
    """Strangers reach what is ours, where our aliases lead and the domains we relay for; users reach everybody."""
    stranger = who in STRANGERS
    changes, begin = {**STRANGERS, **USERS}[who]
    scene = SmtpScene(prepare=_addresses, settings={"refused_recipients": 1000, "errors": 1000}, **changes)
    asked = [*ELSEWHERE, *NOWHERE, *LOCAL, b"<bob>"]
    text = begin + b"MAIL FROM:" + sender + b"\r\n" + b"".join(b"RCPT TO:" + to + b"\r\n" for to in asked)
    codes = scene.play_segments([text]).codes
    replies = dict(zip(asked, codes[-len(asked) :], strict=True))
    for address in ELSEWHERE:
        assert replies[address] == ("550 5.7.1" if stranger else "250 2.1.5"), address
    for address in NOWHERE:
        assert replies[address] in ("550 5.7.1", "550 5.1.1", "501 5.1.3", "501 5.5.4"), address
    for address in LOCAL:
        assert replies[address] == "250 2.1.5", address
    assert replies[b"<bob>"] == ("250 2.1.5" if begin is LOGIN else "501 5.1.3")


@pytest.mark.parametrize("who", [*STRANGERS, *USERS])
def test_what_goes_on_from_here_is_what_was_let_in(who: str) -> None:
    changes, begin = {**STRANGERS, **USERS}[who]
    scene = SmtpScene(prepare=_addresses, settings={"refused_recipients": 1000, "errors": 1000}, **changes)
    asked = [*ELSEWHERE, *NOWHERE, b"<away@example.test>", b"<x@backup.test>"]
    text = begin + b"MAIL FROM:<>\r\n" + b"".join(b"RCPT TO:" + to + b"\r\n" for to in asked)
    scene.play_segments([text + b"DATA\r\nFrom: bob@example.test\r\n\r\n.\r\n"])
    (accepted,) = scene.world.acceptance.accepted
    onward = {str(one.recipient.address) for one in accepted.onward}
    let_in = {"x@else.test", "x@backup.test"}
    assert onward == let_in if who in STRANGERS else onward > let_in


@pytest.mark.parametrize("begin", [b"EHLO a\r\n", b"HELO a\r\n", b"EHLO a\r\nAUTH PLAIN AGEAYQ==\r\n", b""])
def test_a_stranger_sends_nothing_by_submission(begin: bytes) -> None:
    scene = SmtpScene(listener="submission", tls=True)
    talk = scene.play(begin + b"MAIL FROM:<bob@example.test>\r\nRCPT TO:<alice@example.test>\r\nBDAT 5 LAST\r\nQUIT\n")
    assert not set(talk.codes) & {"250 2.1.0", "250 2.1.5", "354"}
    assert scene.contents() == []


WORDS = [
    b"EHLO a",
    b"HELO a",
    b"MAIL FROM:<a@a.test>",
    b"MAIL FROM:<a@a.test> BODY=BINARYMIME",
    b"RCPT TO:<bob@example.test>",
    b"RCPT TO:<x@else.test>",
    b"DATA",
    b".",
    b"BDAT 5",
    b"BDAT 3 LAST",
    b"BDAT 0 LAST",
    b"RSET",
    b"NOOP",
    b"AUTH PLAIN",
    b"AUTH LOGIN =",
    b"*",
    b"AGJvYkBleGFtcGxlLnRlc3QAc2VjcmV0",
    b"QUIT",
    b"VRFY bob",
    b"Subject: x",
    b"",
    b"..",
    b"\0",
    b"x" * 3000,
]
wires = st.lists(st.one_of(st.sampled_from(WORDS), st.binary(max_size=20)), max_size=25).map(b"\r\n".join)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(wires, st.sampled_from(["smtp", "submission"]), st.booleans())
def test_any_conversation_is_the_same_however_it_is_split_and_never_breaks(
    wire: bytes, listener: str, tls: bool
) -> None:
    scene = SmtpScene(listener=listener, tls=tls)
    talk = scene.play(wire)
    assert scene.world.journal.failures == []
    _check_replies(talk)


@settings(max_examples=40, deadline=None)
@given(
    st.binary(max_size=2000),
    st.sampled_from([b"", b"EHLO a\r\n", envelope() + b"DATA\r\n", envelope() + b"BDAT 500\r\n"]),
)
def test_random_octets_in_any_state_break_nothing(octets: bytes, before: bytes) -> None:
    scene = SmtpScene()
    scene.play(before + octets, ways=("whole", "line by line"))
    assert scene.world.journal.failures == []


def test_a_pipelined_flood_is_answered_in_order_within_bounds() -> None:
    scene = SmtpScene(settings={"idle_commands": 100_000})
    talk = scene.play_segments([b"EHLO a\r\n" + b"NOOP\r\n" * 5000])
    assert talk.codes == ["220", "250", *["250 2.0.0"] * 5000]


def test_memory_of_a_session_stays_bounded_whatever_is_sent() -> None:
    scene = SmtpScene()
    session = scene.make_session()
    session.opened(scene.make_peer())
    for chunk in itertools.repeat(b"A" * 60_000, 50):
        session.receive(chunk)
        while (event := session.next_event()) is not None:
            settle(session.handle(event))
        assert session.buffered() <= 12_288
