"""Commands that are asked for at any time, each with an answer."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.wire.client.toy import Gone, Line, Refused
from worldmail.testing.smtp_client import CUTS
from worldmail.wire.effects import Close


def opened(**changes: object) -> Line:
    """One that was greeted."""
    line = Line(**changes)
    line.hear(b"hello\r\n")
    assert line.ready == [None]
    return line


@pytest.mark.parametrize("cut", CUTS.values(), ids=CUTS)
def test_answers_go_to_who_asked_in_their_order(cut: Callable[[bytes], list[bytes]]) -> None:
    line = opened(window=3)
    results = [line.ask(command) for command in (b"one", b"two", b"three")]
    line.hear(b"1\r\nno\r\n3\r\n", cut)
    assert results[0] == [b"1"]
    assert isinstance(results[1][0], Refused)
    assert results[2] == [b"3"]
    assert line.effects == [b"one\r\n", b"two\r\n", b"three\r\n"]


def test_no_more_are_on_their_way_than_the_window_has() -> None:
    line = opened(window=2)
    results = [line.ask(b"%d" % number) for number in range(4)]
    assert line.effects == [b"0\r\n", b"1\r\n"]
    line.hear(b"a\r\n")
    assert line.effects == [b"0\r\n", b"1\r\n", b"2\r\n"]
    line.hear(b"b\r\nc\r\nd\r\n")
    assert results == [[b"a"], [b"b"], [b"c"], [b"d"]]


def test_a_turn_is_asked_for_unless_there_is_one() -> None:
    line = opened()
    line.ask(b"one")
    assert line.woken == 1


def test_nothing_is_asked_before_it_is_open() -> None:
    line = Line()
    (error,) = line.ask(b"one")
    assert isinstance(error, Gone)
    assert line.effects == []


def test_who_speaks_unasked_is_left() -> None:
    line = opened()
    line.hear(b"1\r\n")
    assert line.effects == [Close("the server spoke unasked")]


def test_an_idle_one_says_goodbye_if_there_is_one_to_say() -> None:
    assert opened().dialogue.timed_out() == (b"quit\r\n",)
    assert list(opened(quiet=True).dialogue.timed_out()) == [Close("The server did not answer in time")]


def test_who_says_garbage_says_nothing_more() -> None:
    line = opened()
    results = line.ask(b"one")
    line.hear(b"x" * 30 + b"\r\n1\r\n")
    assert isinstance(results[0], Gone)
    line.dialogue.receive(b"more\r\n")
    assert line.dialogue.buffered() == 0
