"""Replies, cut out of what a server sends."""

from __future__ import annotations

import pytest

from worldmail.interfaces.outbound import Reply
from worldmail.protocols.smtp.client.answers import (
    MAXIMUM_LINE,
    MAXIMUM_LINES,
    SHOWN_LINES,
    SHOWN_TEXT,
    Answer,
    AnswerReader,
)
from worldmail.wire.client.reader import GARBAGE


def read(data: bytes, size: int = 0) -> list[object]:
    """All that is in it, fed in pieces of this size."""
    reader = AnswerReader()
    found: list[object] = []
    for at in range(0, len(data), size or len(data)):
        reader.receive(data[at : at + (size or len(data))])
        while (said := reader.take()) is not None:
            found.append((said.code, said.lines) if isinstance(said, Answer) else said)
    return found


def read_in_all_ways(data: bytes) -> list[object]:
    """The same however it was cut."""
    whole = read(data)
    assert read(data, 1) == whole
    assert read(data, 7) == whole
    return whole


def reply(code: int, *lines: bytes) -> Reply:
    return Answer(code, list(lines)).as_reply()


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"250 ok\r\n", [(250, [b"ok"])]),
        (b"250\r\n", [(250, [b""])]),
        (b"571 no\r\n", [(571, [b"no"])]),
        (b"250 \r\n", [(250, [b""])]),
        (b"250-a\r\n250-\r\n250 c\r\n", [(250, [b"a", b"", b"c"])]),
        (b"250-a\r\n250\r\n", [(250, [b"a", b""])]),
        (b"250 a\r\n550 5.1.1 b\r\n421", [(250, [b"a"]), (550, [b"5.1.1 b"])]),
        (b"250-a\r\n251 b\r\n", [(251, [b"a", b"b"])]),  # the last one decides
    ],
)
def test_replies_are_read_whole(data: bytes, found: list[object]) -> None:
    assert read_in_all_ways(data) == found


@pytest.mark.parametrize(
    "data",
    [
        b"hello\r\n",
        b"HTTP/1.1 400 Bad Request\r\n",
        b"\r\n",
        b"25 ok\r\n",
        b"2500 ok\r\n",
        b"199 ok\r\n",
        b"999 ok\r\n",
        b"250_ok\r\n",
        b"\x80\x01\r\n",
        b"250-a\r\nhello\r\n",
        b"250-a\r\n550 b\r\n",
        b"250-a\r\n550-b\r\n",
        b"\n",
        b"2\r50 ok\r\n",
        b"x" * (MAXIMUM_LINE + 1),
        b"250-a\r\n" * (MAXIMUM_LINES + 1),
    ],
)
def test_what_is_no_reply_ends_the_reading(data: bytes) -> None:
    assert read_in_all_ways(data + b"250 ok\r\n") == [GARBAGE]


def test_nothing_is_kept_after_garbage() -> None:
    reader = AnswerReader()
    reader.receive(b"hello\r\n250 ok\r\n")
    assert reader.take() is GARBAGE
    reader.receive(b"x" * 100)
    assert reader.take() is None
    assert reader.buffered() == 0


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (b"550 no\rway", (550, [b"no"])),
        (b"550 no\nway", (550, [b"no"])),
        (b"550 no\0way", (550, [b"no"])),
        (b"550 " + b"x" * MAXIMUM_LINE, (550, [b"x" * 12])),
    ],
)
def test_a_line_that_is_not_sound_counts_as_far_as_it_is(line: bytes, found: object) -> None:
    assert read_in_all_ways(line + b"\r\n250 ok\r\n") == [found, (250, [b"ok"])]


def test_half_a_reply_is_buffered_though_its_first_line_was_taken() -> None:
    reader = AnswerReader()
    reader.receive(b"220-go\r\n")
    assert reader.take() is None
    assert reader.buffered()
    reader.clear()
    assert not reader.buffered()


def test_the_enhanced_code_stands_apart_on_every_line() -> None:
    assert reply(550, b"5.1.1 No such", b"5.1.1  user here") == Reply(
        code=550, enhanced="5.1.1", lines=("No such", "user here")
    )
    assert reply(250, b"2.0.0") == Reply(code=250, enhanced="2.0.0", lines=("",))


@pytest.mark.parametrize(
    "text", [b"4.1.1 x", b"5.1 x", b"5.1.1.1 x", b"5.1.1234 x", b"5.1.1x", b"55.1.1 x", b"6.1.1 x"]
)
def test_an_enhanced_code_that_does_not_fit_is_text(text: bytes) -> None:
    assert reply(550, text) == Reply(code=550, enhanced=None, lines=(text.decode(),))


def test_words_are_cleaned_and_bounded() -> None:
    assert reply(550, b"a\x07b\x1b[31m\xe2\x80\xaec \xff").lines == ("a?b?[31m?c �",)
    assert reply(550, "grüße".encode()).lines == ("grüße",)
    long = reply(550, *[b"x" * 2000] * 100)
    assert len(long.lines) == SHOWN_LINES
    assert {len(line) for line in long.lines} == {SHOWN_TEXT}
    assert str(reply(550, b"5.1.1 No", b"5.1.1 such")) == "550 5.1.1 No such"
