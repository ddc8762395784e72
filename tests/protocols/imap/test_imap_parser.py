"""Commands and literals out of octets."""

from __future__ import annotations

from typing import Any

import pytest

from worldmail.protocols.imap.parser import Announced, CommandLine, Fault, Literal, Octets, Parser


def events(octets: bytes, size: int, decide: str = "keep") -> list[Any]:
    """What comes of these octets in pieces of this size, each announced literal being kept (or streamed, skipped)."""
    parser, found = Parser(200), []
    for start in range(0, len(octets), size):
        parser.lines.append(octets[start : start + size])
        while (event := parser.next_event()) is not None:
            if isinstance(event, Announced):
                found.append((event.size, event.waits, event.binary))
                parser.stream("sink") if decide == "stream" else getattr(parser, decide)()
            elif isinstance(event, CommandLine):
                found.append([shown(part) for part in event.parts] + (["skipped"] if event.skipped else []))
            elif isinstance(event, Octets):
                found.append((event.data, event.last, event.nul))
            else:
                found.append(event)
    return found


def shown(part: Any) -> Any:
    """A part of a command, to compare."""
    return (part.octets, part.size, part.binary, part.sink) if isinstance(part, Literal) else part


def pieces(octets: bytes, decide: str = "keep") -> list[Any]:
    """What comes of them, which must not depend on how they were cut."""
    whole = events(octets, len(octets), decide)
    for size in (1, 2, 3, 7):
        assert events(octets, size, decide) == whole, size
    return whole


def test_a_line_is_a_command() -> None:
    assert pieces(b"a NOOP\r\nb LOGOUT\r\n") == [[b"a NOOP"], [b"b LOGOUT"]]


def test_a_literal_stands_between_the_pieces_of_the_line() -> None:
    assert pieces(b"a LOGIN {3}\r\nbob {6+}\r\nse\r\nt! x\r\nb NOOP\r\n") == [
        (3, True, False),
        (6, False, False),
        [b"a LOGIN ", (b"bob", 3, False, None), b" ", (b"se\r\nt!", 6, False, None), b" x"],
        [b"b NOOP"],
    ]


def test_an_empty_literal_and_one_at_the_end() -> None:
    assert pieces(b"a X {0+}\r\n\r\n") == [(0, False, False), [b"a X ", (b"", 0, False, None), b""]]


def test_a_literal8_may_hold_NUL() -> None:
    assert pieces(b"a X ~{3+}\r\na\0b\r\n") == [(3, False, True), [b"a X ", (b"a\0b", 3, True, None), b""]]


@pytest.mark.parametrize(
    "line",
    [b"a X {}", b"a X {1", b"a X 1}", b"a X {1++}", b"a X {-1}", b"a X {1 }", b"a X {a}"],
)
def test_what_only_looks_like_a_literals_head_is_text(line: bytes) -> None:
    assert pieces(line + b"\r\n") == [[line]]


def test_a_streamed_literal_comes_as_it_comes_and_stands_in_the_command_as_its_sink() -> None:
    found = events(b"a APPEND x {5+}\r\nab\0de (c)\r\n", 4, "stream")
    assert found[0] == (5, False, False)
    streamed = found[1:-1]
    assert b"".join(data for data, _, _ in streamed) == b"ab\0de"
    assert [last for _, last, _ in streamed] == [False] * (len(streamed) - 1) + [True]
    assert [nul for data, _, nul in streamed] == [b"\0" in data for data, _, _ in streamed]
    assert found[-1] == [b"a APPEND x ", (b"", 5, False, "sink"), b" (c)"]


def test_a_streamed_literal_of_no_octets_has_its_end_all_the_same() -> None:
    assert pieces(b"a APPEND x {0+}\r\n\r\n", "stream")[1] == (b"", True, False)


def test_a_skipped_literal_takes_no_memory_and_its_command_says_so() -> None:
    octets = b"a X {9+}\r\nb NOOP\r\n!" + b" {0+}\r\n" * 50 + b"\r\nc NOOP\r\n"
    found = pieces(octets, "skip")
    assert found[0] == (9, False, False)
    assert found[-2:] == [[b"a X ", b"", "skipped"], [b"c NOOP"]]


def test_a_forgotten_command_leaves_nothing_behind() -> None:
    assert pieces(b"a X {9}\r\nb NOOP\r\n", "forget") == [(9, True, False), [b"b NOOP"]]


def test_what_a_command_keeps_is_counted() -> None:
    parser = Parser(1000)
    parser.lines.append(b"a X {10+}\r\n0123456789 {5+}\r\n")
    first = parser.next_event()
    assert isinstance(first, Announced)
    parser.keep()
    second = parser.next_event()
    assert isinstance(second, Announced)
    assert first.kept >= 4
    assert second.kept >= first.kept + 10
    assert second.parts[0] == b"a X "


@pytest.mark.parametrize(
    ("octets", "fault"),
    [
        (b"a NOOP\n", Fault.BARE_LF),
        (b"a NO\rOP\r\n", Fault.BARE_CR),
        (b"a N\0OP\r\n", Fault.NUL),
        (b"a " + b"x" * 300 + b"\r\n", Fault.TOO_LONG),
        (b"a X {3+}\r\nabc\ndef\r\n", Fault.BARE_LF),
    ],
)
def test_a_line_that_is_none_is_a_fault(octets: bytes, fault: Fault) -> None:
    assert events(octets, len(octets))[-1] is fault
    assert fault in events(octets, 1)


def test_a_raw_line_is_no_command_and_announces_nothing() -> None:
    parser = Parser(100)
    parser.raw = True
    parser.lines.append(b"AA{3}\r\na NOOP\r\n")
    assert parser.next_event() == b"AA{3}"
    assert isinstance(parser.next_event(), CommandLine)


def test_nothing_is_kept_of_what_was_read() -> None:
    parser = Parser(100_000)
    parser.lines.append(b"a X " + b"y" * 90_000 + b"\r\n")
    assert isinstance(parser.next_event(), CommandLine)
    assert parser.next_event() is None
    assert not parser.lines._data


def test_what_is_small_and_there_and_does_not_wait_is_kept_without_being_announced() -> None:
    parser = Parser(200)
    parser.at_once = 500
    parser.lines.append(b"a X {3+}\r\nabc ~{2+}\r\n\0\0\r\nb X {3}\r\nabc\r\n")
    command = parser.next_event()
    assert isinstance(command, CommandLine)
    assert [shown(part) for part in command.parts] == [
        b"a X ",
        (b"abc", 3, False, None),
        b" ",
        (b"\0\0", 2, True, None),
        b"",
    ]
    announced = parser.next_event()
    assert isinstance(announced, Announced) and announced.waits


def test_what_is_not_there_yet_is_announced_and_so_is_what_would_be_too_much() -> None:
    parser = Parser(200)
    parser.at_once = 150
    parser.lines.append(b"a X {3+}\r\nab")
    announced = parser.next_event()
    assert isinstance(announced, Announced) and announced.size == 3
    parser.keep()
    parser.lines.append(b"c {50+}\r\n" + bytes(50) + b"\r\n")
    announced = parser.next_event()
    assert isinstance(announced, Announced) and (announced.size, announced.kept) == (50, 200)
