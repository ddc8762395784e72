"""What becomes of recipients: each thing that can be said or not said, in each phase, with each kind of server."""

from __future__ import annotations

from itertools import product

import pytest
from attrs import evolve

from worldmail.interfaces.outbound import Fate, Outcome, Phase
from worldmail.protocols.smtp.client.answers import Answer
from worldmail.testing.scripted_smtp import ScriptedServer
from worldmail.testing.smtp_client import CUTS, HOP, ClientMeeting, MemoryContent, make_means, make_shipment
from worldmail.testing.world import MemoryJournal

KINDS = {
    "one flight": ("PIPELINING", "CHUNKING"),
    "data": ("PIPELINING",),
    "chunks in steps": ("CHUNKING",),
    "steps": (),
}
PHASES = {
    "one flight": ("MAIL", "RCPT", "BDAT"),
    "data": ("MAIL", "RCPT", "DATA", "TEXT"),
    "chunks in steps": ("MAIL", "RCPT", "BDAT"),
    "steps": ("MAIL", "RCPT", "DATA", "TEXT"),
}
PLACES = {"MAIL": Phase.MAIL, "RCPT": Phase.RCPT, "DATA": Phase.DATA, "TEXT": Phase.CONTENT, "BDAT": Phase.CONTENT}
WORDS = ("450 4.7.1 later", "550 5.7.1 never", "421 4.3.2 closing CLOSE", "odd", "CLOSE", "what is this?", "SILENCE")
CASES = [(kind, phase, words) for kind in KINDS for phase, words in product(PHASES[kind], WORDS)]


def play(
    kind: str, answers: dict[str, list[str]], cut: str = "whole", *recipients: str
) -> tuple[ClientMeeting, Outcome]:
    meeting = ClientMeeting(server=ScriptedServer(offers=KINDS[kind], answers=answers), cut=cut)
    assert meeting.ready
    return meeting, meeting.send(make_shipment(*recipients))


def expected(kind: str, phase: str, words: str) -> Fate:
    """What RFC 5321 makes of it: only what was sent whole and not answered is unknown."""
    if words.startswith("550"):
        return Fate.FAILED
    if words.startswith(("450", "421")):
        return Fate.DEFERRED
    return Fate.UNKNOWN if kind == "one flight" or phase in ("TEXT", "BDAT") else Fate.DEFERRED


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize(("kind", "phase", "words"), CASES)
def test_every_answer_in_every_phase_has_its_fate(kind: str, phase: str, words: str, cut: str) -> None:
    said = {"DATA": "250 ok"}.get(phase, "354 go on") if words == "odd" else words
    meeting, outcome = play(kind, {phase: [said, "354 go on" if phase == "DATA" else "250 ok"]}, cut)
    [fate] = outcome.fates
    assert fate.fate is expected(kind, phase, words)
    assert fate.phase is PLACES[phase]
    assert fate.status[0] == ("5" if fate.fate is Fate.FAILED else "4")
    assert fate.reason.isascii() and fate.reason
    if words.startswith(("4", "5")):
        assert fate.reply is not None and str(fate.reply.code) == words[:3]
        assert fate.status == words.split()[1]
    goes_on = words.startswith(("450", "550"))
    assert meeting.dialogue.usable is goes_on
    assert (meeting.closed is None) is goes_on
    if goes_on:
        again = meeting.send(make_shipment())
        assert [fate.fate for fate in again.fates] == [Fate.DELIVERED]
        assert ("RSET" in meeting.commands) is (phase in ("RCPT", "DATA", "BDAT"))  # what may still be open


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("kind", KINDS)
def test_recipients_have_each_their_own_fate(kind: str, cut: str) -> None:
    answers = {"RCPT": ["250 ok", "550 5.1.1 no such user", "450 4.2.1 later", "251 forwards"]}
    meeting, outcome = play(kind, answers, cut, "a@b.test", "b@b.test", "c@b.test", "d@b.test")
    assert [fate.fate for fate in outcome.fates] == [Fate.DELIVERED, Fate.FAILED, Fate.DEFERRED, Fate.DELIVERED]
    assert [fate.status for fate in outcome.fates] == ["2.0.0", "5.1.1", "4.2.1", "2.0.0"]
    assert str(outcome.fates[0].reply) == "250 2.0.0 queued as 1"
    assert str(outcome.fates[1].reply) == "550 5.1.1 no such user"
    assert len(meeting.server.texts) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_refusal_of_the_content_is_of_those_that_were_accepted(kind: str) -> None:
    end = "BDAT" if "CHUNKING" in KINDS[kind] else "TEXT"
    answers = {"RCPT": ["250 ok", "450 later"], end: ["554 5.6.0 spam"]}
    _, outcome = play(kind, answers, "whole", "a@b.test", "b@b.test")
    assert [(fate.fate, fate.phase) for fate in outcome.fates] == [
        (Fate.FAILED, Phase.CONTENT),
        (Fate.DEFERRED, Phase.RCPT),
    ]


