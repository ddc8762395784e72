"""BDAT, CHUNKING and BINARYMIME (RFC 3030)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worldmail.protocols.smtp.chunks import ChunkInspector
from worldmail.testing.smtp import SmtpScene, envelope
from worldmail.wire.dots import DotReader
from worldmail.wire.faults import Fault


def bdat(octets: bytes, last: bool = False) -> bytes:
    return b"BDAT %d%s\r\n%s" % (len(octets), b" LAST" if last else b"", octets)


def content_of(scene: SmtpScene) -> bytes:
    """What came behind our Received field."""
    (content,) = scene.contents()
    return content.partition(b" +0000\r\n")[2]


def test_chunks_make_one_message() -> None:
    scene = SmtpScene()
    talk = scene.play(
        envelope() + bdat(b"Subject: x\r") + bdat(b"\n\r\nbo") + bdat(b"dy\r\n.\r\n", last=True) + b"NOOP\r\n"
    )
    assert talk.replies[4:] == [
        ["250 2.0.0 11 octets received"],
        ["250 2.0.0 5 octets received"],
        ["250 2.0.0 Ok A000000000000001"],
        ["250 2.0.0 Ok"],
    ]
    assert content_of(scene) == b"Subject: x\r\n\r\nbody\r\n.\r\n"


def test_an_empty_last_chunk_ends_the_message() -> None:
    scene = SmtpScene()
    assert scene.play(envelope() + bdat(b"A: b\r\n\r\nx\r\n") + b"BDAT 0 last\r\n").codes[-2:] == ["250 2.0.0"] * 2
    assert content_of(scene) == b"A: b\r\n\r\nx\r\n"


def test_a_message_of_no_octets_is_taken() -> None:
    scene = SmtpScene()
    assert scene.play(envelope() + b"BDAT 0 LAST\r\n").codes[-1] == "250 2.0.0"
    assert content_of(scene) == b""


def test_a_missing_last_line_end_is_added_to_text() -> None:
    scene = SmtpScene()
    scene.play(envelope() + bdat(b"A: b\r\n\r\nx", last=True))
    assert content_of(scene) == b"A: b\r\n\r\nx\r\n"


@pytest.mark.parametrize("wrong", [b"a\nb\r\n", b"a\rb\r\n", b"a\0b\r\n", b"a\r", b"\n"])
def test_bare_cr_lf_and_nul_in_text_are_read_to_the_end_and_refused(wrong: bytes) -> None:
    scene = SmtpScene()
    talk = scene.play(envelope() + bdat(b"A: b\r\n\r\n" + wrong, last=True) + b"NOOP\r\n")
    assert talk.codes[-2:] == ["550 5.6.0", "250 2.0.0"]
    assert scene.contents() == []


def test_a_fault_in_an_early_chunk_ends_the_transaction() -> None:
    talk = SmtpScene().play(envelope() + bdat(b"a\nb") + bdat(b"QUIT\r\n", last=True) + b"NOOP\r\n")
    assert talk.codes[4:] == ["550 5.6.0", "503 5.5.1", "250 2.0.0"]


def test_binary_content_is_kept_as_it_came() -> None:
    scene = SmtpScene()
    octets = b"A: b\r\n\r\n\0\n\r\xff.\r\n.\r\nend\r"
    text = envelope().replace(b"MAIL FROM:<a@a.test>", b"MAIL FROM:<a@a.test> BODY=BINARYMIME")
    assert scene.play(text + bdat(octets[:12]) + bdat(octets[12:], last=True)).codes[-1] == "250 2.0.0"
    assert content_of(scene) == octets
    assert scene.world.acceptance.accepted[0].content.binary


@pytest.mark.parametrize("wrong", [b"\r", b"\n", b"\0", b"\r\r\n", b"\n\n", b"\n\r"])
@pytest.mark.parametrize("behind", [b"C: d\r\n\r\nx", b"C: d\r\n", b"C: d"])
def test_the_header_of_a_binary_message_is_lines_all_the_same(wrong: bytes, behind: bytes) -> None:
    scene = SmtpScene()
    octets = b"A: b" + wrong + behind
    text = envelope().replace(b"MAIL FROM:<a@a.test>", b"MAIL FROM:<a@a.test> BODY=BINARYMIME")
    assert scene.play(text + bdat(octets[:6]) + bdat(octets[6:], last=True) + b"NOOP\r\n").codes[-2:] == [
        "550 5.6.0",
        "250 2.0.0",
    ]
    assert scene.contents() == []


def test_DATA_of_a_binary_message_is_refused() -> None:
    text = envelope().replace(b"MAIL FROM:<a@a.test>", b"MAIL FROM:<a@a.test> BODY=BINARYMIME")
    assert SmtpScene().play(text + b"DATA\r\n").codes[-1] == "503 5.5.1"


def test_DATA_behind_BDAT_is_refused_and_the_chunks_go_on() -> None:
    scene = SmtpScene()
    talk = scene.play(
        envelope() + bdat(b"A: b\r\n\r\n") + b"DATA\r\nRCPT TO:<alice@example.test>\r\n" + b"BDAT 0 LAST\r\n"
    )
    assert talk.codes[-4:] == ["250 2.0.0", "503 5.5.1", "503 5.5.1", "250 2.0.0"]


def test_RSET_behind_BDAT_forgets_the_chunks() -> None:
    scene = SmtpScene()
    talk = scene.play(envelope() + bdat(b"A: b\r\n\r\n") + b"RSET\r\n" + bdat(b"x", last=True))
    assert talk.codes[-2:] == ["250 2.0.0", "503 5.5.1"]
    assert [writer.aborted for writer in scene.world.acceptance.writers] == [True]


@pytest.mark.parametrize(
    ("before", "code"),
    [
        (b"", "503 5.5.1"),
        (b"EHLO a\r\n", "503 5.5.1"),
        (b"EHLO a\r\nMAIL FROM:<>\r\n", "554 5.5.1"),
        (b"EHLO a\r\nMAIL FROM:<>\r\nRCPT TO:<nobody@example.test>\r\n", "554 5.5.1"),
    ],
)
def test_a_chunk_that_nobody_wants_is_dropped_to_the_octet(before: bytes, code: str) -> None:
    talk = SmtpScene().play(before + bdat(b"QUIT\r\nQUIT\r\nNO") + b"NOOP\r\n")
    assert talk.codes[-2:] == [code, "250 2.0.0"]


@pytest.mark.parametrize("argument", [b"", b"x", b"-1", b"5 FIRST", b"5LAST", b"1" * 19, b"0x10", b"5 LAST LAST"])
def test_a_size_that_cannot_be_read_ends_the_session(argument: bytes) -> None:
    talk = SmtpScene().play(envelope() + b"BDAT " + argument + b"\r\nQUIT\r\n")
    assert talk.codes[-1] == "501 5.5.4"
    assert talk.closed == "BDAT without a size"


def test_a_chunk_over_the_size_limit_is_dropped_and_refused() -> None:
    scene = SmtpScene(settings={"message_size": 65536})
    talk = scene.play(
        envelope() + bdat(b"A: b\r\n\r\n" + b"x" * 65536, last=True) + b"NOOP\r\n", ways=("whole", "line by line")
    )
    assert talk.codes[-2:] == ["552 5.3.4", "250 2.0.0"]


def test_a_huge_announced_chunk_holds_no_memory_and_is_no_command() -> None:
    scene = SmtpScene()
    session = scene.make_session()
    session.opened(scene.make_peer())
    session.receive(b"BDAT 999999999999999999 LAST\r\nQUIT\r\n")
    assert session.next_event() is not None
    assert session.buffered() < 100


@given(st.lists(st.sampled_from([b"a", b"\r\n", b"\r", b"\n", b"\0", b".", b"xyz" * 5])), st.integers(0, 20), st.data())
def test_chunks_are_judged_as_the_whole_text_would_be_by_DATA(
    pieces: list[bytes], limit: int, data: st.DataObject
) -> None:
    text = b"".join(pieces)
    inspector = ChunkInspector(limit)
    rest = text
    while rest:
        cut = data.draw(st.integers(1, len(rest)))
        inspector.feed(rest[:cut])
        rest = rest[cut:]
    inspector.finish()
    whole = ChunkInspector(limit)
    whole.feed(text)
    whole.finish()
    assert inspector.fault is whole.fault
    assert (inspector.fault is not None) == _is_faulty(text, limit)
    if text:
        assert inspector.ends_line == text.endswith(b"\r\n") or inspector.fault is not None


def _is_faulty(text: bytes, limit: int) -> bool:
    lines = text.split(b"\r\n")
    bare = any(b"\r" in line or b"\n" in line or b"\0" in line for line in lines)
    long = bool(limit) and any(
        len(line) + (2 if number < len(lines) - 1 else 0) > limit for number, line in enumerate(lines)
    )
    return bare or long


def test_the_reader_of_DATA_agrees_on_a_bare_cr() -> None:
    reader = DotReader(0)
    reader.feed(b"a\rb\r\n.\r\n")
    inspector = ChunkInspector(0)
    inspector.feed(b"a\rb\r\n")
    assert reader.fault is inspector.fault is Fault.BARE_CR
