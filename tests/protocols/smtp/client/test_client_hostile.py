"""Servers that say anything: every recipient has a fate, and nothing is said twice."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from worldmail.interfaces.outbound import Fate, Outcome
from worldmail.protocols.smtp.client.answers import MAXIMUM_LINE, AnswerReader
from worldmail.testing.scripted_smtp import ScriptedServer
from worldmail.testing.smtp_client import CUTS, ClientMeeting, MemoryContent, make_shipment

LINES = st.sampled_from(
    [
        "250 ok",
        "250-more\r\n250 ok",
        "354 go on",
        "450 4.2.1 later",
        "550 5.1.1 no",
        "421 4.3.2 closing",
        "452 4.5.3 too many",
        "220 hello",
        "334 AAAA",
        "235 ok",
        "",
        "what",
        "250 ok\r\n250 ok",
        "CLOSE",
        "250 ok CLOSE",
        "SILENCE",
        "250-never\r\n250-ending",
    ]
)
ANSWERS = st.dictionaries(
    st.sampled_from(["EHLO", "MAIL", "RCPT", "DATA", "TEXT", "BDAT", "RSET", "QUIT"]),
    st.lists(LINES, min_size=1, max_size=4),
)
OFFERS = st.lists(st.sampled_from(["PIPELINING", "CHUNKING", "8BITMIME", "SIZE 1000000", "LIMITS RCPTMAX=2 MAILMAX=3"]))


@settings(max_examples=400, deadline=None)
@given(ANSWERS, OFFERS, st.sampled_from(sorted(CUTS)), st.integers(1, 4), st.booleans(), st.booleans())
def test_every_recipient_has_a_fate_whatever_is_said(
    answers: dict[str, list[str]], offers: list[str], cut: str, recipients: int, large: bool, apart: bool
) -> None:
    meeting = ClientMeeting(server=ScriptedServer(answers=answers, offers=offers), cut=cut)
    text = b"Subject: x\r\n\r\n" + b"x\r\n" * (100_000 if large else 1)
    delivered = 0
    for _ in range(3):
        if not meeting.ready:
            break
        names = [f"u{number}@b.test" for number in range(recipients)]
        outcome = meeting.send(make_shipment(*names, text=MemoryContent(text, apart=apart, piece=50_000)))
        assert len(outcome.fates) == recipients
        for fate in outcome.fates:
            assert fate.status[0] == {Fate.DELIVERED: "2", Fate.FAILED: "5"}.get(fate.fate, "4")
            assert fate.reason or fate.fate is Fate.DELIVERED
        delivered += any(fate.fate is Fate.DELIVERED for fate in outcome.fates)
        # What the server took whole without a word of refusal is known to be there, or said to be unknown.
        assert not meeting.dialogue.usable or meeting.closed is None
    meeting.quit()
    meeting.time_out()
    assert meeting.closed is not None
    assert meeting.ready or meeting.trouble is not None


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200), st.sampled_from(sorted(CUTS)), st.sampled_from([b"", b"250 ", b"250-", b"550 5.1.1 "]))
def test_any_octets_are_read(octets: bytes, cut: str, start: bytes) -> None:
    meeting = ClientMeeting(server=ScriptedServer(answers={"MAIL": ["SILENCE"]}), cut=cut)
    outcomes: list[Outcome] = []
    meeting.begin(make_shipment(), outcomes)
    meeting.hear(start + octets)
    meeting.lose("closed by peer")
    assert len(outcomes[0].fates) == 1
    assert outcomes[0].fates[0].fate in (Fate.DEFERRED, Fate.FAILED)


def test_what_is_kept_of_a_reply_is_bounded() -> None:
    reader = AnswerReader()
    for _ in range(10_000):
        reader.receive(b"250-" + b"x" * (MAXIMUM_LINE - 6) + b"\r\n")
        if reader.take() is not None:
            break
    assert reader.buffered() == 0
