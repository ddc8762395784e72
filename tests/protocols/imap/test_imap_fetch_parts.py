"""Pieces of FETCH that stand on their own: BODY out of BODYSTRUCTURE, moments, ranges of results, identifiers."""

from __future__ import annotations

from itertools import takewhile
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worldmail.mail.line_ends import LineEnds, with_line_ends
from worldmail.mail.mime.rendered import read_value
from worldmail.mail.mime.scan import scan
from worldmail.mail.mime.structure import render_structure
from worldmail.mail.objectids import content_of, email_id, thread_id
from worldmail.protocols.imap import partials
from worldmail.protocols.imap.fetch.body import without_extensions
from worldmail.protocols.imap.fetch.moments import date_time
from worldmail.protocols.imap.grammar.dates import read_date_time
from worldmail.protocols.imap.view.view import slices_of

WORDS = st.sampled_from(
    [b"plain", b'"a ( b"', b'"x\\" y)"', b"(c)", b"\xc3\xa9", b"{3}", b"Content-Type", b"", b"multi part ) (", b"NIL"]
)


@st.composite
def messages(draw: st.DrawFn, depth: int = 2) -> bytes:
    """Small messages whose fields hold what is hard to read back."""
    word = draw(WORDS)
    fields = b"Subject: %b\r\nContent-Description: %b\r\nContent-Language: de, en\r\n" % (draw(WORDS), word)
    kind = draw(st.sampled_from(["text", "message", "multipart", "image"] if depth else ["text", "image"]))
    if kind == "message":
        return fields + b"Content-Type: message/rfc822\r\n\r\n" + draw(messages(depth=depth - 1))
    if kind == "multipart":
        border = b"b%d" % depth
        parts = draw(st.lists(messages(depth=depth - 1), max_size=3))
        body = b"".join(b"--%b\r\n%b\r\n" % (border, part) for part in parts)
        return fields + b"Content-Type: multipart/mixed; boundary=%b\r\n\r\n%b--%b--\r\n" % (border, body, border)
    if kind == "image":
        return fields + b'Content-Type: image/png; name="%b"\r\n\r\nx\r\n' % draw(WORDS).replace(b'"', b"")
    return fields + b"Content-Disposition: attachment; filename=%b\r\n\r\nx\r\n" % draw(WORDS)


@given(messages())
def test_BODY_is_BODYSTRUCTURE_without_extension_data(message: bytes) -> None:
    structure = render_structure(scan(message))
    assert read_value(without_extensions(structure)) == body(read_value(structure))


def body(structure: Any) -> Any:
    """A structure that was read, without what is extension data in it (RFC 9051 §9: body-type-1part, -mpart)."""
    parts = [*takewhile(lambda value: isinstance(value, tuple), structure)]
    if parts:
        return (*map(body, parts), structure[len(parts)])
    if structure[0] == b"text":
        return structure[:8]
    if structure[:2] == (b"message", b"rfc822"):
        return (*structure[:8], body(structure[8]), structure[9])
    return structure[:7]


@given(st.integers(0, 1 << 35))
def test_a_moment_that_was_written_is_the_moment(at: int) -> None:
    assert read_date_time(date_time(at)) == at


@pytest.mark.parametrize(
    ("wanted", "count", "found"),
    [((1, 3), 10, (0, 3)), ((2, 2), 1, (1, 1)), ((-1, -3), 10, (7, 10)), ((-2, -9), 3, (0, 2)), ((4, 9), 0, (0, 0))],
)
def test_a_range_of_results_is_cut_to_those_there_are(
    wanted: tuple[int, int], count: int, found: tuple[int, int]
) -> None:
    assert partials.bounds(wanted, count) == found


@given(st.sets(st.integers(0, 40)), st.integers(1, 20), st.integers(0, 20), st.booleans())
def test_cutting_slices_is_cutting_what_they_hold(places: set[int], near: int, more: int, last: bool) -> None:
    ordered = sorted(places)
    wanted = (-near, -near - more) if last else (near, near + more)
    start, end = partials.bounds(wanted, len(ordered))
    kept = [at for low, high in partials.cut(slices_of(ordered), wanted) for at in range(low, high)]
    assert kept == ordered[start:end]


def test_an_EMAILID_leads_back_to_its_content_and_nothing_else_does() -> None:
    assert content_of(email_id(123)) == 123
    for none in (b"", b"M", b"123", b"Mx", b"T5", b"M" + b"9" * 30):
        assert content_of(none) is None


def test_messages_that_follow_one_another_have_one_THREADID() -> None:
    first = thread_id(1, "a@example.test", ())
    assert first == thread_id(2, "b@example.test", ("a@example.test",))
    assert first != thread_id(3, "c@example.test", ("b@example.test",))
    assert thread_id(4, None, ()) != thread_id(5, None, ())


@given(st.lists(st.sampled_from([b"a", b"\r", b"\n", b"\r\n", b"bc"])), st.data())
def test_line_ends_are_the_same_wherever_a_text_is_cut(pieces: list[bytes], data: st.DataObject) -> None:
    text = b"".join(pieces)
    cut = data.draw(st.integers(0, len(text)))
    ends = LineEnds()
    assert ends.feed(text[:cut]) + ends.feed(text[cut:]) + ends.finish() == with_line_ends(text)
