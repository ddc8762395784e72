"""Sets of message numbers."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worldmail.mail.numbers import (
    LARGEST,
    SAVED,
    Numbers,
    common,
    count,
    holds,
    merged,
    ranges_of,
    render,
    without,
)

SMALL = st.sets(st.integers(1, 60))


@pytest.mark.parametrize(
    ("text", "highest", "found"),
    [
        (b"1", 10, [(1, 1)]),
        (b"2:4", 10, [(2, 4)]),
        (b"4:2", 10, [(2, 4)]),
        (b"*", 10, [(10, 10)]),
        (b"8:*", 10, [(8, 10)]),
        (b"*:8", 10, [(8, 10)]),
        (b"12:*", 10, [(10, 10)]),  # always the last (RFC 9051 §9)
        (b"12:14", 10, []),
        (b"1:4294967295", 10, [(1, 10)]),
        (b"5,1,3", 10, [(1, 1), (3, 3), (5, 5)]),
        (b"1:3,2:5,6", 10, [(1, 6)]),
        (b"*", 0, []),
        (b"1:*", 0, []),
        (b"4294967295:*", 3, [(3, 3)]),
    ],
)
def test_a_set_is_clipped_to_what_is_there(text: bytes, highest: int, found: list[tuple[int, int]]) -> None:
    assert Numbers.parse(text).clipped(highest) == found


@pytest.mark.parametrize(
    "text",
    [b"", b"0", b"01", b"1:", b":1", b"1,", b",1", b"1,,2", b"**", b"1:2:3", b"-1", b"4294967296", b"1 2", b"$1"],
)
def test_what_is_no_set_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        Numbers.parse(text)


def test_the_saved_result_is_a_set_of_its_own() -> None:
    assert Numbers.parse(b"$") is SAVED
    assert SAVED.saved


@pytest.mark.parametrize(
    ("text", "total", "beyond"),
    [(b"3", 3, False), (b"4", 3, True), (b"1:*", 3, False), (b"*", 0, True), (b"1:4", 3, True), (b"*", 1, False)],
)
def test_sequence_numbers_that_no_message_has_are_noticed(text: bytes, total: int, beyond: bool) -> None:
    assert Numbers.parse(text).beyond(total) is beyond


def test_the_largest_range_costs_no_more_than_the_smallest() -> None:
    [(low, high)] = Numbers.parse(b"1:*").clipped(LARGEST)
    assert (low, high) == (1, LARGEST)
    assert count([(low, high)]) == LARGEST


@given(SMALL)
def test_ranges_of_single_numbers_hold_just_these(numbers: set[int]) -> None:
    ranges = ranges_of(sorted(numbers))
    assert [number for number in range(62) if holds(ranges, number)] == sorted(numbers)
    assert count(ranges) == len(numbers)
    assert all(before[1] + 1 < after[0] for before, after in pairwise(ranges))
    if numbers:
        assert Numbers.parse(render(ranges)).clipped(60) == ranges


@given(SMALL, SMALL)
def test_what_is_common_and_what_is_left_are_those_of_sets(one: set[int], other: set[int]) -> None:
    first, second = ranges_of(sorted(one)), ranges_of(sorted(other))
    assert common(first, second) == ranges_of(sorted(one & other))
    assert without(first, second) == ranges_of(sorted(one - other))
    assert merged([*second, *first]) == ranges_of(sorted(one | other))