def test_data_that_is_wanted_for_nobody_is_ended_with_a_lone_dot() -> None:
    meeting, outcome = play("data", {"RCPT": ["550 5.1.1 no"], "DATA": ["354 go on"]})
    assert [fate.fate for fate in outcome.fates] == [Fate.FAILED]
    assert meeting.writes[-1] == b".\r\n"
    assert meeting.send(make_shipment()).fates[0].fate is Fate.FAILED
    assert "RSET" not in meeting.commands


def test_data_behind_a_refused_sender_is_ended_with_a_lone_dot() -> None:
    meeting, outcome = play("data", {"MAIL": ["550 5.7.1 no"], "DATA": ["354 go on"]})
    assert outcome.fates[0].phase is Phase.MAIL
    assert meeting.writes[-1] == b".\r\n"


def test_an_answer_to_nobodys_content_delivers_nothing() -> None:
    meeting, outcome = play("one flight", {"RCPT": ["550 5.1.1 no"], "BDAT": ["250 taken for nobody"]})
    assert [fate.fate for fate in outcome.fates] == [Fate.FAILED]
    assert meeting.dialogue.usable


@pytest.mark.parametrize("cut", CUTS)
def test_what_came_before_the_connection_broke_counts(cut: str) -> None:
    for kind, offers in KINDS.items():
        end = "BDAT" if "CHUNKING" in offers else "TEXT"
        meeting, outcome = play(kind, {"RCPT": ["550 5.1.1 no", "250 ok"], end: ["CLOSE"]}, cut, "a@b.test", "b@b.test")
        assert [fate.fate for fate in outcome.fates] == [Fate.FAILED, Fate.UNKNOWN]
        assert meeting.closed == "closed by peer"


def test_a_reply_that_came_with_the_end_of_the_connection_counts() -> None:
    meeting = ClientMeeting(server=ScriptedServer(offers=(), answers={"TEXT": ["SILENCE"]}))
    outcomes: list[Outcome] = []
    meeting.begin(make_shipment(), outcomes)
    meeting.dialogue.receive(b"250 2.0.0 ok\r\n")
    meeting.lose("closed by peer")
    assert outcomes[0].fates[0].fate is Fate.DELIVERED


def test_content_that_is_on_its_way_when_the_connection_breaks_is_deferred() -> None:
    text = MemoryContent(b"x\r\n" * 500_000, apart=True)
    server = ScriptedServer(offers=("PIPELINING", "CHUNKING"), answers={"BDAT": ["CLOSE"]})
    meeting = ClientMeeting(server=server)
    assert meeting.send(make_shipment(text=text)).fates[0].fate is Fate.DEFERRED


@pytest.mark.parametrize("offers", KINDS.values())
@pytest.mark.parametrize(
    "said", ["452 4.5.3 too many recipients", "452 too many", "552 5.5.3 too many", "552 too many"]
)
def test_recipients_for_whom_there_is_no_room_go_again_at_once(said: str, offers: tuple[str, ...]) -> None:
    server = ScriptedServer(offers=offers, answers={"RCPT": ["250 ok", said]})
    meeting = ClientMeeting(server=server)
    outcome = meeting.send(make_shipment("a@b.test", "b@b.test", "c@b.test"))
    assert [(fate.fate, fate.again) for fate in outcome.fates] == [
        (Fate.DELIVERED, False),
        (Fate.DEFERRED, True),
        (Fate.DEFERRED, True),
    ]
    assert {fate.status[0] for fate in outcome.fates[1:]} == {"4"}
    if "PIPELINING" not in offers:
        assert "RCPT TO:<c@b.test>" not in meeting.commands


@pytest.mark.parametrize(
    ("answers", "fate"),
    [
        (["452 4.5.3 too many"], Fate.DEFERRED),  # and the first: that is no matter of how many
        (["552 too many"], Fate.FAILED),
        (["250 ok", "452 4.2.2 mailbox full"], Fate.DEFERRED),
        (["250 ok", "452 4.3.1 disk full"], Fate.DEFERRED),
        (["250 ok", "552 5.2.2 mailbox full"], Fate.FAILED),
    ],
)
def test_other_refusals_are_not_taken_for_a_lack_of_room(answers: list[str], fate: Fate) -> None:
    _, outcome = play("data", {"RCPT": answers}, "whole", "a@b.test", "b@b.test")
    assert (outcome.fates[1].fate, outcome.fates[1].again) == (fate, False)


def test_recipients_beyond_our_own_bound_go_again() -> None:
    meeting = ClientMeeting(means=make_means(recipients=2))
    assert meeting.dialogue.recipients == 2
    outcome = meeting.send(make_shipment("a@b.test", "b@b.test", "c@b.test"))
    assert [fate.again for fate in outcome.fates] == [False, False, True]


