"""Threads: the examples of RFC 5256, its steps taken literally beside ours, and chains as long as a mailbox."""

from __future__ import annotations

import gc
import itertools
from collections.abc import Callable, Iterable

import pytest
from attrs import define, field
from hypothesis import given
from hypothesis import strategies as st

from worldmail.mail.text.forest import Forest
from worldmail.mail.text.threadables import Threadable, Threadables
from worldmail.mail.text.threads import ordered_subject, references, refs

LONG = 100_000

Algorithm = Callable[[Threadables], Forest]


@define
class Thread:
    """A message and what follows it, as a tree; without a number a dummy."""

    number: int | None
    children: list[Thread] = field(factory=list)


def planted(threads: Iterable[Thread]) -> Forest:
    """A forest of these trees."""
    numbers: list[int] = []
    parents: list[int] = []
    dummies: list[int] = []

    def plant(thread: Thread, parent: int) -> None:
        place = len(numbers)
        if thread.number is None:
            dummies.append(place := -2 - len(dummies))
        else:
            numbers.append(thread.number)
            parents.append(parent)
        for child in thread.children:
            plant(child, place)

    for thread in threads:
        plant(thread, -1)
    above = [parent if parent >= -1 else len(numbers) - 2 - parent for parent in parents] + [-1] * len(dummies)
    return Forest.grown(numbers, above, range(len(numbers)))


def threaded(algorithm: Algorithm, messages: Iterable[Threadable]) -> Forest:
    columns = Threadables()
    columns.extend(messages)
    return algorithm(columns)


def message(
    number: int, name: str = "", *after: str, subject: str = "", reply: bool = False, sent: int = 0
) -> Threadable:
    return Threadable(
        number=number,
        message_id=name.encode() or None,
        references=[one.encode() for one in after],
        subject=subject,
        is_reply=reply,
        sent=sent or number,
        arrival=number,
    )


def shown(algorithm: Algorithm, *messages: Threadable) -> str:
    return threaded(algorithm, messages).render().decode()


def test_a_chain_and_its_branches_are_written_as_in_the_RFC() -> None:
    # The example of RFC 5256 §5.
    threads = [
        Thread(2),
        Thread(3, [Thread(6, [Thread(4, [Thread(23)]), Thread(44, [Thread(7, [Thread(96)])])])]),
    ]
    assert planted(threads).render() == b"(2)(3 6 (4 23)(44 7 96))"
    assert planted([Thread(None, [Thread(3), Thread(5)])]).render() == b"((3)(5))"
    assert planted([]).render() == b""


def test_ordered_subject_puts_the_later_ones_below_the_first() -> None:
    assert (
        shown(
            ordered_subject,
            message(1, subject="b"),
            message(2, subject="A", sent=10),
            message(3, subject="a", sent=5),
            message(4, subject="B"),
            message(5, subject="a", sent=20),
        )
        == "(1 4)(3 (2)(5))"
    )


def test_references_make_a_tree() -> None:
    messages = (
        message(1, "a"),
        message(2, "b", "a"),
        message(3, "c", "a", "b"),
        message(4, "d", "a"),
        message(5, "e"),
    )
    assert shown(references, *messages) == "(1 (2 3)(4))(5)"
    assert shown(refs, *messages) == "(1 (2 3)(4))(5)"


def test_messages_that_lack_are_passed_over_but_hold_their_children_together() -> None:
    assert shown(references, message(1, "c", "a", "b"), message(2, "d", "a")) == "((1)(2))"
    assert shown(references, message(1, "c", "a", "b")) == "(1)"
    assert shown(references, message(1, "c", "a", "b"), message(2, "a")) == "(2 1)"


def test_own_references_win_over_what_others_say() -> None:
    messages = (message(1, "c", "a", "b"), message(2, "a"), message(3, "b"), message(4, "d", "b", "c"))
    # "b" has no references, and comes behind the message that says it follows "a"; the fourth says nothing new.
    assert shown(references, *messages) == "(2)(3 1 4)"


