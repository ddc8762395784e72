"""How the octets of a message go out."""

from __future__ import annotations

import pytest

from worldmail.interfaces.outbound import Fate, Phase
from worldmail.mail.envelope import Body
from worldmail.testing.scripted_smtp import ScriptedServer
from worldmail.testing.smtp_client import CUTS, ClientMeeting, MemoryContent, make_means, make_shipment

ALL = ("PIPELINING", "CHUNKING", "8BITMIME", "BINARYMIME", "SIZE 0")
LARGE = b"Subject: large\r\n\r\n" + b"".join(b".%d\r\n" % number for number in range(60_000))
EIGHT = (
    b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    b"A line that is long enough, with gr\xc3\xbc\xc3\x9fe in it\r\n"
)
BINARY = (
    b"MIME-Version: 1.0\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: binary\r\n\r\n"
    b"\x00\xff\r\n.\r\n\rQUIT\n\x01"
)
SIGNED = (
    b'MIME-Version: 1.0\r\nContent-Type: multipart/signed; boundary=b; protocol="a/b"; micalg=x\r\n\r\n'
    b"--b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\ngr\xc3\xbc\xc3\x9fe\r\n"
    b"--b\r\nContent-Type: a/b\r\n\r\nx\r\n--b--\r\n"
)


def meet(*offers: str, cut: str = "whole", **answers: list[str]) -> ClientMeeting:
    return ClientMeeting(server=ScriptedServer(offers=offers, answers=answers), cut=cut)


def unstuffed(text: bytes) -> bytes:
    return (b"\r\n" + text).replace(b"\r\n..", b"\r\n.")[2:]


@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("offers", [(), ("PIPELINING",), ("CHUNKING",), ("PIPELINING", "CHUNKING")])
@pytest.mark.parametrize(
    "text",
    [b"", b"\r\n", b".", b".\r\n", b"..\r\n.\r\n", b"Subject: x\r\n\r\nno end", b"a\r\n.\r\nb\r\n", LARGE],
    ids=["empty", "line", "dot", "dot line", "dots", "no end", "end within", "large"],
)
def test_content_arrives_as_it_was_and_ends_with_a_line_end(text: bytes, offers: tuple[str, ...], apart: bool) -> None:
    meeting = meet(*offers)
    outcome = meeting.send(make_shipment(text=MemoryContent(text, apart=apart, piece=777)))
    assert outcome.fates[0].fate is Fate.DELIVERED
    [arrived] = meeting.server.texts
    if "CHUNKING" not in offers:
        arrived = unstuffed(arrived)
    whole = text if text.endswith(b"\r\n") or not text else text + b"\r\n"
    assert arrived == whole
    meeting.quit()
    assert meeting.commands[-1] == "QUIT"


def test_a_small_message_takes_one_write_with_chunking_and_two_without() -> None:
    meeting = meet("PIPELINING", "CHUNKING")
    meeting.send(make_shipment("a@b.test", "b@b.test"))
    assert len(meeting.writes) == 2  # EHLO is the other
    meeting = meet("PIPELINING")
    meeting.send(make_shipment("a@b.test", "b@b.test"))
    assert len(meeting.writes) == 3


def test_content_that_is_not_small_waits_until_somebody_is_there_to_take_it() -> None:
    meeting = ClientMeeting(
        server=ScriptedServer(offers=ALL, answers={"RCPT": ["550 no"]}), means=make_means(one_flight=100)
    )
    assert meeting.send(make_shipment(text=b"x" * 101)).fates[0].fate is Fate.FAILED
    assert not [command for command in meeting.commands if command.startswith("BDAT")]
    assert sum(map(len, meeting.writes)) < 150


