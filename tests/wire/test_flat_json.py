"""Flat JSON is what `json` makes of the same fields."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worldmail.wire.flat_json import FlatJson

VALUES = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(), st.lists(st.text()))


@given(st.dictionaries(st.from_regex(r"[a-z_]{1,8}", fullmatch=True), VALUES), st.booleans())
def test_it_is_what_json_makes(fields: dict[str, object], ascii: bool) -> None:
    rendered = FlatJson(ascii=ascii).render(fields)
    assert rendered == json.dumps(fields, ensure_ascii=ascii, separators=(",", ":"))
    assert json.loads(rendered) == fields


@pytest.mark.parametrize("text", ['"', "\\", "\n", "\x1b[2J", "\u2028", "ü", "\ud800"])
def test_no_text_ends_the_line_or_drives_a_terminal(text: str) -> None:
    rendered = FlatJson(ascii=True).render({"a": text})
    assert rendered.isascii()
    assert rendered.isprintable()
    assert json.loads(rendered) == {"a": text}


def test_what_json_has_no_form_for_becomes_its_text() -> None:
    assert FlatJson(ascii=True).render({"path": Path("/x")}) == '{"path":"/x"}'
