"""The books of IMAP clients report every kind of broken promise, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from oracle.boxes import Box, Boxes, Change, Held, State, append, copy, expunge, replace, store
from oracle.imap import Answer, Fetched, Response
from oracle.witness import Cache, Witness

SEEN, DELETED = b"\\Seen", b"\\Deleted"
A, B, C = (Held(digest=name, flags=frozenset()) for name in (b"a", b"b", b"c"))


def begun(*changes: Change, done: int = 0) -> Boxes:
    """Two mailboxes, `one` with A and B in it, and these commands, of which so many were answered."""
    boxes = Boxes.empty("one", "two")
    boxes.pending += [append("one", A, B), *changes]
    for _ in range(1 + done):
        boxes.done()
    return boxes


def found(one: dict[int, Held], two: dict[int, Held] | None = None) -> State:
    return {"one": Box(9, one), "two": Box(9, two or {})}


def kinds(texts: Sequence[str]) -> set[str]:
    return {text.partition(":")[0] for text in texts}


@pytest.mark.parametrize(
    "there",
    [
        found({1: A, 2: B}),
        found({2: B}, {1: A}),
        found({2: B, 3: C}, {1: A}),
    ],
)
def test_after_a_crash_some_of_what_was_not_answered_is_done_in_order(there: State) -> None:
    assert begun(copy("one", [1], "two", move=True), append("one", C)).settle(there) == []


@pytest.mark.parametrize(
    ("there", "kind"),
    [
        (found({1: A, 2: B}, {1: A}), "doubled"),
        (found({2: B}), "lost"),
        (found({1: A}), "lost"),
        (found({1: A, 2: B, 3: C}), "half done"),
        (found({1: A, 2: B, 4: C}), "invented"),
        (found({1: B, 2: B}), "changed"),
        (found({1: Held(digest=b"a", flags=frozenset([SEEN])), 2: B}), "flags"),
    ],
)
def test_anything_else_is_a_breach(there: State, kind: str) -> None:
    boxes = begun(copy("one", [1], "two", move=True), append("one", C))
    assert kind in kinds(boxes.settle(there))
    assert boxes.settle(there) == []  # it is reported once


def test_what_was_answered_has_to_be_there() -> None:
    moved = begun(copy("one", [1], "two", move=True), done=1)
    assert kinds(moved.settle(found({1: A, 2: B}))) >= {"lost", "came back"}
    marked = begun(store("one", [1], b"+", frozenset([DELETED])), done=1)
    assert kinds(marked.settle(found({1: A, 2: B}))) == {"flags"}
    gone = begun(store("one", [1], b"+", frozenset([DELETED])), expunge("one"), done=2)
    assert gone.settle(found({2: B})) == []
    assert kinds(gone.settle(found({1: A, 2: B}))) >= {"came back"}
    replaced = begun(replace("one", 1, C), done=1)
    assert replaced.settle(found({2: B, 3: C})) == []


def untagged(*lines: bytes) -> Answer:
    return Answer([Response((line + b"\r\n",), ()) for line in lines], b"t OK\r\n")


def selected(highest: int, *lines: bytes, uidnext: int = 9) -> Answer:
    codes = {b"UIDVALIDITY": 7, b"UIDNEXT": uidnext, b"HIGHESTMODSEQ": highest}
    return untagged(*(b"* OK [%b %d] x" % code for code in codes.items()), *lines)


@pytest.fixture
def cache() -> Cache:
    """A client that knows three messages as of MODSEQ 10."""
    made = Cache(Witness("one"))
    made.hear(untagged(*(b"* %d FETCH (UID %d MODSEQ (4) FLAGS ())" % (uid, uid) for uid in (1, 2, 3))))
    made.opened(selected(10))
    return made


NOW = {2: Fetched(2, frozenset(), 4), 3: Fetched(3, frozenset([SEEN]), 12), 5: Fetched(5, frozenset(), 13)}
CHANGED = b"* 2 FETCH (UID 3 MODSEQ (12) FLAGS (\\Seen))"
CAME = b"* 3 FETCH (UID 5 MODSEQ (13) FLAGS (\\Recent))"
GONE = b"* VANISHED (EARLIER) 1,4"


def test_a_client_that_comes_back_and_is_told_the_difference_is_no_breach(cache: Cache) -> None:
    cache.compare(selected(13, GONE, CHANGED, CAME), NOW)
    assert cache.witness.wrong == set()


@pytest.mark.parametrize(
    "told",
    [
        (CHANGED, CAME),
        (GONE, CAME),
        (GONE, CHANGED),
        (GONE, CHANGED, CAME, b"* 1 FETCH (UID 2 MODSEQ (4) FLAGS ())"),
        (b"* VANISHED (EARLIER) 1:2", CHANGED, CAME),
        (b"* VANISHED (EARLIER) 1,77", CHANGED, CAME),
    ],
)
def test_one_that_is_told_less_or_more_is_a_breach(cache: Cache, told: tuple[bytes, ...]) -> None:
    cache.compare(selected(13, *told), NOW)
    assert kinds(sorted(cache.witness.wrong)) == {"qresync"}


def test_numbers_that_fall_are_a_breach() -> None:
    witness = Witness("one")
    witness.opened(selected(10))
    witness.fetched(Fetched(8, frozenset(), 10))
    witness.read(8, b"digest")
    assert witness.wrong == set()
    witness.opened(selected(9, uidnext=8))
    assert kinds(sorted(witness.wrong)) == {"uidnext", "modseq"}
    witness.read(8, b"another")
    witness.wrong.clear()
    witness.opened(selected(10))
    witness.truth(Fetched(8, frozenset(), 9))
    assert kinds(sorted(witness.wrong)) == {"modseq"}
    witness.wrong.clear()
    witness.truth(Fetched(8, frozenset([SEEN]), 10))
    witness.read(8, b"another")
    assert kinds(sorted(witness.wrong)) == {"modseq", "uid reused"}
