"""What happens to content on its way in."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from worldmail.errors import MailLoop, NotPermitted
from worldmail.interfaces.policy import MessageRequest, RecipientRequest, SenderRequest
from worldmail.testing.smtp import SmtpScene, envelope, with_body

LOGIN = b"EHLO a\r\nAUTH PLAIN " + base64.b64encode(b"\0bob@example.test\0secret") + b"\r\n"


def kept(scene: SmtpScene, message: bytes, **ways: Any) -> bytes:
    """What is kept of a message beyond our Received field."""
    assert scene.play(envelope() + b"DATA\r\n" + message + b"\r\n.\r\n", **ways).codes[-1] == "250 2.0.0"
    (content,) = scene.contents()
    assert content.startswith(b"Received: from a.test ")
    return content.partition(b" +0000\r\n")[2]


def submitted(message: bytes, scene: SmtpScene | None = None, sender: bytes = b"<bob@example.test>") -> bytes:
    """The same for a submission of bob's."""
    scene = scene or SmtpScene(listener="submission", tls=True)
    text = LOGIN + b"MAIL FROM:" + sender + b"\r\nRCPT TO:<alice@example.test>\r\nDATA\r\n" + message + b"\r\n.\r\n"
    assert scene.play(text).codes[-1] == "250 2.0.0"
    return scene.contents()[0].partition(b" +0000\r\n")[2]


@pytest.mark.parametrize(
    "message",
    [
        b"Subject: x\r\n\r\nbody",
        b"Subject: x\r\n folded\r\nX-Y: z\r\n\r\n",
        b"Subject : obsolete\r\n\r\nx",
        b"\r\nno header",
        b"Subject: only a header",
        b"Subject: x\r\nno field\r\nTo: y\r\n\r\nz",
        b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=latin1\r\n\r\n\xe4\xf6",
    ],
)
def test_on_mx_nothing_is_changed(message: bytes) -> None:
    assert kept(SmtpScene(), message) == message + b"\r\n"


def test_a_text_without_header_gets_the_empty_line_that_makes_it_a_body() -> None:
    assert kept(SmtpScene(), b"Hello Bob,\r\n\r\nSee: you") == b"\r\nHello Bob,\r\n\r\nSee: you\r\n"


def test_dots_are_unstuffed() -> None:
    assert kept(SmtpScene(), b"A: b\r\n\r\n..\r\n...x\r\n.y") == b"A: b\r\n\r\n.\r\n..x\r\ny\r\n"


def test_return_path_fields_of_others_are_taken_out() -> None:
    message = b"Return-Path: <x@y.test>\r\nA: b\r\nRETURN-PATH:\r\n <z@y.test>\r\n\r\nReturn-Path: stays"
    assert kept(SmtpScene(), message) == b"A: b\r\n\r\nReturn-Path: stays\r\n"


def test_a_large_message_streams_through_the_writer() -> None:
    body = b"\r\n".join(b"%07d" % number for number in range(100_000))
    message = b"A: b\r\nMIME-Version: 1.0\r\n\r\n" + body
    text = envelope() + b"DATA\r\n" + message + b"\r\n.\r\n"
    scene = SmtpScene()
    segments = [text[at : at + 50_000] for at in range(0, len(text), 50_000)]
    assert scene.play_segments(segments).codes[-1] == "250 2.0.0"
    assert scene.contents()[0].endswith(message + b"\r\n")


@pytest.mark.parametrize("wrong", [b"a\nb", b"a\rb", b"a\0b", b"\n.\n", b"\r.\r"])
def test_bare_cr_lf_and_nul_are_read_to_the_strict_end_and_refused(wrong: bytes) -> None:
    scene = SmtpScene()
    talk = scene.play(with_body(wrong) + b"NOOP\r\n")
    assert talk.codes[-2:] == ["550 5.6.0", "250 2.0.0"]
    assert scene.contents() == []


def test_long_lines_are_refused_only_where_the_site_says_so() -> None:
    message = with_body(b"x" * 2000)
    assert SmtpScene().play(message, ways=("whole",)).codes[-1] == "250 2.0.0"
    assert SmtpScene(settings={"text_line": 1000}).play(message).codes[-1] == "550 5.6.0"


