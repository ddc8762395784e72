"""The base subject, step by step as RFC 5256 §2.1 takes it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worldmail.mail.text.subject import BaseSubject, base_of, base_subject


@pytest.mark.parametrize(
    ("subject", "text", "is_reply"),
    [
        ("", "", False),
        ("Hello", "Hello", False),
        ("  Hello \t  world ", "Hello world", False),
        ("Re: Hello", "Hello", True),
        ("RE : Hello", "Hello", True),
        ("re:Hello", "Hello", True),
        ("Fw: Hello", "Hello", True),
        ("FWD: Hello", "Hello", True),
        ("Re[2]: Hello", "Hello", True),
        ("Re [a b] : Hello", "Hello", True),
        ("Re: Fwd: re: Hello", "Hello", True),
        ("Hello (fwd)", "Hello", True),
        ("Hello (FWD) (fwd)  ", "Hello", True),
        ("[list] Hello", "Hello", False),
        ("[list] Re: Hello", "Hello", True),
        ("[a] [b] Re: [c] Hello", "Hello", True),
        ("Re: [list] Re: Hello", "Hello", True),
        ("[list]", "[list]", False),
        ("[a] [b]", "[b]", False),
        ("Re: [list]", "[list]", True),
        ("[fwd: Hello]", "Hello", True),
        ("[Fwd: Re: [list] Hello (fwd)]", "Hello", True),
        ("[fwd: [fwd: Hello]]", "Hello", True),
        ("Re: [fwd: Hello] (fwd)", "Hello", True),
        ("[fwd: Hello] again", "again", False),
        ("Regarding: Hello", "Regarding: Hello", False),
        ("Hello Re: you", "Hello Re: you", False),
        ("Re Hello", "Re Hello", False),
        ("[unclosed Hello", "[unclosed Hello", False),
        ("Re:", "", True),
        ("(fwd)", "", True),
        ("[fwd:]", "", True),
        ("[]", "[]", False),
        ("[[a] b", "[[a] b", False),
    ],
)
def test_the_base_subject_of(subject: str, text: str, is_reply: bool) -> None:
    assert base_of(subject) == BaseSubject(text, is_reply)


def test_encoded_words_are_decoded_first() -> None:
    assert base_subject(b"=?utf-8?q?Re=3A_Gr=C3=BC=C3=9Fe?=") == BaseSubject("Grüße", True)
    assert base_subject(None) == base_subject(b"") == BaseSubject("", False)


UNITS = st.sampled_from(["re", "fwd", "fw", ":", " ", "[", "]", "(fwd)", "[fwd:", "x", "[x]", "é", "\t"])


def slowly(text: str) -> str:
    """The steps as they are written, one at a time."""
    import re

    text = re.sub(r"\s+", " ", text)
    while True:
        while (shorter := re.sub(r"(\(fwd\)| )\Z", "", text, flags=re.IGNORECASE)) != text:
            text = shorter
        while True:
            before = text
            text = re.sub(r"\A( |(\[[^\[\]]*\] *)*(re|fwd?) *(\[[^\[\]]*\] *)?:)", "", text, flags=re.IGNORECASE)
            if text == before and (rest := re.sub(r"\A\[[^\[\]]*\] *", "", text)):
                text = rest
            if text == before:
                break
        forwarded = re.fullmatch(r"\[fwd:(.*)\]", text, re.IGNORECASE | re.DOTALL)
        if forwarded is None:
            return text
        text = forwarded[1]


@given(st.lists(UNITS, max_size=14).map("".join))
def test_the_steps_are_those_of_the_RFC(subject: str) -> None:
    assert base_of(subject).text == slowly(subject)


@given(st.binary(max_size=200))
def test_nothing_raises(subject: bytes) -> None:
    base_subject(subject)


@pytest.mark.parametrize(
    "unit", ["Re: ", "[a]", "[fwd:", "(fwd)", "re[", "[", "]", "re[a]", " ", "fwd", "[a]re:", "[ "]
)
def test_a_long_subject_is_read_in_one_go(unit: str) -> None:
    base_of(unit * 700_000)
    base_of(unit * 100_000 + "x" + ")]" * 100_000)
    base_of("[fwd:" * 100_000 + unit * 100_000 + "]" * 100_000)
