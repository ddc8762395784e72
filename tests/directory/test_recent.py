"""The bounded memory of answers."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from worldmail.directory.cache import Recent


def test_what_was_asked_for_longest_ago_makes_room():
    recent = Recent(2)
    recent.put("a", 1)
    recent.put("b", 2)
    assert recent.get("a") == 1
    recent.put("c", 3)
    assert (recent.get("a"), recent.get("b"), recent.get("c")) == (1, None, 3)


def test_none_can_be_a_value():
    recent = Recent(1)
    recent.put("a", None)
    unknown = object()
    assert recent.get("a", unknown) is None
    assert recent.get("b", unknown) is unknown


@given(st.integers(0, 5), st.lists(st.tuples(st.integers(0, 9), st.integers())))
def test_it_never_holds_more_than_its_capacity_and_never_a_wrong_value(capacity, puts):
    recent, truth = Recent(capacity), {}
    for key, value in puts:
        recent.put(key, value)
        truth[key] = value
        assert len(recent) <= capacity
        assert recent.get(key) in ((value,) if capacity else (None,))
    for key, value in truth.items():
        assert recent.get(key) in (value, None)
    recent.clear()
    assert len(recent) == 0
