"""Lists of recipients as text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worldmail.directory.recipient_lines import BadLine, read_recipients
from worldmail.mail.address import Address

DOMAINS = ("branch.test", "alias.test", "xn--bcher-kva.example")


def names(text: str) -> set[str]:
    return set(read_recipients([line.encode() + b"\n" for line in text.split("\n")], DOMAINS).names)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("bob", "bob"),
        ("  Bob@Branch.TEST \r", "bob"),
        ("bob@alias.test", "bob"),
        ("bob@bücher.example", "bob"),
        ("bob@BÜCHER.example", "bob"),
        ("first.last+tag@branch.test", "first.last+tag"),
        ('"bob"@branch.test', "bob"),
        ('"John # Doe"@branch.test', "john # doe"),
        ('"john"', "john"),
        ("José", "josé"),
        ("Jose\u0301", "josé"),
        ("bob # the first", "bob"),
        ("bob\t#", "bob"),
        ("bob #first", "bob"),
        ('"b b"@branch.test # the "first" \\', "b b"),
        ("b#b@branch.test", "b#b"),
        ("x" * 64, "x" * 64),
        ("\ufeffbob", "bob"),
    ],
)
def test_a_line_is_a_recipient(line: str, expected: str) -> None:
    assert names(line) == {expected}


@pytest.mark.parametrize("line", ["", "  ", "\t", "#", "# bob", "#bob", "  # bob", "\r"])
def test_a_line_may_say_nothing(line: str) -> None:
    assert names(line) == set()


@pytest.mark.parametrize(
    "line",
    [
        "bob alice",
        "bob,alice",
        "<bob@branch.test>",
        "Bob <bob@branch.test>",
        "bob@",
        "@branch.test",
        "@",
        "*",
        "*@branch.test",
        '"*"@branch.test',
        "bob@bad domain",
        "bob@-.test",
        ".bob",
        "bob.",
        "b..b",
        "x" * 65,
        "ŉ" * 32,  # longer when it is folded
        "bob\x07",
        "bob@branch.test OK",
        '"bob',
        "bob@branch.test.",
    ],
)
def test_what_is_no_recipient_is_refused_with_the_number_of_its_line(line: str) -> None:
    with pytest.raises(BadLine, match=r"^line 3: "):
        names(f"alice\n\n{line}\nbob")


def test_octets_that_are_not_UTF_8_are_refused() -> None:
    with pytest.raises(BadLine, match="line 2: is not UTF-8"):
        read_recipients([b"bob\n", b"jos\xe9\n"], DOMAINS)


def test_repetitions_count_once_and_other_domains_are_passed_over() -> None:
    lines = [b"bob\n", b"BOB@branch.test\n", b"bob@alias.test\n", b"eve@far.example\n", b"eve@sub.branch.test\n"]
    listing = read_recipients(lines, DOMAINS)
    assert listing.names == {"bob"} and listing.elsewhere == 2


def test_many_other_domains_are_passed_over_in_bounded_memory() -> None:
    listing = read_recipients([f"eve@d{number}.example\n".encode() for number in range(5000)], DOMAINS)
    assert (listing.names, listing.elsewhere) == (frozenset(), 5000)


@given(st.text(st.characters(exclude_characters="\n#"), max_size=80))
def test_every_address_is_read_as_the_directory_would_read_it(text: str) -> None:
    try:
        expected = {Address.parse(f"{text}@branch.test").local_key}
        found = names(f"{text}@branch.test")
    except (ValueError, BadLine):
        return
    assert found == expected


@given(st.binary(max_size=200))
def test_whatever_stands_there_it_is_read_or_refused(data: bytes) -> None:
    try:
        read = read_recipients(data.splitlines(keepends=True), DOMAINS).names
    except BadLine:
        return
    assert "*" not in read and all(len(name.encode()) <= 64 for name in read)
