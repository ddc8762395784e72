"""Summaries in memory."""

from __future__ import annotations

from worldmail.interfaces.derived import Summary
from worldmail.store.derived.recent import RecentSummaries


def summary(size: int) -> Summary:
    return Summary(
        envelope=b"x" * size, structure=b"", sent=None, sent_day=None, message_id=None, references=(), preview=""
    )


def test_what_was_added_is_found_and_what_was_not_is_missing() -> None:
    recent = RecentSummaries(limit=1 << 20)
    one = summary(1)
    recent.add({1: one})
    assert recent.find([1, 2]) == ({1: one}, [2])
    recent.forget([1, 7])
    assert recent.get(1) is None


def test_memory_is_bounded() -> None:
    recent = RecentSummaries(limit=100_000)
    for number in range(1000):
        recent.add({number: summary(1000)})
    found, _ = recent.find(range(1000))
    assert 20 < len(found) < 100
    assert 999 in found


def test_what_is_asked_for_again_and_again_stays() -> None:
    recent = RecentSummaries(limit=100_000)
    recent.add({0: summary(1000)})
    for number in range(1, 1000):
        recent.add({number: summary(1000)})
        assert recent.get(0) is not None


def test_without_room_nothing_stays_for_long() -> None:
    recent = RecentSummaries(limit=0)
    for number in range(10):
        recent.add({number: summary(10)})
    assert len(recent.find(range(10))[0]) <= 1
