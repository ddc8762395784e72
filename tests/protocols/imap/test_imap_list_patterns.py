"""Patterns of LIST: what they match, and that no pattern takes long."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worldmail.protocols.imap.listing.pattern import MOST_STATES, Patterns

LETTERS = "aA/bInNbBoOxX"


def naive(pattern: str, name: str) -> bool:
    """The definition, by trying everything."""
    if not pattern:
        return not name
    head, rest = pattern[0], pattern[1:]
    if head in "*%":
        if naive(rest, name):
            return True
        return bool(name) and (head == "*" or name[0] != "/") and naive(pattern, name[1:])
    return bool(name) and name[0] == head and naive(rest, name[1:])


@given(
    st.lists(st.text(LETTERS + "*%", max_size=9), max_size=4),
    st.text(LETTERS, min_size=1, max_size=9).filter(lambda name: not name.upper().startswith("INBOX")),
)
def test_patterns_match_what_the_definition_says(patterns: list[str], name: str) -> None:
    assert Patterns(patterns).match(name) == any(naive(pattern, name) for pattern in patterns if pattern)


@given(st.text("inboxINBOX/a*%", max_size=9), st.sampled_from(["INBOX", "INBOX/a", "INBOX/inbox"]))
def test_INBOX_is_matched_in_any_case_and_what_is_below_it_is_not(pattern: str, name: str) -> None:
    spellings = {"".join(letters) for letters in _cases("INBOX")}
    expected = any(naive(pattern, spelling + name[5:]) for spelling in spellings) if pattern else False
    assert Patterns([pattern]).match(name) == expected


def _cases(word: str) -> list[list[str]]:
    spelled: list[list[str]] = [[]]
    for letter in word:
        spelled = [[*one, case] for one in spelled for case in (letter.lower(), letter.upper())]
    return spelled


@given(st.lists(st.text(LETTERS + "*%", min_size=1, max_size=9), max_size=4), st.text(LETTERS, max_size=9))
def test_every_name_that_is_matched_begins_with_the_prefix(patterns: list[str], name: str) -> None:
    matcher = Patterns(patterns)
    if matcher.match(name):
        assert name.startswith(matcher.prefix)


@pytest.mark.parametrize(
    ("pattern", "prefix"),
    [
        ("*", ""),
        ("Lists/%", "Lists/"),
        ("Lists/a", "Lists/a"),
        ("inb%", ""),
        ("INBOX", "INBOX"),
        ("INBOX/%", "INBOX/"),
        ("%", ""),
        ("inbound*", "inbound"),
    ],
)
def test_the_prefix_of_a_pattern(pattern: str, prefix: str) -> None:
    assert Patterns([pattern]).prefix == prefix


def test_an_empty_pattern_matches_nothing() -> None:
    assert not Patterns([""]).match("")
    assert not Patterns([]).match("INBOX")


def test_many_wildcards_take_no_longer_than_the_name() -> None:
    pattern = "*a" * 2000 + "b"
    assert not Patterns([pattern]).match("a" * 1000)
    assert Patterns(["*" * 50_000 + "a" + "%*" * 50_000]).match("b" * 500 + "a")


def test_patterns_beyond_the_bound_are_ignored() -> None:
    patterns = [f"{number:09d}%" for number in range(2 * MOST_STATES)]
    matcher = Patterns(patterns)
    assert matcher.match("000000000x")
    assert not matcher.match(f"{MOST_STATES:09d}x")
    assert not Patterns(["x" * MOST_STATES + "x*"]).match("x" * MOST_STATES + "x")
