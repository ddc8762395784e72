"""The fields that are asked for (RFC 5322 §2.2)."""

from __future__ import annotations

import pytest

from worldmail.mail.mime.fields import MAXIMUM_HEADER, read_fields


def read(header: bytes) -> dict[bytes, bytes]:
    return read_fields(header, 0, len(header))


@pytest.mark.parametrize("name", [b"Message-ID", b"Message-Id", b"message-id", b"MESSAGE-ID", b"mEsSaGe-Id"])
def test_names_are_found_in_any_case(name: bytes) -> None:
    assert read(name + b": x\r\n") == {b"message-id": b"x"}


@pytest.mark.parametrize("separator", [b":", b": ", b" : ", b"\t:\t", b":  "])
def test_white_space_around_the_colon_says_nothing(separator: bytes) -> None:
    assert read(b"Subject" + separator + b"x \r\n") == {b"subject": b"x"}


@pytest.mark.parametrize(
    ("value", "unfolded"),
    [
        (b"a\r\n b", b"a b"),
        (b"a\r\n\tb", b"a\tb"),
        (b"a \r\n  b", b"a   b"),
        (b"a\n b\n\tc", b"a b\tc"),
        (b"a\r\n \r\n b", b"a  b"),
        (b"\r\n a", b"a"),
    ],
)
def test_values_are_unfolded(value: bytes, unfolded: bytes) -> None:
    assert read(b"Subject: %b\r\nDate: x\r\n" % value) == {b"subject": unfolded, b"date": b"x"}


def test_lines_that_are_no_field_are_passed_over() -> None:
    assert read(b"From a@b Mon\r\nbroken\r\n: x\r\nX-Y: z\r\nSubject: x\r\nwords: y") == {b"subject": b"x"}


def test_NUL_is_replaced() -> None:
    assert read(b"Subject: a\0b\r\n") == {b"subject": "a\ufffdb".encode()}


def test_of_repeated_fields_the_last_counts_but_of_those_about_content_the_first() -> None:
    header = b"Subject: 1\r\nSubject: 2\r\nContent-Type: a/1\r\nContent-Type: a/2\r\nContent-ID: 1\r\nContent-ID: 2\r\n"
    assert read(header) == {b"subject": b"2", b"content-type": b"a/1", b"content-id": b"1"}


def test_repeated_address_lists_are_one() -> None:
    assert read(b"To: a@b\r\nTo:\r\nTo: c@d\r\n") == {b"to": b"a@b,c@d"}


def test_what_lies_behind_the_bound_is_not_looked_at() -> None:
    assert read(b"Subject: 1\r\nX: " + b"x" * MAXIMUM_HEADER + b"\r\nSubject: 2\r\n") == {b"subject": b"1"}
