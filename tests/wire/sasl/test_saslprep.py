"""SASLprep (RFC 4013)."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worldmail.wire.sasl.saslprep import saslprep


@pytest.mark.parametrize(
    ("text", "prepared"),
    [
        ("I\u00adX", "IX"),  # RFC 4013 §3: SOFT HYPHEN mapped to nothing
        ("user", "user"),
        ("USER", "USER"),
        ("\u00aa", "a"),  # NFKC
        ("\u2168", "IX"),
        ("a\u00a0b", "a b"),
        ("", ""),
    ],
)
def test_the_examples_of_RFC_4013(text, prepared):
    assert saslprep(text) == prepared


@pytest.mark.parametrize("text", ["\u0007", "\u0627\u0031", "a\u0627", "\ufffd", "\ue000", "\u2028", "\x7f", "a\nb"])
def test_what_is_prohibited_is_refused(text):
    with pytest.raises(ValueError):
        saslprep(text)


def test_what_unicode_3_2_does_not_assign_may_stand_in_a_query_alone():
    assert saslprep("\u0221", stored=False) == "\u0221"
    with pytest.raises(ValueError):
        saslprep("\u0221")


@given(st.text(max_size=40))
def test_preparing_is_done_once(text):
    try:
        prepared = saslprep(text)
    except ValueError:
        return
    with contextlib.suppress(ValueError):  # NFKC of Unicode 3.2 is not closed over every combining sequence
        assert saslprep(prepared) == prepared
