"""Searching is exact: what the index says, what is read, and what a person would find are the same."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from zope.interface.verify import verifyObject

from tests.store.derived.mail import Message, add, memory_database, now
from worldmail.errors import SearchTooLong
from worldmail.interfaces.derived import ISearchIndex, Needle
from worldmail.store.derived import Derived, derived_here, embedded
from worldmail.store.derived.embedded import EmbeddedShelf
from worldmail.store.derived.slices import at_once

LONG = 60.0

WORDS = """
the of and cat category concatenate Straße STRASSE straße Ünder über naïve 日本語 日本 東京都 本 テスト한국어 привет
ПРИВЕТ x xy xyz foo@example.test 1-2-3 re: [list] don't İstanbul ﬁnd Å ａｂｃ
"""
words = st.sampled_from(WORDS.split())
texts = st.lists(words | st.text("abAB 日本é-", min_size=1, max_size=5), max_size=12).map(" ".join)
messages = st.builds(
    lambda subject, sender, more, body, encoding: Message(
        [("Subject", subject), ("From", sender), ("X-Note", more)], body, encoding
    ),
    texts.map(lambda text: " ".join(text.split())),
    texts.map(lambda text: " ".join(text.split())),
    texts.map(lambda text: " ".join(text.split())),
    texts,
    st.sampled_from(["8bit", "base64", "quoted-printable"]),
)
wheres: Any = st.sampled_from(
    [("body", None), ("header", None), ("text", None), ("field", "subject"), ("field", "from"), ("field", "x-note")]
)


@st.composite
def needles(draw: st.DrawFn, pool: list[Message]) -> Needle:
    """A needle, mostly one that some message has."""
    where, name = draw(wheres)
    source = draw(st.sampled_from(pool))
    text = draw(st.sampled_from([source.body, *(value for _, value in source.fields)]))
    start = draw(st.integers(0, max(0, len(text) - 1)))
    piece = text[start : start + draw(st.integers(1, 12))]
    piece = draw(st.sampled_from([piece, piece.upper(), piece.lower(), draw(texts)]))
    return Needle(where=where, text=piece or "a", field=name)


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[Message], list[Needle], int]:
    """Messages, needles, and how many of the messages are in the index."""
    pool = draw(st.lists(messages, min_size=1, max_size=20))
    return pool, draw(st.lists(needles(pool), min_size=1, max_size=6)), draw(st.integers(0, len(pool)))


def derived_of(pool: list[Message], indexed: int) -> tuple[Derived, list[int]]:
    """A store with these messages, of which the first so many are in the index."""
    database = memory_database()
    ids = add(database, [message.octets() for message in pool[:indexed]])
    derived = derived_here(database, None)  # type: ignore[arg-type]  # there is no large content
    assert now(derived.filler.catch_up()) == indexed
    return derived, ids + add(database, [message.octets() for message in pool[indexed:]])


@settings(max_examples=150)
@given(cases())
@example(([Message([("Subject", "a")], "日本", "base64")] * 12, [Needle(where="body", text="本")], 12))
def test_the_answers_are_those_of_a_person_however_far_the_index_is(
    case: tuple[list[Message], list[Needle], int],
) -> None:
    pool, asked, indexed = case
    derived, ids = derived_of(pool, indexed)
    for needle in asked:
        expected = {content_id for content_id, message in zip(ids, pool, strict=True) if message.holds(needle)}
        assert now(derived.search.holding(needle, ids, limit=LONG)) == expected, needle


FIXED = [
    Message([("Subject", f"number {number}"), ("From", "Ann <ann@example.test>")], f"the word{number} and more\r\n")
    for number in range(40)
]


@pytest.mark.parametrize("indexed", [0, 17, 40])
@pytest.mark.parametrize(
    ("where", "name", "text", "count"),
    [
        ("body", None, "word1", 11),
        ("body", None, "ord39", 1),
        ("body", None, "the WORD2", 11),
        ("body", None, "number", 0),
        ("text", None, "number 3", 11),
        ("header", None, "subject", 40),
        ("field", "subject", "subject", 0),
        ("field", "from", "ann@example.test", 40),
        ("field", "subject", "", 40),
        ("field", "x-note", "", 0),
        ("body", None, "", 40),
        ("body", None, "o", 40),
        ("body", None, "--", 0),
    ],
)
def test_a_needle_is_found_in_these(where: str, name: str | None, text: str, count: int, indexed: int) -> None:
    derived, ids = derived_of(FIXED, indexed)
    needle = Needle(where=where, text=text, field=name)
    assert len(now(derived.search.holding(needle, ids, limit=LONG))) == count


def test_only_contents_that_were_asked_for_are_found() -> None:
    derived, ids = derived_of(FIXED, 40)
    needle = Needle(where="body", text="word")
    assert now(derived.search.holding(needle, ids[5:30], limit=LONG)) == set(ids[5:30])
    assert now(derived.search.holding(needle, [], limit=LONG)) == frozenset()


@pytest.mark.parametrize("indexed", [0, 30, 40])
@pytest.mark.parametrize("asked", [slice(None), slice(3, None, 31), slice(1, 36)])
def test_contents_are_found_among_others_few_or_many(asked: slice, indexed: int) -> None:
    """In one mailbox of several, of which more or less is in the index."""
    derived, ids = derived_of(FIXED * 10, indexed * 10)
    holding = {content_id for at, content_id in enumerate(ids) if str(at % 40).startswith("3")}
    found = now(derived.search.holding(Needle(where="body", text="word3"), ids[asked], limit=LONG))
    assert found == holding.intersection(ids[asked]) != frozenset()


@pytest.mark.parametrize(("text", "times"), [("ord39", 0), ("the word", 1), ("the word39 ", 0)])
def test_only_a_question_that_may_take_long_is_asked_in_a_thread(text: str, times: int) -> None:
    derived, ids = derived_of(FIXED, 40)
    assert len(now(derived.search.holding(Needle(where="body", text=text), ids, limit=LONG))) > 0
    asked = asked_elsewhere(derived)
    now(derived.search.holding(Needle(where="body", text=text), ids, limit=LONG))
    assert len(asked) == times


def test_a_question_that_takes_longer_than_a_moment_is_asked_again_in_a_thread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    derived, ids = derived_of(FIXED, 40)
    asked = asked_elsewhere(derived)
    monkeypatch.setattr(embedded, "HERE", -1.0)
    found = now(derived.search.holding(Needle(where="body", text="ord39"), ids, limit=LONG))
    assert (found, len(asked)) == ({ids[39]}, 1)


def asked_elsewhere(derived: Derived) -> list[object]:
    """What is asked in a thread from now on."""
    shelf = derived.shelf
    assert isinstance(shelf, EmbeddedShelf)
    asked: list[object] = []

    def searching(work: Any) -> Any:
        asked.append(work)
        return at_once(work)

    shelf.searching = searching
    return asked


def test_a_search_that_takes_longer_than_it_may_is_given_up() -> None:
    derived, ids = derived_of(FIXED, 0)
    with pytest.raises(SearchTooLong):
        now(derived.search.holding(Needle(where="body", text="word"), ids, limit=-1.0))


def test_it_is_told_how_many_contents_are_left_to_be_read() -> None:
    derived, ids = derived_of(FIXED, 17)
    left: list[int] = []
    found = now(derived.search.holding(Needle(where="body", text="word"), ids, limit=LONG, left=left.append))
    assert len(found) == 40
    assert len(left) >= 23
    assert left == list(range(len(left) - 1, -1, -1))


def test_removed_contents_leave_the_index() -> None:
    derived, ids = derived_of(FIXED, 40)
    now(derived.database.write(lambda cursor: cursor.run("DELETE FROM content WHERE id < 11")))
    now(derived.removed(ids[:10]))
    assert now(derived.search.holding(Needle(where="body", text="word"), ids, limit=LONG)) == set(ids[10:])
    assert now(derived.shelf.known(0, 100)) == ids[10:]


def test_what_was_removed_unnoticed_is_swept() -> None:
    derived, ids = derived_of(FIXED, 40)
    now(derived.database.write(lambda cursor: cursor.run("DELETE FROM content WHERE id < 11")))
    assert now(derived.sweep()) == 10
    assert now(derived.shelf.known(0, 100)) == ids[10:]
    assert now(derived.sweep()) == 0


def test_a_content_with_more_terms_than_an_index_should_hold_is_found_by_reading() -> None:
    many = Message([("Subject", "many")], " ".join(f"term{number}" for number in range(60_000)))
    derived, ids = derived_of([*FIXED, many], 41)
    for text, expected in (("term59999", {ids[40]}), ("erm59999", {ids[40]}), ("word39", {ids[39]}), ("none", set())):
        assert now(derived.search.holding(Needle(where="body", text=text), ids, limit=LONG)) == expected
    assert now(derived.search.behind()) == 0


def test_it_tells_how_far_behind_the_index_is() -> None:
    derived, _ = derived_of(FIXED, 17)
    assert now(derived.search.behind()) == 23
    assert now(derived.filler.catch_up()) == 23
    assert now(derived.search.behind()) == 0


def test_it_provides_its_interface() -> None:
    assert verifyObject(ISearchIndex, derived_of(FIXED, 0)[0].search)
