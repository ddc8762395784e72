"""SORT's keys and their combinations (RFC 5256 §3, RFC 5957)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worldmail.mail.mime.envelope import render_envelope
from worldmail.mail.text.sorting import KEYS, Criterion, Sortable, Sortables, needs_summary


def message(number: int, **fields: str) -> Sortable:
    given = {name.rstrip("_").encode(): value.encode() for name, value in fields.items()}
    return Sortable(number=number, envelope=render_envelope(given))


def sort_messages(messages: list[Sortable], criteria: list[Criterion]) -> list[int]:
    """As the verb does it."""
    sortables = Sortables(criteria)
    sortables.extend(messages)
    return sortables.in_order()


def order(messages: list[Sortable], *words: str) -> list[int]:
    criteria = [Criterion(word.removeprefix("REVERSE ").encode(), word.startswith("REVERSE ")) for word in words]
    return sort_messages(messages, criteria)


def test_subjects_are_compared_without_what_replies_put_in_front() -> None:
    messages = [message(1, subject="Re: banana"), message(2, subject="Äpfel"), message(3, subject="apple"), message(4)]
    assert order(messages, "SUBJECT") == [4, 3, 2, 1]
    assert order(messages, "REVERSE SUBJECT") == [1, 2, 3, 4]


def test_addresses_are_compared_by_their_local_part() -> None:
    messages = [
        message(1, from_="Zoe <adam@b.test>", to="c@d.test", cc="x@y.test"),
        message(2, from_="Adam <zoe@b.test>", to="friends: q@d.test;"),
        message(3, from_="m@b.test", to="B@d.test", cc="A@y.test, z@y.test"),
    ]
    assert order(messages, "FROM") == [1, 3, 2]
    assert order(messages, "TO") == [3, 1, 2]
    assert order(messages, "CC") == [2, 3, 1]


def test_display_names_are_decoded_and_an_address_stands_for_one_that_lacks() -> None:
    messages = [
        message(1, from_="=?utf-8?q?=C3=84nne?= <z@b.test>", to="m@b.test"),
        message(2, from_='"  " <b@b.test>', to="Adam <z@b.test>"),
        message(3, from_="a@b.test", to="zeta: a@b.test;"),
        message(4),
    ]
    assert order(messages, "DISPLAYFROM") == [4, 3, 1, 2]
    assert order(messages, "DISPLAYTO") == [4, 2, 1, 3]


def test_dates_sizes_and_arrivals_are_numbers() -> None:
    messages = [
        Sortable(number=1, sent=30, arrival=1, size=5),
        Sortable(number=2, sent=None, arrival=20, size=5),
        Sortable(number=3, sent=10, arrival=3, size=4),
    ]
    assert order(messages, "DATE") == [3, 2, 1]
    assert order(messages, "ARRIVAL") == [1, 3, 2]
    assert order(messages, "SIZE") == [3, 1, 2]
    assert order(messages, "REVERSE SIZE") == [1, 2, 3]
    assert order(messages, "SIZE", "REVERSE DATE") == [3, 1, 2]
    assert order(messages, "REVERSE SIZE", "DATE") == [2, 1, 3]


def test_what_is_equal_stays_in_the_order_of_the_mailbox() -> None:
    messages = [Sortable(number=number) for number in (3, 1, 2)]
    for key in KEYS:
        assert sort_messages(messages, [Criterion(key, reverse=True)]) == [1, 2, 3]


def test_only_some_keys_need_what_is_derived() -> None:
    assert not needs_summary([Criterion(b"ARRIVAL"), Criterion(b"SIZE", reverse=True)])
    assert needs_summary([Criterion(b"ARRIVAL"), Criterion(b"DATE")])


def test_a_word_that_is_no_key_is_an_error() -> None:
    with pytest.raises(KeyError):
        order([message(1)], "COLOUR")


@given(st.lists(st.binary(max_size=60), max_size=5), st.lists(st.sampled_from(sorted(KEYS)), max_size=3))
def test_nothing_in_a_message_raises(envelopes: list[bytes], keys: list[bytes]) -> None:
    messages = [Sortable(number=number, envelope=envelope) for number, envelope in enumerate(envelopes, 1)]
    assert sorted(sort_messages(messages, [*map(Criterion, keys)])) == list(range(1, len(envelopes) + 1))
