"""Transcripts, and the feeding in several ways, against a small dialogue."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

import pytest
from twisted.internet.defer import Deferred, succeed

from worldmail.testing.fakes import PlainDialogue
from worldmail.testing.feeding import feed_in_all_ways, feed_three_ways, settle
from worldmail.testing.transcript import play
from worldmail.wire.effects import Effects
from worldmail.wire.ready import Ready


def test_a_conversation_that_goes_as_written_passes() -> None:
    play(
        PlainDialogue(),
        """
        S: hello
        C: NOOP
        S: ok ...
        two commands in one go:
        C: a
        C: b
        S: ok a
        S: ok b
        C: QUIT
        S: bye
        -- closed
        """,
    )


@pytest.mark.parametrize(
    ("transcript", "complaint"),
    [
        ("S: hi", "expected 'hi', heard 'hello'"),
        ("S: hello\nS: more", "expected 'more', but nothing more was said"),
        ("S: hello\nC: a\nC: b\nS: ok a", "not expected: ['ok b']"),
        ("S: hello\nC: QUIT\nS: bye", "closed: finished"),
        ("S: hello\n-- closed", "open"),
    ],
)
def test_one_that_goes_otherwise_says_where(transcript: str, complaint: str) -> None:
    with pytest.raises(AssertionError) as caught:
        play(PlainDialogue(), transcript)
    assert complaint in str(caught.value)


def test_a_dialogue_is_fed_whole_by_octets_by_lines_and_glued_and_must_say_the_same() -> None:
    made: list[PlainDialogue] = []

    def make() -> Any:
        made.append(PlainDialogue())
        return made[-1]

    conversation = feed_three_ways(make, b"a\r\nbc\r\nSTREAM 2\r\nQUIT\r\nlost\r\n")
    assert conversation.output.startswith(b"hello\r\nok a\r\nok bc\r\n0123")
    assert conversation.output.endswith(b"\r\nbye\r\n")
    assert conversation.closed == "finished"
    assert len(made) == 4
    assert all(dialogue.endings == ["finished"] for dialogue in made)


class Forgetful(PlainDialogue):
    """Loses what comes in more than one piece."""

    def receive(self, data: bytes) -> None:
        self.lines.clear()
        super().receive(data)


def test_a_dialogue_that_depends_on_segments_is_found_out() -> None:
    with pytest.raises(AssertionError, match="fed octet by octet"):
        feed_three_ways(Forgetful, b"abc\r\n")


def test_input_behind_STARTTLS_ends_the_conversation_as_the_driver_would() -> None:
    async def upgraded() -> tuple[object, ...]:
        conversation = await feed_in_all_ways(PlainDialogue, b"STARTTLS\r\n")
        return conversation.secured, conversation.closed

    assert settle(upgraded()) == (1, None)
    with pytest.raises(AssertionError, match="fed octet by octet"):  # all at once is cut off, in turns it is not
        feed_three_ways(PlainDialogue, b"STARTTLS\r\nNOOP\r\n")


def test_settling_takes_what_is_there_and_complains_about_what_is_not() -> None:
    async def both() -> int:
        there: Awaitable[int] = succeed(2)
        return await Ready(1) + await there

    async def never() -> Effects:
        waiting: Deferred[Effects] = Deferred()
        return await waiting

    assert settle(both()) == 3
    with pytest.raises(AssertionError, match="waits for"):
        settle(never())