def test_the_second_of_two_with_one_id_has_none() -> None:
    assert shown(references, message(1, "a"), message(2, "a"), message(3, "b", "a")) == "(1 3)(2)"


def test_loops_are_cut() -> None:
    assert shown(references, message(1, "a", "b"), message(2, "b", "a")) == "(2 1)"
    assert shown(references, message(1, "a", "a")) == "(1)"
    assert shown(references, message(1, "a", "c"), message(2, "b", "a"), message(3, "c", "b")) == "(3 1 2)"
    assert shown(references, message(1, "a"), message(2, "b", "c", "a"), message(3, "c", "b")) == "(3 1 2)"
    assert shown(references, message(1, "b", "c", "a"), message(2, "c", "b")) == "(2 1)"


def test_siblings_are_in_the_order_of_their_dates() -> None:
    assert (
        shown(references, message(1, "a"), message(2, "b", "a", sent=9), message(3, "c", "a", sent=8)) == "(1 (3)(2))"
    )
    assert shown(references, message(1, "a", sent=9), message(2, "b", sent=8)) == "(2)(1)"


def test_threads_of_one_subject_are_gathered() -> None:
    assert shown(references, message(1, subject="x"), message(2, subject="X", reply=True)) == "(1 2)"
    assert shown(references, message(1, subject="x", reply=True), message(2, subject="x")) == "(2 1)"
    assert shown(references, message(1, subject="x"), message(2, subject="x")) == "((1)(2))"
    assert shown(references, message(1, subject="x"), message(2, subject="x"), message(3, subject="x")) == "((1)(2)(3))"
    assert shown(references, message(1, subject=""), message(2, subject="")) == "(1)(2)"
    both = (message(1, "c", "a", subject="x"), message(2, "d", "a", subject="x"), message(3, subject="x"))
    assert shown(references, *both) == "((1)(2)(3))"
    dummies = (*both[:2], message(3, "g", "e", subject="x"), message(4, "h", "e", subject="x"))
    assert shown(references, *dummies) == "((1)(2)(3)(4))"


def test_REFS_looks_at_no_subject_and_puts_the_freshest_thread_last() -> None:
    messages = (
        message(1, "a", subject="x", sent=50),
        message(2, "b", subject="x", reply=True, sent=1),
        message(3, "c", "a", sent=2),
    )
    assert shown(refs, *messages) == "(2)(1 3)"


def literal_parents(messages: list[Threadable], ids: dict[int, str]) -> dict[str, str | None]:
    """Step 1 as the RFC says it; loops are refused by walking up."""
    parents: dict[str, str | None] = {}

    def link(parent: str, child: str) -> None:
        above: str | None = parent
        while above is not None and above != child:
            above = parents.get(above)
        if above is None:
            parents[child] = parent

    for one in messages:
        chain = [reference.decode() for reference in one.references]
        for parent, child in itertools.pairwise(chain):
            if parents.get(child) is None:
                link(parent, child)
        parents[ids[one.number]] = None
        if chain:
            link(chain[-1], ids[one.number])
    return parents


def literal_ids(messages: list[Threadable]) -> dict[int, str]:
    """A message without an id, or with one that was there before, has one of its own."""
    ids: dict[int, str] = {}
    for one in messages:
        name = one.message_id.decode() if one.message_id else ""
        ids[one.number] = name if name and name not in ids.values() else f"unique-{one.number}"
    return ids


