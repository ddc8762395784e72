"""The octets of sections (RFC 9051 §6.4.5.1)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worldmail.mail.mime.scan import scan
from worldmail.mail.mime.sections import Kind, Section, chosen_fields, find_part, find_section, numbered

LINES = (
    *(b"From: a@b.test", b"Content-Type: multipart/mixed; boundary=b", b"", b"--b", b"X: 1", b"", b"one"),
    *(b"--b", b"Content-Type: multipart/mixed; boundary=c", b"", b"--c", b"X: 2.1", b"", b"two", b"--c--"),
    *(b"--b", b"Content-Type: message/rfc822", b"", b"Subject: in", b"To: c@d.test", b"", b"three"),
    *(b"--b", b"Content-Type: message/rfc822", b"", b"Content-Type: multipart/mixed; boundary=d", b""),
    *(b"--d", b"X: 4.1", b"", b"four", b"--d--", b"--b--", b""),
)
NESTED = b"\r\n".join(LINES)
PLAIN = b"From: a@b.test\r\nSubject: x\r\n\r\ntext\r\n"
FORWARDED = b"Content-Type: message/rfc822\r\n\r\n" + PLAIN


def octets(data: bytes, path: str, kind: Kind = Kind.WHOLE, *names: bytes, prefix: bytes = b"") -> bytes | None:
    section = Section(tuple(map(int, path.split("."))) if path else (), kind, frozenset(names))
    found = find_section(data, scan(data), section, prefix)
    return None if found is None else found.octets(data)


@pytest.mark.parametrize(
    ("path", "kind", "expected"),
    [
        ("", Kind.WHOLE, NESTED),
        ("", Kind.HEADER, NESTED[: NESTED.index(b"--b")]),
        ("", Kind.TEXT, NESTED[NESTED.index(b"--b") :]),
        ("1", Kind.WHOLE, b"one"),
        ("1", Kind.MIME, b"X: 1\r\n\r\n"),
        ("2", Kind.WHOLE, b"--c\r\nX: 2.1\r\n\r\ntwo\r\n--c--"),
        ("2.1", Kind.WHOLE, b"two"),
        ("2.1", Kind.MIME, b"X: 2.1\r\n\r\n"),
        ("3", Kind.WHOLE, b"Subject: in\r\nTo: c@d.test\r\n\r\nthree"),
        ("3", Kind.MIME, b"Content-Type: message/rfc822\r\n\r\n"),
        ("3", Kind.HEADER, b"Subject: in\r\nTo: c@d.test\r\n\r\n"),
        ("3", Kind.TEXT, b"three"),
        ("3.1", Kind.WHOLE, b"three"),
        ("4.1", Kind.WHOLE, b"four"),
        ("4.1", Kind.MIME, b"X: 4.1\r\n\r\n"),
        ("4", Kind.TEXT, b"--d\r\nX: 4.1\r\n\r\nfour\r\n--d--"),
    ],
)
def test_numbers_lead_to_parts_of_multiparts_and_of_messages(path: str, kind: Kind, expected: bytes) -> None:
    assert octets(NESTED, path, kind) == expected


@pytest.mark.parametrize("path", ["0", "5", "1.1", "2.2", "2.1.1", "3.2", "3.1.1", "4.2", "1.0"])
def test_a_part_that_is_not_there_has_no_octets(path: str) -> None:
    assert octets(NESTED, path) is octets(NESTED, path, Kind.MIME) is None


@pytest.mark.parametrize("kind", [Kind.HEADER, Kind.TEXT, Kind.HEADER_FIELDS, Kind.HEADER_FIELDS_NOT])
@pytest.mark.parametrize("path", ["1", "2", "2.1", "3.1"])
def test_a_part_that_is_no_message_has_no_header_and_no_text(path: str, kind: Kind) -> None:
    assert octets(NESTED, path, kind) is None


def test_a_message_without_parts_is_its_part_1() -> None:
    assert octets(PLAIN, "1") == b"text\r\n"
    assert octets(PLAIN, "1", Kind.MIME) == PLAIN[: -len(b"text\r\n")]
    assert octets(PLAIN, "2") is octets(PLAIN, "1.1") is octets(PLAIN, "", Kind.MIME) is None


def test_a_message_that_is_a_message_has_it_as_part_1() -> None:
    assert octets(FORWARDED, "1") == PLAIN
    assert octets(FORWARDED, "1", Kind.HEADER) == PLAIN[: -len(b"text\r\n")]
    assert octets(FORWARDED, "1.1") == octets(FORWARDED, "1", Kind.TEXT) == b"text\r\n"
    assert octets(FORWARDED, "1", Kind.MIME) == octets(FORWARDED, "", Kind.HEADER)


def test_the_parts_are_told_with_their_numbers_in_their_order() -> None:
    root = scan(NESTED)
    paths = [path for path, _ in numbered(root)]
    assert paths == [(1,), (2,), (2, 1), (3,), (3, 1), (4,), (4, 1)]
    assert all(find_part(root, path) is part for path, part in numbered(root))
    assert [path for path, _ in numbered(scan(FORWARDED))] == [(1,), (1, 1)]


HEADER = b"From: a\r\nSUBJECT : x\r\n y\r\nno field\r\nTo: b\r\nSubject: z\r\n\r\n"


@pytest.mark.parametrize(
    ("names", "chosen", "others"),
    [
        ({b"subject"}, b"SUBJECT : x\r\n y\r\nSubject: z\r\n\r\n", b"From: a\r\nno field\r\nTo: b\r\n\r\n"),
        ({b"to", b"from"}, b"From: a\r\nTo: b\r\n\r\n", b"SUBJECT : x\r\n y\r\nno field\r\nSubject: z\r\n\r\n"),
        ({b"cc"}, b"\r\n", HEADER),
    ],
)
def test_fields_are_chosen_by_name_and_stay_as_they_are(names: set[bytes], chosen: bytes, others: bytes) -> None:
    assert chosen_fields(HEADER, Section((), Kind.HEADER_FIELDS, frozenset(names))) == chosen
    assert chosen_fields(HEADER, Section((), Kind.HEADER_FIELDS_NOT, frozenset(names))) == others


@pytest.mark.parametrize(
    ("header", "chosen", "others"),
    [
        (b"", b"", b""),
        (b"\r\n", b"\r\n", b"\r\n"),
        (b"To: b\r\n", b"To: b\r\n", b""),
        (b"To: b", b"To: b\r\n", b""),
        (b"word", b"", b"word"),
        (b"To: b\nX: y\n\n", b"To: b\n\r\n", b"X: y\n\n"),
    ],
)
def test_an_empty_line_is_given_where_the_header_has_one(header: bytes, chosen: bytes, others: bytes) -> None:
    names = frozenset({b"to"})
    assert chosen_fields(header, Section((), Kind.HEADER_FIELDS, names)) == chosen
    assert chosen_fields(header, Section((), Kind.HEADER_FIELDS_NOT, names)) == others


_LINES = st.lists(
    st.sampled_from((b"To: b", b"tO\t: b", b"To-x: b", b"X-To: b", b"T o: b", b" To: c", b"", b"To", b"%:"))
)


@given(lines=_LINES, end=st.sampled_from((b"\n", b"\r\n")), last=st.sampled_from((b"", b"\n", b"\r\n", b"\r\n\r\n")))
@pytest.mark.parametrize("names", [{b"to"}, {b"to", b"to-x", b"%"}, {b"to: b", b"", b"x y"}])
def test_fields_are_the_same_however_many_names_are_looked_for(
    lines: list[bytes], end: bytes, last: bytes, names: set[bytes]
) -> None:
    header = end.join(lines) + last
    many = names.union(b"other-%d" % number for number in range(100))
    few, more = (Section((), Kind.HEADER_FIELDS, frozenset(chosen)) for chosen in (names, many))
    assert chosen_fields(header, few) == chosen_fields(header, more)


PREFIX = b"Return-Path: <x@y.test>\r\nDelivered-To: a@b.test\r\n"


def test_a_prefix_belongs_to_the_message_and_its_header() -> None:
    header, text = PLAIN[:-6], PLAIN[-6:]
    assert octets(PLAIN, "", prefix=PREFIX) == PREFIX + PLAIN
    assert octets(PLAIN, "", Kind.HEADER, prefix=PREFIX) == PREFIX + header
    assert octets(PLAIN, "1", Kind.MIME, prefix=PREFIX) == PREFIX + header
    assert octets(PLAIN, "", Kind.TEXT, prefix=PREFIX) == octets(PLAIN, "1", prefix=PREFIX) == text
    chosen = octets(PLAIN, "", Kind.HEADER_FIELDS, b"delivered-to", b"subject", prefix=PREFIX)
    assert chosen == b"Delivered-To: a@b.test\r\nSubject: x\r\n\r\n"
    assert octets(FORWARDED, "1", Kind.HEADER, prefix=PREFIX) == header


@pytest.mark.parametrize(("origin", "count"), [(0, 5), (3, 70), (48, 4), (50, 20), (60, 1000), (500, 3), (0, 0)])
def test_a_piece_of_a_section_is_cut_through_prefix_and_message(origin: int, count: int) -> None:
    found = find_section(PLAIN, scan(PLAIN), Section(), PREFIX)
    assert found is not None
    piece = found.partial(origin, count)
    assert piece.octets(PLAIN) == (PREFIX + PLAIN)[origin : origin + count]
    assert piece.size == len(piece.octets(PLAIN))