def test_a_thousand_recipients_are_one_transaction() -> None:
    names = [f"u{number}@b.test" for number in range(1000)]
    meeting, outcome = play("one flight", {}, "whole", *names)
    assert {fate.fate for fate in outcome.fates} == {Fate.DELIVERED}
    assert len(meeting.server.texts) == 1
    assert len(meeting.writes) == 2


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("offers", KINDS.values())
def test_lmtp_answers_for_each_recipient_that_it_accepted(offers: tuple[str, ...], cut: str) -> None:
    end = "BDAT" if "CHUNKING" in offers else "TEXT"
    said = ["250 2.0.0 here", "552 5.2.2 full", "450 4.2.0 busy"]
    server = ScriptedServer(offers=offers, lmtp=True, answers={"RCPT": ["250 ok", "550 no", "250 ok"], end: said})
    meeting = lmtp(server, cut)
    outcome = meeting.send(make_shipment("a@b.test", "b@b.test", "c@b.test", "d@b.test"))
    assert [fate.fate for fate in outcome.fates] == [Fate.DELIVERED, Fate.FAILED, Fate.FAILED, Fate.DEFERRED]
    assert [fate.phase for fate in outcome.fates] == [Phase.CONTENT, Phase.RCPT, Phase.CONTENT, Phase.CONTENT]
    assert meeting.server.commands[0] == "LHLO mail.a.test"
    assert meeting.dialogue.usable


def test_lmtp_that_breaks_between_its_replies_leaves_the_rest_unknown() -> None:
    server = ScriptedServer(offers=("PIPELINING",), lmtp=True, answers={"TEXT": ["250 ok", "CLOSE"]})
    outcome = lmtp(server).send(make_shipment("a@b.test", "b@b.test", "c@b.test"))
    assert [fate.fate for fate in outcome.fates] == [Fate.DELIVERED, Fate.UNKNOWN, Fate.UNKNOWN]


@pytest.mark.parametrize("offers", [("PIPELINING",), ("PIPELINING", "CHUNKING")])
def test_lmtp_without_a_recipient_answers_once(offers: tuple[str, ...]) -> None:
    meeting = lmtp(ScriptedServer(offers=offers, lmtp=True, answers={"RCPT": ["550 5.1.1 no", "250 ok"]}))
    assert meeting.send(make_shipment()).fates[0].fate is Fate.FAILED
    assert meeting.send(make_shipment()).fates[0].fate is Fate.DELIVERED


@pytest.mark.parametrize("offers", KINDS.values())
def test_where_nobody_was_accepted_a_server_that_says_no_more_is_not_waited_for_long(offers: tuple[str, ...]) -> None:
    answers = {"RCPT": ["550 5.1.1 no"], "DATA": ["354 go on"], "TEXT": ["SILENCE"], "BDAT": ["SILENCE"]}
    meeting = lmtp(ScriptedServer(offers=offers, lmtp=True, answers=answers))
    results: list[Outcome] = []
    meeting.begin(make_shipment(), results)
    assert results or meeting.dialogue.timeout == meeting.means.patience.goodbye
    meeting.time_out()
    (fate,) = results[0].fates
    assert (fate.fate, fate.status, fate.phase) == (Fate.FAILED, "5.1.1", Phase.RCPT)
    assert ("DATA" in meeting.commands) == (offers == ("PIPELINING",))


def lmtp(server: ScriptedServer, cut: str = "whole") -> ClientMeeting:
    return ClientMeeting(server=server, cut=cut, hop=evolve(HOP, lmtp=True))


def test_fates_name_the_server_and_its_tls() -> None:
    _, outcome = play("data", {})
    assert outcome.server == "mx.b.test[192.0.2.1]:25"
    assert outcome.tls is None and not outcome.dsn


def test_an_error_of_ours_after_all_was_sent_leaves_it_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_: Answer) -> None:
        raise ValueError("an error of ours")

    monkeypatch.setattr(Answer, "as_reply", fails)
    meeting, outcome = play("one flight", {})
    assert (outcome.fates[0].fate, outcome.fates[0].status) == (Fate.UNKNOWN, "4.3.0")
    assert not meeting.dialogue.usable
    journal = meeting.means.journal
    assert isinstance(journal, MemoryJournal) and len(journal.failures) == 1


@pytest.mark.parametrize("phase", ["MAIL", "DATA", "TEXT"])
def test_a_reply_that_fits_nothing_is_told_in_our_words(phase: str) -> None:
    said = {"MAIL": "354 go on", "DATA": "250 ok", "TEXT": "354 go on"}[phase]
    meeting = ClientMeeting(server=ScriptedServer(answers={phase: [said]}))
    [fate] = meeting.send(make_shipment("bob@b.test")).fates
    assert fate.fate is (Fate.UNKNOWN if phase == "TEXT" else Fate.DEFERRED) and fate.reply is None
    assert f"The server's reply ({said[:3]}) does not fit what it was asked" in fate.reason