def literally(messages: list[Threadable]) -> str:
    """REFERENCES without its subjects, as the RFC says it step by step."""
    ids = literal_ids(messages)
    parents = literal_parents(messages, ids)
    numbers = {name: number for number, name in ids.items()}
    names = {*numbers, *parents, *(parent for parent in parents.values() if parent)}
    nodes = {name: Thread(numbers.get(name)) for name in names}
    roots = []
    for name, node in nodes.items():
        above = parents.get(name)
        (roots if above is None else nodes[above].children).append(node)

    def pruned(siblings: list[Thread], top: bool) -> list[Thread]:
        kept = []
        for node in siblings:
            node.children = pruned(node.children, False)
            if node.number is not None or (top and len(node.children) > 1):
                kept.append(node)
            else:
                kept += node.children
        return sorted(kept, key=lambda node: node.number or node.children[0].number or 0)

    return planted(pruned(roots, True)).render().decode()


@st.composite
def mailboxes(draw: st.DrawFn) -> list[Threadable]:
    """Messages whose references never contradict each other in a loop: each only names earlier letters."""
    made = []
    for number in range(1, draw(st.integers(1, 9)) + 1):
        letter = draw(st.integers(0, 9))
        after = sorted(draw(st.sets(st.integers(0, letter - 1), max_size=4))) if letter else []
        made.append(message(number, chr(97 + letter), *(chr(97 + other) for other in after)))
    return made


@given(mailboxes())
def test_the_steps_are_those_of_the_RFC(messages: list[Threadable]) -> None:
    assert shown(references, *messages) == literally(messages)


def numbers(forest: Forest) -> list[int]:
    return sorted(forest.numbers[place] for root in forest.roots() for place in forest.messages(root))


NAMES = st.sampled_from(["a", "b", "c", "d", "e", "f"])


@given(
    st.lists(st.tuples(NAMES, st.lists(NAMES, max_size=5), st.sampled_from("xy "), st.booleans(), st.integers(1, 3)))
)
def test_each_message_is_shown_once_whatever_is_said_of_it(
    given_messages: list[tuple[str, list[str], str, bool, int]],
) -> None:
    messages = [
        message(number, name, *after, subject=subject.strip(), reply=reply, sent=sent)
        for number, (name, after, subject, reply, sent) in enumerate(given_messages, 1)
    ]
    for algorithm in (ordered_subject, references, refs):
        assert numbers(threaded(algorithm, messages)) == [one.number for one in messages]


@pytest.mark.parametrize("algorithm", [references, refs])
def test_a_chain_as_long_as_a_mailbox_is_a_thread(algorithm: Algorithm) -> None:
    forth = [message(number, str(number), str(number - 1)) for number in range(1, LONG)]
    assert shown(algorithm, *forth).encode() == b"(" + b" ".join(b"%d" % number for number in range(1, LONG)) + b")"
    back = [message(number, str(number), str(number + 1)) for number in range(1, LONG)]
    assert numbers(threaded(algorithm, back)) == list(range(1, LONG))


def test_loops_in_a_long_chain_cost_no_more() -> None:
    names = [str(number) for number in range(LONG)]
    loops = [name for other in names[: LONG // 2] for name in (names[-1], other)]
    messages = [message(1, "x", *names), message(2, "y", *loops), message(3, names[0]), message(4, names[-1])]
    assert numbers(threaded(references, messages)) == [1, 2, 3, 4]


def test_deep_dummies_cost_no_more() -> None:
    names = [str(number) for number in range(LONG)]
    messages = [message(1, "x", *names), *(message(number, "", names[-1]) for number in range(2, 1000))]
    assert len([*threaded(references, messages).roots()]) == 1


@pytest.mark.parametrize("algorithm", [ordered_subject, references, refs])
def test_the_collection_of_garbage_has_no_more_to_look_at_for_more_messages(algorithm: Algorithm) -> None:
    many = 5000
    gc.collect()
    before = len(gc.get_objects())
    forest = threaded(
        algorithm,
        (message(number, str(number), str(number // 2), "lost", subject=str(number % 99)) for number in range(1, many)),
    )
    gc.collect()
    assert len(gc.get_objects()) < before + many // 10
    assert numbers(forest) == list(range(1, many))
