"""Where the parts of a message lie (RFC 2046 §5.1)."""

from __future__ import annotations

import mmap
import tempfile

import pytest

from worldmail.mail.mime.content import OCTET_STREAM
from worldmail.mail.mime.part import Part
from worldmail.mail.mime.scan import MAXIMUM_DEPTH, MAXIMUM_HEADERS, MAXIMUM_PARTS, scan
from worldmail.mail.mime.structure import render_structure

Bodies = bytes | list["Bodies"]


def message(kind: bytes, *lines: bytes) -> bytes:
    """A message of this Content-Type."""
    return b"\r\n".join((b"Content-Type: " + kind, b"", *lines))


def bodies(data: bytes, part: Part) -> Bodies:
    """The bodies of all leaves, as they are nested."""
    if part.is_multipart or part.is_message:
        return [bodies(data, child) for child in part.children]
    return data[part.body : part.end]


def read(data: bytes) -> Bodies:
    return bodies(data, scan(data))


MIXED = b"multipart/mixed; boundary=b"


@pytest.mark.parametrize("newline", [b"\r\n", b"\n"])
def test_parts_lie_between_boundaries_and_text_around_them_is_no_part(newline: bytes) -> None:
    data = message(MIXED, b"before", b"--b", b"", b"one", b"--b", b"X: y", b"", b"two", b"", b"--b--", b"behind")
    data = data.replace(b"\r\n", newline)
    assert read(data) == [b"one", b"two" + newline]


def test_the_line_end_in_front_of_a_boundary_is_no_part_of_the_body() -> None:
    assert read(message(MIXED, b"--b", b"", b"one", b"", b"--b--")) == [b"one\r\n"]


@pytest.mark.parametrize("padding", [b" ", b"\t", b" \t  ", b"anything"])
def test_what_stands_behind_a_boundary_in_its_line_says_nothing(padding: bytes) -> None:
    data = message(MIXED, b"--b" + padding, b"", b"one", b"--b" + padding, b"", b"two", b"--b--" + padding, b"x")
    assert read(data) == [b"one", b"two"]


def test_a_boundary_counts_at_the_beginning_of_a_line_only() -> None:
    assert read(message(MIXED, b"--b", b"", b"one --b", b" --b", b"--b--")) == [b"one --b\r\n --b"]


def test_without_a_final_boundary_the_last_part_reaches_to_the_end() -> None:
    assert read(message(MIXED, b"--b", b"", b"one", b"--b", b"", b"two", b"")) == [b"one", b"two\r\n"]


@pytest.mark.parametrize("kind", [b"multipart/mixed", b"multipart/mixed; boundary=c", b"multipart/mixed; boundary*=b"])
def test_a_multipart_whose_boundary_is_missing_has_no_parts(kind: bytes) -> None:
    assert read(message(kind, b"--b", b"", b"one", b"--b--")) == []


def test_a_final_boundary_in_front_of_all_others_ends_the_multipart() -> None:
    assert read(message(MIXED, b"--b--", b"--b", b"", b"one", b"--b--")) == []


def test_a_boundary_without_a_line_end_begins_no_part() -> None:
    assert read(message(MIXED, b"--b", b"", b"one", b"--b")) == [b"one"]


def test_a_part_without_an_empty_line_is_all_header() -> None:
    data = message(MIXED, b"--b", b"Content-Type: text/html", b"--b", b"", b"two", b"--b--")
    first, _ = scan(data).children
    assert data[first.start : first.body] == b"Content-Type: text/html"
    assert first.content.subtype == b"html" and read(data) == [b"", b"two"]


@pytest.mark.parametrize(("outer", "inner"), [(b"b", b"bc"), (b"bc", b"b"), (b"b", b"b"), (b"b", b"b--"), (b"", b"x")])
def test_boundaries_that_begin_alike_or_are_the_same_do_not_cut_each_other(outer: bytes, inner: bytes) -> None:
    within = message(b'multipart/mixed; boundary="%b"' % inner, b"--" + inner, b"", b"one", b"--%b--" % inner)
    data = message(b'multipart/mixed; boundary="%b"' % outer, b"--" + outer, within, b"--" + outer, b"", b"two")
    assert read(data) == [[b"one"], b"two"]


def test_a_boundary_of_the_outer_multipart_ends_the_inner_one() -> None:
    within = message(b"multipart/mixed; boundary=c", b"--c", b"", b"one")
    assert read(message(MIXED, b"--b", within, b"--b", b"", b"two", b"--c", b"--b--")) == [[b"one"], b"two\r\n--c"]


