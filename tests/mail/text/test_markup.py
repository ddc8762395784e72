"""HTML as text: what shows, in one pass."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worldmail.mail.text.markup import text_of_html


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("plain", "plain"),
        ("<p>one</p><p>two</p>", " one  two "),
        ("b<b>o</b>ld", "bold"),
        ("a &amp; b &uuml; &#252; &#xFC;", "a & b ü ü ü"),
        ("a<br/>b", "a b"),
        ("<STYLE type=x>p {}</STYLE>x<script>if (a<b) alert()</script>y", "xy"),
        ("<head><title>t</title></head><body>x", "x"),
        ("a<!-- <p> -- > -->b", "ab"),
        ("a<!-- never ends", "a"),
        ("a<script>never ends", "a"),
        ("a<title>never ends", "anever ends"),
        ("1 < 2 <3", "1 < 2 <3"),
        ("<p class='a", " "),
        ("<!DOCTYPE html><html>x</html>", "x"),
        ("<header>x</header><bright>y</bright>", " x y"),
        ("&#99999999999999999999;&#xFFFFFFFFFFF;&#xD800;", "\ufffd\ufffd\ufffd"),
        ("&#" + "9" * 5000 + ";x", "\ufffdx"),
    ],
)
def test_the_text_of(source: str, text: str) -> None:
    assert text_of_html(source) == text


@given(st.text(alphabet="<>/!-&#x;1a pbr\"'") | st.text())
def test_nothing_raises_and_the_text_can_be_encoded(source: str) -> None:
    text_of_html(source).encode()


@pytest.mark.parametrize(
    "unit",
    ["<", "<!--", "<script>", "<title>", "<head >", "<p ", "<a", "&", "&#", "&#1", "</", "<style><", "<!", "<p='"],
)
def test_megabytes_are_read_in_one_go(unit: str) -> None:
    text_of_html(unit * (2_000_000 // len(unit)))
