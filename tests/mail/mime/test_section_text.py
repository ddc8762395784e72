"""The text of a section."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worldmail.mail.mime.section_text import MOST_NAMES, MOST_NUMBERS, parse_section
from worldmail.mail.mime.sections import Kind, Section


@pytest.mark.parametrize(
    ("text", "section"),
    [
        ("", Section()),
        ("1", Section((1,))),
        ("1.20.3", Section((1, 20, 3))),
        ("header", Section((), Kind.HEADER)),
        ("TEXT", Section((), Kind.TEXT)),
        ("2.MIME", Section((2,), Kind.MIME)),
        ("1.2.Header", Section((1, 2), Kind.HEADER)),
        ("HEADER.FIELDS (Subject To)", Section((), Kind.HEADER_FIELDS, frozenset((b"subject", b"to")))),
        ('3.HEADER.FIELDS.NOT ("X-A")', Section((3,), Kind.HEADER_FIELDS_NOT, frozenset((b"x-a",)))),
    ],
)
def test_sections(text: str, section: Section) -> None:
    assert parse_section(text) == section


@pytest.mark.parametrize(
    "text",
    [
        "0",
        "1.",
        ".1",
        "1..2",
        "1.0",
        "01",
        "MIME",
        ".TEXT",
        "1TEXT",
        "WHOLE",
        "HEADER.FIELDS",
        "HEADER.FIELDS ()",
        "HEADER.FIELDS (a  b)",
        "HEADER.FIELDS (a\r\nb)",
        "HEADER.FIELDS (é)",
        "HEADER (a)",
        "TEXT ",
        "9999999999",
        ".".join(["1"] * (MOST_NUMBERS + 1)),
        f"HEADER.FIELDS ({' '.join(['a'] * (MOST_NAMES + 1))})",
    ],
)
def test_what_is_no_section_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_section(text)


@given(st.text('0123456789.()" HEADRFILSNOTMX', max_size=60))
def test_anything_is_a_section_or_refused(text: str) -> None:
    try:
        section = parse_section(text)
    except ValueError:
        return
    assert all(number > 0 for number in section.path)
    assert bool(section.names) == (section.kind in (Kind.HEADER_FIELDS, Kind.HEADER_FIELDS_NOT))
