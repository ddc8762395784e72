"""What is kept of what comes in pieces or in a server's own words."""

from __future__ import annotations

import pytest

from worldmail.testing.feeding import settle
from worldmail.wire.client.header import MAXIMUM_HEADER, HeaderTaker
from worldmail.wire.client.reader import SHOWN, shown


def test_words_for_people_are_without_controls_and_bounded() -> None:
    assert shown(b" all \x1b[31mwell\xff\r\n ") == "all ?[31mwell\N{REPLACEMENT CHARACTER}??"
    assert len(shown(b"x" * 10_000)) == SHOWN


@pytest.mark.parametrize("size", [1, 5, 1000])
def test_a_header_is_kept_with_its_last_line_end(size: int) -> None:
    text = b"Subject: x\r\nTo: y\r\n\r\nbody\r\n\r\nmore"
    taker = HeaderTaker()
    for at in range(0, len(text), size):
        settle(taker.take(text[at : at + size]))
    assert taker.header() == b"Subject: x\r\nTo: y\r\n"


def test_of_a_header_without_end_only_so_much_is_kept() -> None:
    taker = HeaderTaker()
    for _ in range(40):
        settle(taker.take(b"x" * 65536))
    assert len(taker.header()) == MAXIMUM_HEADER
