"""The line buffer: only CRLF ends a line, whatever the segments."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worldmail.wire.lines import Fault, LineBuffer


def drain(buffer: LineBuffer) -> list[bytes | Fault]:
    taken: list[bytes | Fault] = []
    while (line := buffer.take()) is not None:
        taken.append(line)
    return taken


def fed(segments: list[bytes], limit: int) -> list[bytes | Fault]:
    buffer = LineBuffer(limit)
    taken: list[bytes | Fault] = []
    for segment in segments:
        buffer.append(segment)
        taken += drain(buffer)
    return taken


def octets(data: bytes) -> list[bytes]:
    return [data[i : i + 1] for i in range(len(data))]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"NOOP\r\n", [b"NOOP"]),
        (b"\r\n\r\n", [b"", b""]),
        (b"one\r\ntwo\r\nthr", [b"one", b"two"]),
        (b"a\nb\r\nnext\r\n", [Fault.BARE_LF, b"next"]),
        (b"a\rb\r\nnext\r\n", [Fault.BARE_CR, b"next"]),
        (b"a\r\r\nnext\r\n", [Fault.BARE_CR, b"next"]),
        (b"\n\r\nnext\r\n", [Fault.BARE_LF, b"next"]),
        (b"a\0b\r\nnext\r\n", [Fault.NUL, b"next"]),
        (b"a\0b\nc\rd\r\nnext\r\n", [Fault.NUL, b"next"]),
        (b"a\n\r", [Fault.BARE_LF]),
        (b"12345678\r\n", [b"12345678"]),
        (b"123456789\r\nnext\r\n", [Fault.TOO_LONG, b"next"]),
        (b"123456789\n\r\nnext\r\n", [Fault.TOO_LONG, b"next"]),
        (b"12345678\rX\r\nnext\r\n", [Fault.BARE_CR, b"next"]),
        (b"1234567\n9\r\nnext\r\n", [Fault.BARE_LF, b"next"]),
        (b"x" * 50 + b"\r\r\nnext\r\n", [Fault.TOO_LONG, b"next"]),
    ],
)
def test_whole_and_octet_by_octet_give_these_lines(data: bytes, expected: list[bytes | Fault]) -> None:
    assert fed([data], 10) == expected
    assert fed(octets(data), 10) == expected


@given(
    st.lists(st.sampled_from([b"\r", b"\n", b"\0", b"a", b"bc", b"\r\n", b"word"]), max_size=40),
    st.lists(st.integers(0, 200), max_size=6),
    st.integers(3, 12),
)
def test_segmentation_never_changes_what_is_taken(parts: list[bytes], cuts: list[int], limit: int) -> None:
    data = b"".join(parts)
    places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    segments = [data[a:b] for a, b in itertools.pairwise(places)]
    assert fed([data], limit) == fed(segments, limit) == fed(octets(data), limit)


@given(st.binary(max_size=200))
def test_a_good_line_never_holds_CR_LF_or_NUL_and_never_exceeds_the_limit(data: bytes) -> None:
    for line in fed([data], 20):
        if isinstance(line, bytes):
            assert not set(line) & {0, 10, 13}
            assert len(line) <= 18


def test_the_rest_of_an_overlong_line_is_not_kept() -> None:
    buffer = LineBuffer(100)
    for _ in range(50):
        buffer.append(b"x" * 1000)
        drain(buffer)
        assert buffer.buffered == 0
    buffer.append(b"tail\r\nNOOP\r\n")
    assert drain(buffer) == [b"NOOP"]


def test_the_limit_may_change_between_lines() -> None:
    buffer = LineBuffer(10)
    buffer.append(b"x" * 30 + b"\r\n" + b"y" * 30 + b"\r\n")
    buffer.limit = 100
    assert buffer.take() == b"x" * 30
    buffer.limit = 10
    assert buffer.take() is Fault.TOO_LONG


def test_counted_octets_are_taken_whatever_they_are() -> None:
    buffer = LineBuffer(100)
    buffer.append(b"BDAT 6\r\na\n\r")
    assert buffer.take() == b"BDAT 6"
    assert buffer.take_octets(6) == b"a\n\r"
    buffer.append(b"\0\r\nQUIT\r\n")
    assert buffer.take_octets(3) == b"\0\r\n"
    assert buffer.take() == b"QUIT"
    assert buffer.take_octets(3) == b""
    assert buffer.take() is None


def test_the_rest_is_handed_over_and_given_back() -> None:
    buffer = LineBuffer(100)
    buffer.append(b"DATA\r\nbody")
    buffer.append(b"more")
    assert buffer.take() == b"DATA"
    assert buffer.take_rest() == b"bodymore"
    assert buffer.buffered == 0
    buffer.append(b"later\r\n")
    buffer.give_back(b"QUIT\r\n")
    assert buffer.buffered == 13
    assert drain(buffer) == [b"QUIT", b"later"]


def test_what_was_only_a_part_of_a_line_is_counted_and_can_be_forgotten() -> None:
    buffer = LineBuffer(100)
    buffer.append(b"STARTTLS\r\nEHL")
    assert buffer.take() == b"STARTTLS"
    assert buffer.take() is None
    assert buffer.buffered == 3
    buffer.clear()
    assert buffer.buffered == 0
    buffer.append(b"NOOP\r\n")
    assert buffer.take() == b"NOOP"


@pytest.mark.parametrize("behind", [b"", b"one", b"one\r\n", b"one\r\ntwo\r\nth"])
def test_a_line_with_a_lone_lf_can_be_taken_back(behind: bytes) -> None:
    lines = LineBuffer(100)
    lines.append(b"wrong\n" + behind)
    assert lines.take() is Fault.BARE_LF
    lines.append(b"ree\r\n")
    assert lines.take_back() == b"wrong"
    expected = (behind + b"ree\r\n").split(b"\r\n")[:-1]
    assert [lines.take() for _ in expected] == expected and lines.take() is None and lines.buffered == 0