@pytest.mark.parametrize(
    ("body", "charset"),
    [
        ("Grüße aus Köln".encode(), b"utf-8"),
        ("Grüße aus Köln, schöne Tage, süße Träume, müde Füße, große Bäume".encode("iso-8859-1"), None),
        (b"\xff\xfe\x00", b"unknown-8bit"),
    ],
)
def test_unlabelled_8_bit_text_is_labelled_below_received(body: bytes, charset: bytes | None) -> None:
    if b"\0" in body:
        body = b"\x81\x8d\x8f\x90\x9d"
    found = kept(SmtpScene(), b"Subject: x\r\n\r\n" + body)
    labels, _, rest = found.partition(b"Subject: x")
    assert rest == b"\r\n\r\n" + body + b"\r\n"
    assert labels.startswith(b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=")
    assert labels.endswith(b"\r\nContent-Transfer-Encoding: 8bit\r\n")
    if charset is not None:
        assert b"charset=" + charset + b"\r\n" in labels


@pytest.mark.parametrize(
    "message",
    [
        b"Subject: x\r\n\r\nascii",
        "Subject: ü\r\n\r\nascii".encode(),
        "DKIM-Signature: v=1\r\nSubject: x\r\n\r\nü".encode(),
        "Content-Transfer-Encoding: 8bit\r\n\r\nü".encode(),
        "Content-Type: text/plain\r\n\r\nü".encode(),
        "MIME-Version: 1.0\r\n\r\nü".encode(),
        "Subject: x\r\n\r\n-----BEGIN PGP SIGNED MESSAGE-----\r\nü".encode(),
    ],
)
def test_what_is_ascii_labelled_or_signed_is_left_alone(message: bytes) -> None:
    assert kept(SmtpScene(), message) == message + b"\r\n"


@pytest.mark.parametrize("octets", [100, 40_000, 200_000])
@pytest.mark.parametrize("place", ["start", "end", "none"])
def test_long_text_is_labelled_wherever_its_first_8_bit_octet_stands(octets: int, place: str) -> None:
    body = b"\r\n".join([b"x" * 70] * (octets // 72))
    body = {"start": "ü\r\n".encode() + body, "end": body + "\r\nü".encode(), "none": body}[place]
    text = envelope() + b"DATA\r\nSubject: x\r\n\r\n" + body + b"\r\n.\r\n"
    scene = SmtpScene()
    for step in (len(text), 10_000, 777):
        talk = scene.play_segments([text[at : at + step] for at in range(0, len(text), step)])
        assert talk.codes[-1] == "250 2.0.0"
        (content,) = scene.contents()
        head, _, rest = content.partition(b"\r\n\r\n")
        assert rest == body + b"\r\n"
        labels = b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n"
        assert head.count(labels) == (0 if place == "none" else 1)
        assert head.count(b"Received: ") == 1
        assert head.endswith(b"Subject: x")


def test_labelling_can_be_switched_off() -> None:
    message = "Subject: x\r\n\r\nü".encode()
    assert kept(SmtpScene(settings={"label_8bit": False}), message) == message + b"\r\n"


def test_a_submission_is_completed() -> None:
    assert submitted(b"Subject: x\r\n\r\nbody") == (
        b"Date: Sun, 17 Mar 2030 17:46:40 +0000\r\n"
        b"From: <bob@example.test>\r\n"
        b"Message-ID: <A000000000000001@mail.example.test>\r\n"
        b"Subject: x\r\n\r\nbody\r\n"
    )


def test_the_message_id_that_was_added_is_what_the_message_is_known_by() -> None:
    scene = SmtpScene(listener="submission", tls=True)
    submitted(b"Subject: x\r\n\r\nbody", scene)
    assert scene.world.acceptance.accepted[0].message_id == "<A000000000000001@mail.example.test>"


def test_a_complete_submission_is_left_as_it_is() -> None:
    message = b"Date: now\r\nFrom: Bob <bob@example.test>\r\nMessage-ID: <1@x>\r\n\r\nbody"
    assert submitted(message) == message + b"\r\n"


def test_plain_words_in_address_fields_are_qualified() -> None:
    found = submitted(
        b"Date: now\r\nMessage-ID: <1@x>\r\nFrom: bob\r\nTo: alice, x@else.test\r\nCc: Al <al>\r\n\r\nbody"
    )
    assert b"From: bob@example.test\r\nTo: alice@example.test, x@else.test\r\nCc: Al <al>\r\n" in found


def test_a_signed_submission_is_not_rewritten() -> None:
    found = submitted(b"Date: now\r\nMessage-ID: <1@x>\r\nFrom: bob\r\nDKIM-Signature: v=1\r\n\r\nbody")
    assert b"From: bob\r\n" in found


def test_blind_copies_are_not_shown_to_the_other_recipients() -> None:
    found = submitted(
        b"Date: now\r\nBcc: c@else.test,\r\n d@else.test\r\nMessage-ID: <1@x>\r\nResent-Bcc: e@else.test\r\n"
        b"From: bob@example.test\r\n\r\nBcc: body"
    )
    assert found == b"Date: now\r\nMessage-ID: <1@x>\r\nFrom: bob@example.test\r\n\r\nBcc: body\r\n"


def test_a_submitters_envelope_is_qualified() -> None:
    scene = SmtpScene(listener="submission", tls=True)
    text = LOGIN + b"MAIL FROM:<bob>\r\nRCPT TO:<alice>\r\nRCPT TO:<postmaster>\r\nDATA\r\n\r\n.\r\n"
    assert scene.play(text).codes[-1] == "250 2.0.0"
    sent = scene.world.acceptance.accepted[0].envelope
    assert str(sent.sender) == "bob@example.test"
    assert [str(recipient.address) for recipient in sent.recipients] == ["alice@example.test", "postmaster"]


def test_on_mx_a_login_changes_nothing_in_the_content() -> None:
    scene = SmtpScene(tls=True, changes={"auth": True})
    text = LOGIN + b"MAIL FROM:<bob@example.test>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\nA: b\r\n\r\n.\r\n"
    assert scene.play(text).codes[-1] == "250 2.0.0"
    assert scene.contents()[0].partition(b" +0000\r\n")[2] == b"A: b\r\n\r\n"


def test_an_account_hears_of_its_own_limit_in_ehlo() -> None:
    def prepare(world: Any) -> None:
        world.directory.accounts.clear()
        world.add_account("bob@example.test", max_message=70_000)

    scene = SmtpScene(listener="submission", tls=True, prepare=prepare)
    talk = scene.play(LOGIN + b"EHLO a\r\nMAIL FROM:<bob@example.test> SIZE=70001\r\n")
    assert "250-SIZE 70000" in talk.replies[-2]
    assert talk.codes[-1] == "552 5.3.4"


class _Refuses:
    name = "no"

    def __init__(self, request: type[Any], error: Exception) -> None:
        self.requests = (request,)
        self.error = error

    def check(self, request: object) -> None:
        raise self.error


@pytest.mark.parametrize(
    ("request_class", "error", "codes"),
    [
        (SenderRequest, NotPermitted(), ["550 5.7.1", "503 5.5.1", "503 5.5.1"]),
        (RecipientRequest, NotPermitted(), ["250 2.1.0", "550 5.7.1", "554 5.5.1"]),
        (MessageRequest, MailLoop(), ["250 2.1.0", "250 2.1.5", "354", "554 5.4.6"]),
    ],
)
def test_the_policy_is_asked_at_each_stage(request_class: type[Any], error: Exception, codes: list[str]) -> None:
    scene = SmtpScene(prepare=lambda world: world.policy.checks.append(_Refuses(request_class, error)))
    text = envelope() + b"DATA\r\n"
    if codes[-1] == "554 5.4.6":
        text += b"A: b\r\n\r\nx\r\n.\r\n"
    assert scene.play(text).codes[2:] == codes
    assert scene.contents() == []


def test_the_policy_sees_who_asks_and_what() -> None:
    scene = SmtpScene()
    scene.play(with_body(b"x").replace(b"<a@a.test>", b"<a@a.test> SIZE=30"))
    sender, recipient, message = scene.world.policy.asked
    assert isinstance(sender, SenderRequest)
    assert isinstance(recipient, RecipientRequest)
    assert isinstance(message, MessageRequest)
    assert (sender.asker.role, sender.asker.client, sender.asker.helo, sender.asker.tls) == (
        "mx",
        "127.0.0.1",
        "a.test",
        False,
    )
    assert (sender.size, recipient.size, recipient.count) == (30, 30, 0)
    assert (message.header, message.size) == (b"Subject: test\r\n", 20)
    assert [str(one.address) for one in message.envelope.recipients] == ["bob@example.test"]