def test_each_chunk_ends_with_a_line_unless_the_line_is_longer_than_a_chunk() -> None:
    """Who passes on line by line what comes, as fetchmail does behind ATRN, would wait for the rest of one."""
    text = b"Subject: x\r\n\r\n" + b"a line of some length\r\n" * 50_000 + b"y" * 900_000 + b"\r\n" + LARGE
    meeting = meet("PIPELINING", "CHUNKING")
    meeting.send(make_shipment(text=MemoryContent(text, apart=True, piece=1000)))
    assert meeting.server.texts == [text]
    sizes = [int(command.split()[1]) for command in meeting.commands if command.startswith("BDAT")]
    long = range(text.index(b"y" * 1000), text.index(b"y\r"))
    ends = [sum(sizes[: number + 1]) for number in range(len(sizes))]
    assert len(sizes) > 6 and max(sizes) < 300_000
    assert [end for end in ends if text[end - 2 : end] != b"\r\n" and end not in long] == []


@pytest.mark.parametrize("cut", CUTS)
def test_a_chunk_that_is_refused_ends_the_message_at_once(cut: str) -> None:
    for said, fate in (("552 5.3.4 too large", Fate.FAILED), ("451 4.3.0 later", Fate.DEFERRED)):
        meeting = meet("PIPELINING", "CHUNKING", cut=cut, BDAT=["250 more", said, "503 5.5.1 no", "250 ok"])
        outcome = meeting.send(make_shipment(text=MemoryContent(LARGE * 3, apart=True)))
        assert (outcome.fates[0].fate, outcome.fates[0].phase) == (fate, Phase.CONTENT)
        chunks = [command for command in meeting.commands if command.startswith("BDAT")]
        assert len(chunks) == 3 and not chunks[-1].endswith("LAST")
        assert meeting.send(make_shipment()).fates[0].fate is Fate.DELIVERED
        assert "RSET" in meeting.commands


def test_the_last_chunk_but_one_that_is_refused_is_the_message_that_is_refused() -> None:
    meeting = meet("PIPELINING", "CHUNKING", BDAT=["552 5.3.4 too large", "503 5.5.1 no", "250 ok"])
    outcome = meeting.send(make_shipment(text=MemoryContent(b"x\r\n" * 100_000, apart=True)))
    assert (outcome.fates[0].fate, outcome.fates[0].status) == (Fate.FAILED, "5.3.4")
    assert meeting.send(make_shipment()).fates[0].fate is Fate.DELIVERED


# --- 8BITMIME, BINARYMIME ------------------------------------------------------------------------------


@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize(
    ("body", "text", "offers", "declared"),
    [
        (Body.SEVEN_BIT, b"x\r\n", ALL, ""),
        (Body.EIGHT_BIT, EIGHT, ALL, " BODY=8BITMIME"),
        (Body.EIGHT_BIT, EIGHT, ("8BITMIME",), " BODY=8BITMIME"),
        (Body.EIGHT_BIT, b"only ascii\r\n", (), ""),
        (Body.BINARY, BINARY, ALL, " BODY=BINARYMIME"),
    ],
)
def test_content_that_the_server_takes_is_not_touched(
    body: Body, text: bytes, offers: tuple[str, ...], declared: str, apart: bool
) -> None:
    meeting = meet(*offers)
    outcome = meeting.send(make_shipment(text=MemoryContent(text, apart=apart), body=body))
    assert outcome.fates[0].fate is Fate.DELIVERED
    assert meeting.commands[0].removesuffix(f" SIZE={len(text)}") == f"MAIL FROM:<alice@a.test>{declared}"
    assert meeting.server.texts == [text]


def test_octets_above_127_are_declared_though_nobody_had_declared_them() -> None:
    meeting = meet("8BITMIME")
    meeting.send(make_shipment(text=EIGHT))
    assert meeting.commands[0].endswith(" BODY=8BITMIME")


@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("offers", [(), ("PIPELINING", "CHUNKING", "SIZE 100000")])
@pytest.mark.parametrize("body", [Body.EIGHT_BIT, Body.SEVEN_BIT])  # whatever was said of it
def test_8bit_content_is_converted_for_a_server_without_8BITMIME(
    offers: tuple[str, ...], apart: bool, body: Body
) -> None:
    meeting = meet(*offers)
    outcome = meeting.send(make_shipment(text=MemoryContent(EIGHT, apart=apart), body=body))
    assert outcome.fates[0].fate is Fate.DELIVERED
    [arrived] = meeting.server.texts
    assert arrived.isascii() and b"gr=C3=BC=C3=9Fe" in arrived
    assert meeting.commands[0] == "MAIL FROM:<alice@a.test>" + (f" SIZE={len(arrived)}" if offers else "")


