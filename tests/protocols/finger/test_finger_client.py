"""Asking a finger server: the first line that says anything, within bounds."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import Deferred
from zope.interface.verify import verifyObject

from worldmail.interfaces.protocol import IDialogue
from worldmail.protocols.finger.client.dialogue import MAXIMUM_ANSWER, MAXIMUM_LINE, Asking
from worldmail.testing.feeding import Conversation, converse, cuts, settle


def ask(*segments: bytes) -> tuple[Conversation, str]:
    asking = Asking("word", Deferred)
    conversation = settle(converse(asking, segments))
    return conversation, settle(asking.answer())


def answer(said: bytes) -> str:
    """However it comes."""
    answers = {ask(*segments)[1] for segments in cuts(said).values()}
    [one] = answers
    return one


@pytest.mark.parametrize(
    ("said", "heard"),
    [
        (b"Ok, shop: 3 pending messages started\r\n", "Ok, shop: 3 pending messages started"),
        (b"\r\n  \r\nOk\r\nmore\r\n", "Ok"),
        (b"no end", "no end"),
        (b"unix\nmore\n", "unix"),
        (b"", ""),
        (b"\r\n\r\n", ""),
        (b"bell\x07 \x1b[31mred\xff\r\n", "bell   [31mred\ufffd"),
        (b"x" * 1000 + b"\r\n", "x" * MAXIMUM_LINE),
        (b"y" * 100_000, "y" * MAXIMUM_LINE),
    ],
)
def test_the_first_line_is_the_answer(said: bytes, heard: str) -> None:
    assert answer(said) == heard


def test_the_question_is_a_line_and_after_the_first_line_of_the_answer_nothing_is_waited_for() -> None:
    conversation, _ = ask(b"Ok\r\n")
    assert (conversation.output, conversation.closed) == (b"word\r\n", "answered")


def test_a_server_that_never_ends_is_heard_so_far_and_no_further() -> None:
    asking: Any = Asking("word", Deferred)
    verifyObject(IDialogue, asking)
    for _ in range(100):
        asking.receive(b"\r\n" * 1000)
        assert asking.buffered() <= MAXIMUM_ANSWER
    assert asking.next_event() is not None
    asking.timed_out()
    assert (asking.next_event(), asking.buffered()) == (None, 0)
    asking.closed("again")
    assert settle(asking.answer()) == ""
