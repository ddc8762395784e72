"""Whatever the octets are: nothing raises, offsets lie inside of each other, every answer can be read."""

from __future__ import annotations

import re

from hypothesis import example, given, settings
from hypothesis import strategies as st

from worldmail.mail.mime.decoding import UnknownEncoding, decoded, decoded_size
from worldmail.mail.mime.part import Part
from worldmail.mail.mime.scan import MAXIMUM_DEPTH, MAXIMUM_PARTS, scan
from worldmail.mail.mime.sections import Kind, Section, find_section, numbered
from worldmail.mail.mime.structure import render_structure
from worldmail.mail.mime.summary import summary_of

# Lines that mean something, so that chance makes messages and not noise.
LINES = (
    b"",
    b" ",
    b"--a",
    b"--a--",
    b"--ab",
    b"--ab--",
    b"--",
    b"text",
    b"Content-Type: multipart/mixed; boundary=a",
    b"Content-Type: multipart/digest; boundary=ab",
    b'Content-Type: multipart/alternative; boundary="a"',
    b"Content-Type: multipart/mixed",
    b"Content-Type: message/rfc822",
    b"Content-Type: text/plain; charset=utf-8; name*0=a;",
    b' name*1*=%20; =; x="',
    b"Content-Type: ;;;",
    b"Content-Transfer-Encoding: base64",
    b'Content-Disposition: attachment; filename="a\\"b"',
    b"Content-Language: en, de",
    b'Subject: \xc3\xa9 "quoted" \\',
    b'From: A <a@b.test>, (c) "q" <@r:x@y>, G: h@i;, broken@, <',
    b'To: "unclosed, (unclosed',
    b"Date: 1 Jan 2001 10:00 +0100",
    b"References: <a@b> <c@d>",
)
messages = st.one_of(
    st.binary(max_size=200),
    st.lists(st.one_of(st.sampled_from(LINES), st.binary(max_size=12)), max_size=40).map(b"\r\n".join),
    st.lists(st.sampled_from(LINES), max_size=40).map(b"\n".join),
)
BODIES = st.binary(max_size=30).filter(lambda octets: b"\n" not in octets and not octets.startswith(b"--=limit="))
NESTED = b"".join(
    b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (number, number) for number in range(150)
)
_LITERAL = re.compile(rb"\{(\d+)\}\r\n")
_PLAIN = re.compile(rb'[()]|"(?:[^"\\\r\n\x80-\xff\x00]|\\["\\])*"|NIL|\d+| ')


def assert_reads_as_IMAP(answer: bytes) -> None:
    """Strings, numbers, NIL and balanced parentheses, nothing else."""
    position = depth = 0
    while position < len(answer):
        if (literal := _LITERAL.match(answer, position)) is not None:
            position = literal.end() + int(literal[1])
            assert position <= len(answer)
            continue
        token = _PLAIN.match(answer, position)
        assert token is not None, answer[position : position + 40]
        depth += {b"(": 1, b")": -1}.get(token[0], 0)
        assert depth >= 0
        position = token.end()
    assert depth == 0 and b"\0" not in answer


def assert_nested(part: Part, limit: int, depth: int = 0) -> int:
    """Each part lies in its parent, and its siblings behind each other; how many parts there are."""
    assert depth <= MAXIMUM_DEPTH
    assert 0 <= part.start <= part.body <= part.end <= limit
    assert len(part.children) == 1 or not part.is_message
    count, position = 1, part.body
    for child in part.children:
        assert child.start >= position
        count += assert_nested(child, part.end, depth + 1)
        position = child.end
    return count


@given(messages)
@example(b"")
@example(NESTED)
@example(b"Content-Type: message/rfc822\r\n\r\n" * 150)
@example(b"Content-Type: multipart/mixed; boundary=a\r\n\r\n" + b"--a\r\n\r\n" * (MAXIMUM_PARTS + 50))
def test_any_octets_have_a_tree_within_their_bounds(data: bytes) -> None:
    root = scan(data)
    assert root.start == 0 and root.end == len(data)
    assert assert_nested(root, len(data)) <= MAXIMUM_PARTS


@given(messages)
@example(NESTED)
def test_any_octets_are_rendered_as_IMAP_data(data: bytes) -> None:
    root = scan(data)
    summary = summary_of(root)
    assert summary.structure == render_structure(root)
    for answer in (summary.envelope, summary.structure):
        assert_reads_as_IMAP(answer)
        assert answer.startswith(b"(") and answer.endswith(b")")


@given(messages, st.integers(0, 300), st.integers(0, 300))
def test_each_part_that_has_numbers_is_found_by_them(data: bytes, origin: int, count: int) -> None:
    root = scan(data)
    for path, part in numbered(root):
        whole = find_section(data, root, Section(path))
        header = find_section(data, root, Section(path, Kind.MIME))
        assert whole is not None and header is not None
        assert header.octets(data) + whole.octets(data) == data[part.start : part.end]
        piece = whole.partial(origin, count)
        assert piece.octets(data) == whole.octets(data)[origin : origin + count]
        assert piece.size == len(piece.octets(data))


@given(messages)
def test_each_part_is_decoded_or_refused(data: bytes) -> None:
    for _, part in numbered(scan(data)):
        try:
            octets = b"".join(decoded(data, part))
        except UnknownEncoding:
            continue
        assert decoded_size(data, part) == len(octets)


@settings(max_examples=20)
@given(st.lists(BODIES, max_size=8))
def test_what_was_put_into_a_multipart_comes_out_of_it(bodies: list[bytes]) -> None:
    parts = b"".join(b"--=limit=\r\nX: y\r\n\r\n%b\r\n" % body for body in bodies)
    data = b'Content-Type: multipart/mixed; boundary="=limit="\r\n\r\n%b--=limit=--\r\n' % parts
    found = [data[part.body : part.end] for part in scan(data).children]
    assert found == bodies