@pytest.mark.parametrize("offers", [("8BITMIME", "CHUNKING"), ("8BITMIME",), ("PIPELINING",)])
def test_binary_content_is_converted_for_a_server_without_BINARYMIME(offers: tuple[str, ...]) -> None:
    meeting = meet(*offers)
    outcome = meeting.send(make_shipment(text=BINARY, body=Body.BINARY))
    assert outcome.fates[0].fate is Fate.DELIVERED
    assert meeting.commands[0].endswith(" BODY=8BITMIME") is ("8BITMIME" in offers)
    [arrived] = meeting.server.texts
    assert b"Content-Transfer-Encoding: base64" in arrived
    assert arrived.count(b"\n") == arrived.count(b"\r") == arrived.count(b"\r\n")


def test_content_that_cannot_be_converted_is_not_sent() -> None:
    meeting = meet("PIPELINING")
    outcome = meeting.send(make_shipment("a@b.test", "b@b.test", text=SIGNED, body=Body.EIGHT_BIT))
    assert {(fate.fate, fate.status) for fate in outcome.fates} == {(Fate.FAILED, "5.6.3")}
    assert not meeting.commands and meeting.dialogue.usable


# --- what should not be in the store ---------------------------------------------------------------------


@pytest.mark.parametrize("text", [b"a\nb\r\n", b"a\rb\r\n", b"a\r\n.\n", b"\n.\r\n", b"a\r\n.\r", b"\r\r\n.\r\n"])
@pytest.mark.parametrize("offers", [(), ("PIPELINING", "CHUNKING")])
def test_text_never_goes_out_with_a_bare_CR_or_LF(text: bytes, offers: tuple[str, ...]) -> None:
    meeting = meet(*offers)
    text = b"Subject: x\r\n\r\n" + text
    outcome = meeting.send(make_shipment(text=text))
    assert outcome.fates[0].fate is Fate.DELIVERED
    [arrived] = meeting.server.texts
    assert arrived.count(b"\n") == arrived.count(b"\r") == arrived.count(b"\r\n")  # it was converted as binary
    for piece in (1, 2, 3, 1000):
        meeting = meet(*offers)
        outcome = meeting.send(make_shipment(text=MemoryContent(text, apart=True, piece=piece)))
        assert (outcome.fates[0].fate, outcome.fates[0].status) == (Fate.FAILED, "5.6.0")
        assert meeting.closed is not None and not meeting.server.texts
        sent = b"".join(meeting.writes)
        assert sent.count(b"\n") == sent.count(b"\r") == sent.count(b"\r\n")


class Torn(MemoryContent):
    """Content that is not all there."""

    async def chunks(self):  # type: ignore[no-untyped-def]  # an asynchronous generator
        yield self.octets[:-1]


class Unreadable(MemoryContent):
    """Content that cannot be read."""

    async def chunks(self):  # type: ignore[no-untyped-def]  # an asynchronous generator
        yield self.octets[:5]
        raise OSError("no such disk")


@pytest.mark.parametrize("body", [Body.SEVEN_BIT, Body.BINARY])
@pytest.mark.parametrize("offers", [(), ALL])
@pytest.mark.parametrize("content", [Torn, Unreadable])
def test_half_a_message_is_never_delivered(content: type[MemoryContent], offers: tuple[str, ...], body: Body) -> None:
    meeting = meet(*offers)
    outcome = meeting.send(make_shipment(text=content(b"Subject: x\r\n\r\nabc\r\n", apart=True), body=body))
    assert (outcome.fates[0].fate, outcome.fates[0].status) == (Fate.DEFERRED, "4.3.0")
    assert not meeting.server.texts
    assert meeting.dialogue.usable is (not meeting.commands)  # it is found before anything was said, or at the end
