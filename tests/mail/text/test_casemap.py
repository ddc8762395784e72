"""i;unicode-casemap: equality, substrings and order (RFC 5051)."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worldmail.mail.text.casemap import fold, sort_key


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Hello", "hELLO"),
        ("Ärger", "äRGER"),
        ("ПРИВЕТ", "привет"),
        ("ﬁsh", "FISH"),
        ("ǆ", "ǅ"),
        ("Å", "Å"),
        ("ΣΑΣ", "σας"),
        ("ｆｕｌｌ", "FULL"),
        ("e\u0301", "É"),
        ("²", "2"),
        ("ᾳ", "ᾼ"),
        ("K", "k"),
        ("ı", "i"),
    ],
)
def test_these_are_equal(one: str, other: str) -> None:
    assert fold(one) == fold(other)
    assert sort_key(one) == sort_key(other)


@pytest.mark.parametrize(("one", "other"), [("ß", "ss"), ("a", "b"), ("가", "\u1100\u1161")])
def test_these_are_not(one: str, other: str) -> None:
    assert fold(one) != fold(other)


def test_the_order_is_that_of_titlecased_utf8() -> None:
    # "_" stands behind the upper-case letters and before the lower-case ones.
    assert sorted(["_", "a", "Z", "é", "e", "F"], key=sort_key) == ["a", "e", "é", "F", "Z", "_"]
    assert sort_key("aé") == b"AE\xcc\x81"


@given(st.text(), st.integers(0, 2000))
def test_a_text_is_folded_as_its_characters_are(text: str, ascii_around: int) -> None:
    text = text + "Aa" * ascii_around
    assert fold(text) == "".join(map(fold, text))


@given(st.text(), st.text())
def test_a_substring_is_folded_to_a_substring(one: str, other: str) -> None:
    assert fold(one + other) == fold(one) + fold(other)


@given(st.text())
def test_what_is_folded_stays(text: str) -> None:
    assert fold(fold(text)) == fold(text)
    assert not re.search("[A-Z]", fold(text))


@given(st.characters(exclude_categories=["Cs"]))
def test_a_character_equals_its_decomposition(character: str) -> None:
    if not 0xAC00 <= ord(character) <= 0xD7A3:  # Hangul has none in UnicodeData.txt
        decomposed = "".join(fold(part) for part in unicodedata.normalize("NFKD", character))
        assert sorted(fold(character)) == sorted(decomposed)
