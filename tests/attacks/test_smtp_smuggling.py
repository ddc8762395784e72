"""SMTP smuggling: an end of data that another server might take for one is none here (RFC 5321 §2.3.8, §4.1.1.4)."""

from __future__ import annotations

import pytest

from worldmail.testing.smtp import SmtpScene, Talk, envelope

SMUGGLED = (
    b"MAIL FROM:<evil@else.test>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\n"
    b"From: <admin@example.test>\r\n\r\nsmuggled\r\n"
)

ENDS = [
    b"\n.\n",
    b"\n.\r\n",
    b"\n.\r",
    b"\r.\r",
    b"\r.\n",
    b"\r.\r\n",
    b"\r\n.\n",
    b"\r\n.\r",
    b"\r\n.\r\r\n",
    b"\r\n.\n\r\n",
    b"\r\n\0.\r\n",
    b"\r\n.\0\r\n",
    b"\r\n\x00.\r\n.\0\n",
    b"\r\r\n.\r\r\n",
    b"\n\r\n.\n\r\n"[1:],
    b"\r\n..\r\n",
    b"\r\n. \r\n",
    b"\r\n\x2e\x0b\r\n",
    b"\r\n.\x85\r\n",
    "\r\n.\u2028\r\n".encode(),
    b"\n\n.\n\n",
    b"\r\n.\r\0\n",
]

STRICT = b"\r\n.\r\n"


def text_with(end: bytes) -> bytes:
    return b"Subject: decoy\r\n\r\nbody" + end + SMUGGLED


def is_malformed(text: bytes) -> bool:
    rest = text.replace(b"\r\n", b"")
    return any(octet in rest for octet in (b"\r", b"\n", b"\0"))


def check(scene: SmtpScene, talk: Talk, text: bytes) -> None:
    """At most the decoy came through, as one message; nothing of it was a command."""
    malformed = is_malformed(text)
    assert talk.codes[-2:] == ["550 5.6.0" if malformed else "250 2.0.0", "221 2.0.0"]
    assert len(scene.world.acceptance.accepted) == (0 if malformed else 1)
    assert all(str(one.envelope.sender) == "a@a.test" for one in scene.world.acceptance.accepted)
    assert scene.texts(2) == []
    assert talk.codes.count("354") <= 1


@pytest.mark.parametrize("end", ENDS)
def test_no_second_message_comes_out_of_DATA_however_it_is_split(end: bytes) -> None:
    assert STRICT not in end
    scene, text = SmtpScene(), text_with(end)
    before = envelope() + b"DATA\r\n"
    wire = before + text + b"\r\n.\r\nQUIT\r\n" if not text.endswith(b"\r\n") else before + text + b".\r\nQUIT\r\n"
    for cut in range(len(before), len(wire)):
        check(scene, scene.play_segments([wire[:cut], wire[cut:]]), text)
    check(scene, scene.play_segments([wire[at : at + 1] for at in range(len(wire))]), text)


@pytest.mark.parametrize("end", [*ENDS, STRICT])
def test_no_second_message_comes_out_of_BDAT_however_it_is_split(end: bytes) -> None:
    scene, text = SmtpScene(), text_with(end)
    before = envelope() + b"BDAT %d LAST\r\n" % len(text)
    wire = before + text + b"QUIT\r\n"
    for cut in range(len(before), len(wire)):
        check(scene, scene.play_segments([wire[:cut], wire[cut:]]), text)


@pytest.mark.parametrize("end", [*ENDS, STRICT])
def test_no_second_message_comes_out_of_chunks_cut_anywhere(end: bytes) -> None:
    scene, text = SmtpScene(), text_with(end)
    for cut in range(len(text)):
        head, tail = text[:cut], text[cut:]
        wire = envelope() + b"BDAT %d\r\n" % len(head) + head + b"BDAT %d LAST\r\n" % len(tail) + tail + b"QUIT\r\n"
        talk = scene.play_segments([wire])
        if _first_fault_is_in(head):
            assert talk.codes[-3:] == ["550 5.6.0", "503 5.5.1", "221 2.0.0"]
            assert scene.world.acceptance.accepted == []
        else:
            check(scene, talk, text)


def _first_fault_is_in(head: bytes) -> bool:
    """True if it can be told from the first chunk alone."""
    return is_malformed(head.removesuffix(b"\r"))


@pytest.mark.parametrize("body", [b"BODY=7BIT", b"BODY=8BITMIME"])
@pytest.mark.parametrize("wrong", [b"\n", b"\r", b"\0"])
def test_no_declaration_lets_a_bare_line_end_in(body: bytes, wrong: bytes) -> None:
    scene = SmtpScene()
    wire = envelope(b"<a@a.test> " + body) + b"DATA\r\nA: b\r\n\r\nx" + wrong + b"y\r\n.\r\n"
    assert scene.play(wire).codes[-1] == "550 5.6.0"


@pytest.mark.parametrize("end", ENDS)
def test_a_pipelined_end_in_the_same_segment_as_DATA_is_text(end: bytes) -> None:
    scene, text = SmtpScene(), text_with(end)
    wire = envelope() + b"DATA\r\n" + text + b".\r\nQUIT\r\n"
    check(scene, scene.play_segments([wire]), text)


def test_text_behind_a_refused_DATA_is_not_asked_for() -> None:
    """Without 354 the peer must not send text; what it sends all the same are unknown commands, and few of them."""
    scene = SmtpScene(settings={"errors": 5})
    talk = scene.play(b"EHLO a\r\nMAIL FROM:<a@a.test>\r\nRCPT TO:<x@else.test>\r\nDATA\r\n" + b"line of text\r\n" * 50)
    assert talk.codes[-2:] == ["500 5.5.1", "421 4.7.0"]
    assert scene.contents() == []


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\0\n", b"\0"])
@pytest.mark.parametrize(
    "command", [b"EHLO a", b"MAIL FROM:<a@a.test>", b"RCPT TO:<bob@example.test>", b"NOOP", b"DATA"]
)
def test_commands_hidden_behind_odd_line_ends_are_never_run(command: bytes, end: bytes) -> None:
    scene = SmtpScene()
    talk = scene.play(envelope() + command + end + b"QUIT\r\n")
    assert talk.codes[-1] == "500 5.5.2"
    assert "221 2.0.0" not in talk.codes
