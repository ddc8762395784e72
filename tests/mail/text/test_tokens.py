"""The index may offer too much and never misses: what a needle asks for is among the terms of a text that has it."""

from __future__ import annotations

import apsw
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from worldmail.mail.text.casemap import fold
from worldmail.mail.text.tokens import (
    LONGEST,
    MOST_FRAGMENTS,
    OVERLAP,
    Fragments,
    Kind,
    fragments,
    terms,
    terms_of_pieces,
)

MET = {
    Kind.EQUALS: lambda term, part: term == part,
    Kind.BEGINS: lambda term, part: term.startswith(part),
    Kind.ENDS: lambda term, part: term.endswith(part),
    Kind.CONTAINS: lambda term, part: part in term,
}
ALPHABET = st.sampled_from("aabcXYé 北京大かガ한글—。.-\r\nñя😀ß1\u0301")
TEXTS = st.text(ALPHABET, max_size=120) | st.text(max_size=60) | st.text("ab北", min_size=60, max_size=400)


def is_candidate(found: set[str], asked: Fragments) -> bool:
    return all(any(MET[kind](term, part) for term in found) for part, kind in asked.parts)


@given(TEXTS, st.integers(0, 400), st.integers(0, 400))
@example("a" * 200, 3, 70)
@example("x" + "ab" * 50 + " y", 0, 101)
def test_a_text_with_the_needle_is_a_candidate(text: str, start: int, length: int) -> None:
    text = fold(text)
    needle = text[start : start + length]
    assert is_candidate(terms(text), fragments(needle)), (needle, fragments(needle))


@given(TEXTS, st.text("ab北京x ", max_size=5) | st.text("ab", max_size=70))
def test_where_it_says_exact_a_candidate_has_the_needle(text: str, needle: str) -> None:
    text, asked = fold(text), fragments(fold(needle))
    if asked.exact:
        assert is_candidate(terms(text), asked) == (fold(needle) in text)


@given(TEXTS, st.integers(1, 200), st.integers(0, 400), st.integers(0, 400))
def test_pieces_give_the_same_terms(text: str, size: int, start: int, length: int) -> None:
    text = fold(text)
    assert terms_of_pieces(text[at : at + size] for at in range(0, len(text), size)) == terms(text)


def test_a_run_that_does_not_end_is_cut_and_still_found() -> None:
    run = "".join(chr(ord("a") + number * number % 26) + str(number) for number in range(40_000))
    found = terms_of_pieces([run[at : at + 50_000] for at in range(0, len(run), 50_000)])
    assert found is not None
    for start in range(0, len(run) - OVERLAP, 4_999):
        assert is_candidate(found, fragments(run[start : start + OVERLAP]))
    assert not is_candidate(found, fragments("zzzz"))
    assert is_candidate(found, fragments(run))


def test_a_text_of_too_many_terms_has_none() -> None:
    assert terms_of_pieces((f"n{number} " for number in range(100)), most=99) is None
    assert terms_of_pieces((f"n{number} " for number in range(100)), most=100) is not None


@pytest.mark.parametrize(
    ("needle", "parts", "exact"),
    [
        ("foo", [("foo", Kind.CONTAINS)], True),
        ("foo bar", [("foo", Kind.ENDS), ("bar", Kind.BEGINS)], False),
        ("foo bar baz", [("foo", Kind.ENDS), ("bar", Kind.EQUALS), ("baz", Kind.BEGINS)], False),
        (" foo", [("foo", Kind.BEGINS)], False),
        ("foo.", [("foo", Kind.ENDS)], False),
        ("-", [], False),
        ("", [], False),
        ("北", [("北", Kind.BEGINS)], True),
        ("北京", [("北京", Kind.EQUALS)], True),
        ("北京大", [("北京", Kind.EQUALS), ("京大", Kind.EQUALS)], False),
        ("北 ", [("北", Kind.EQUALS)], False),
        ("a" * 40, [("a" * OVERLAP, Kind.CONTAINS)], False),
    ],
)
def test_the_fragments_of_a_needle(needle: str, parts: list[tuple[str, Kind]], exact: bool) -> None:
    assert fragments(needle) == Fragments(parts=tuple(parts), exact=exact)


def test_a_needle_of_many_words_asks_for_some_of_them() -> None:
    assert len(fragments(" ".join(f"w{number}" for number in range(1000))).parts) == MOST_FRAGMENTS
    assert len(fragments("".join(chr(0x4E00 + number) for number in range(1000))).parts) == MOST_FRAGMENTS


def test_terms_are_bounded() -> None:
    assert max(map(len, terms("x" * 1000 + " " + "y" * 64))) == LONGEST


@given(st.lists(TEXTS, min_size=1, max_size=4))
def test_fts5_with_its_ascii_tokenizer_has_the_same_terms(texts: list[str]) -> None:
    database = apsw.Connection(":memory:")
    database.execute("CREATE VIRTUAL TABLE t USING fts5(x, content='', tokenize='ascii')")
    database.execute("CREATE VIRTUAL TABLE v USING fts5vocab(t, row)")
    wanted: set[str] = set()
    for text in texts:
        found = terms(fold(text))
        database.execute("INSERT INTO t(x) VALUES (?)", (" ".join(found),))
        wanted |= found
    assert {term for (term,) in database.execute("SELECT term FROM v")} == wanted
