"""What a driver calls of a client's conversation, whatever its protocol."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.wire.client.toy import Gone, Line, Unfit
from worldmail.testing.smtp_client import CUTS
from worldmail.wire.effects import Close, StartTls

EACH_CUT = pytest.mark.parametrize("cut", CUTS.values(), ids=CUTS)


def told(results: list[object]) -> tuple[type, str]:
    """The kind and the text of what was raised."""
    (error,) = results
    return type(error), str(error)


@EACH_CUT
def test_it_is_ready_when_it_was_greeted(cut: Callable[[bytes], list[bytes]]) -> None:
    line = Line()
    assert line.ready == []
    line.hear(b"hello\r\n", cut)
    assert line.ready == [None]
    assert line.dialogue.server == "toy.b.test[192.0.2.1]:7"


@EACH_CUT
def test_who_is_turned_away_says_goodbye_and_closes(cut: Callable[[bytes], list[bytes]]) -> None:
    line = Line()
    line.hear(b"no\r\n", cut)
    assert told(line.ready) == (Unfit, "we are turned away")
    assert line.effects == [b"quit\r\n", Close("we are turned away")]


def test_who_knows_no_goodbye_closes_without_a_word() -> None:
    line = Line(quiet=True)
    line.hear(b"no\r\n")
    assert line.effects == [Close("we are turned away")]


def test_whoever_waits_is_told_that_the_server_ended_it() -> None:
    line = Line()
    line.hear(b"bye\r\n")
    assert told(line.ready) == (Unfit, "4.4.2 the server ended it")
    assert line.effects == [Close("the server ended it")]
    assert line.dialogue.next_event() is None


def test_a_fault_of_ours_is_told_and_raised() -> None:
    line = Line()
    with pytest.raises(ZeroDivisionError):
        line.hear(b"fault\r\n")
    assert told(line.ready) == (Unfit, "4.3.0 An error of ours")


@EACH_CUT
def test_what_came_before_tls_counts_for_nothing(cut: Callable[[bytes], list[bytes]]) -> None:
    line = Line()
    line.hear(b"tls\r\n", cut)
    assert line.effects == [StartTls()]
    line.dialogue.receive(b"forged\r\n")
    line.take(line.dialogue.secured(line.peer))
    assert line.dialogue.buffered() == 0
    assert line.ready == []
    line.hear(b"hello\r\n", cut)
    assert line.ready == [None]


def test_what_stands_behind_the_consent_to_tls_ends_it() -> None:
    line = Line()
    line.hear(b"tls\r\nx")
    assert told(line.ready) == (
        Unfit,
        "4.7.0 The server said something in the clear behind its consent to TLS",
    )
    assert StartTls() not in line.effects


def test_why_tls_could_not_be_started_is_told() -> None:
    line = Line()
    line.hear(b"tls\r\n")
    line.peer.tls_failure = "the certificate has expired"
    line.dialogue.closed("TLS handshake failed")
    assert told(line.ready) == (Unfit, "4.4.2 TLS could not be started: the certificate has expired")


@pytest.mark.parametrize(
    ("end", "words"),
    [
        (lambda line: line.dialogue.timed_out(), "The server did not answer in time"),
        (lambda line: line.dialogue.refused("too many"), "The connection is not allowed: too many"),
        (lambda line: line.dialogue.shutting_down(), "This server stops"),
        (lambda line: line.dialogue.closed("gone"), "The connection was lost: gone"),
    ],
    ids=["silence", "refusal", "stop", "loss"],
)
def test_however_it_ends_all_who_wait_are_told(end: Callable[[Line], object], words: str) -> None:
    early, late = Line(), Line()
    end(early)
    assert told(early.ready) == (Unfit, f"4.4.2 {words}")
    late.hear(b"hello\r\n")
    asked = [late.ask(b"one"), late.ask(b"two")]
    end(late)
    for results in asked:
        assert told(results) == (Gone, words)
    assert told(late.ask(b"three")) == (Gone, words)


def test_what_came_before_the_end_still_counts() -> None:
    line = Line()
    line.hear(b"hello\r\n")
    results = line.ask(b"one")
    line.dialogue.receive(b"yes\r\n")
    line.dialogue.closed("gone")
    assert results == [b"yes"]


def test_abort_drops_the_connection_while_there_is_one() -> None:
    line, reasons = Line(), []
    line.peer.abort = reasons.append
    line.dialogue.abort()
    assert reasons == ["aborted"]
    line.dialogue.closed("aborted")
    line.dialogue.abort()
    assert reasons == ["aborted"]