def test_the_parts_of_a_digest_are_messages_if_they_do_not_say_what_they_are() -> None:
    kind = b"multipart/digest; boundary=b"
    data = message(
        kind, b"--b", b"", b"Subject: in", b"", b"one", b"--b", b"Content-Type: text/html", b"", b"two", b"--b--"
    )
    assert read(data) == [[b"one"], b"two"]
    first = scan(data).children[0]
    assert (first.content.type, first.content.subtype) == (b"message", b"rfc822")
    assert first.children[0].fields == {b"subject": b"in"}


@pytest.mark.parametrize("kind", [b"message/rfc822", b"Message/RFC822", b"message/global"])
def test_a_message_in_a_message_is_scanned(kind: bytes) -> None:
    data = message(kind, b"Subject: in", b"", b"one", b"two", b"")
    assert read(data) == [b"one\r\ntwo\r\n"]
    assert scan(data).lines == 4


@pytest.mark.parametrize("kind", [b"message/partial", b"message/delivery-status", b"message/external-body"])
def test_other_kinds_of_messages_are_leaves(kind: bytes) -> None:
    assert read(message(kind, b"Subject: in", b"", b"one")) == b"Subject: in\r\n\r\none"


def test_lines_are_counted_where_messages_nest_in_messages() -> None:
    inner = message(b"message/rfc822", b"A: b", b"", b"1", b"2", b"")
    data = message(MIXED, b"--b", message(b"message/rfc822", inner), b"--b", b"", b"x", b"y", b"", b"--b--")
    outer, text = scan(data).children
    assert (outer.lines, outer.children[0].lines, outer.children[0].children[0].lines) == (6, 4, 2)
    assert text.lines == 2


@pytest.mark.parametrize(
    ("data", "header", "body"),
    [
        (b"", b"", b""),
        (b"\r\n", b"\r\n", b""),
        (b"\r\ntext", b"\r\n", b"text"),
        (b"word", b"word", b""),
        (b"a: b\r\n", b"a: b\r\n", b""),
        (b"a: b\r\n\r\n", b"a: b\r\n\r\n", b""),
        (b"a: b\n\ntext\r\n\r\n", b"a: b\n\n", b"text\r\n\r\n"),
        (b"a: b\n\r\ntext\n\n", b"a: b\n\r\n", b"text\n\n"),
        (b"a: b\r\n \r\n\r\ntext", b"a: b\r\n \r\n\r\n", b"text"),
        (b"no field\r\n\r\ntext", b"no field\r\n\r\n", b"text"),
    ],
)
def test_the_first_empty_line_ends_the_header(data: bytes, header: bytes, body: bytes) -> None:
    root = scan(data)
    assert (data[: root.body], data[root.body :]) == (header, body)


def test_parts_that_lie_too_deep_are_shown_as_octets() -> None:
    data = b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (number, number) for number in range(150)
    )
    part, depth = scan(data), 0
    while part.children:
        part, depth = part.children[0], depth + 1
    assert depth == MAXIMUM_DEPTH and part.content is OCTET_STREAM
    assert render_structure(scan(data)).count(b"octet-stream") == 1


def test_the_last_of_too_many_parts_reaches_to_the_end() -> None:
    data = message(MIXED) + b"\r\n" + b"--b\r\n\r\nx\r\n" * (MAXIMUM_PARTS + 5)
    children = scan(data).children
    assert len(children) == MAXIMUM_PARTS - 1
    assert children[-1].end == len(data) and children[-2].end < len(data) - 50


def test_headers_beyond_the_bound_are_not_read() -> None:
    large = b"--b\r\nContent-Type: text/html\r\nX: " + b"x" * 300_000 + b"\r\n\r\n\r\n"
    types = [part.content.subtype for part in scan(message(MIXED, b"") + large * 10).children]
    assert types == [b"html"] * (MAXIMUM_HEADERS // 300_000) + [b"plain"] * (10 - MAXIMUM_HEADERS // 300_000)


def test_a_mapped_file_is_read_like_octets() -> None:
    inner = message(b"message/rfc822", b"Subject: in", b"", b"one", b"two")
    data = message(MIXED, b"--b", b"", *(b"line",) * 10_000, b"--b", inner, b"--b--", b"")
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.flush()
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            assert render_structure(scan(mapped)) == render_structure(scan(data))
