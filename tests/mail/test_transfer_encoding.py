"""Binary parts in base64: what a reader decodes is what was sent, however the message was cut."""

from __future__ import annotations

import email
import email.policy
import itertools
import re
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worldmail.mail.line_ends import has_other_line_ends, with_line_ends
from worldmail.mail.transfer_encoding import BinaryInBase64, InLines, says_binary

OCTETS = bytes(range(256)) * 3

LEAF = (
    b"Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: application/octet-stream\r\n"
    b"Content-Transfer-Encoding: binary\r\n\r\n"
)
MULTIPART = (
    b'Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed;\r\n boundary="=_b"\r\n'
    b"Content-Transfer-Encoding: BINARY (so it is)\r\n\r\npreamble\r\n"
    b"--=_b\r\nContent-Type: text/plain\r\n\r\n.text\r\n"
    b"--=_b  \r\nContent-Type: application/octet-stream\r\ncontent-transfer-encoding:binary\r\nX-A: b\r\n\r\n%s"
    b"\r\n--=_b\r\n\r\nno header\r\n--=_b--\r\nepilogue\r\n"
)
NESTED = MULTIPART.replace(b"=_b", b"outer") % (
    b"\r\n--outer\r\nContent-Type: multipart/alternative; boundary=outer2\r\nContent-Transfer-Encoding: binary\r\n\r\n"
    b"--outer2\r\nContent-Transfer-Encoding: binary\r\n\r\n%s\r\n--outer2--"
)
INSIDE = (
    b"MIME-Version: 1.0\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: binary\r\n\r\n" + LEAF + b"%s"
)


def coded(message: bytes, places: list[int] | None = None) -> bytes:
    """The message, fed in pieces cut at these places."""
    edges = [0, *sorted(min(place, len(message)) for place in places or []), len(message)]
    coder = BinaryInBase64()
    given = b"".join(coder.feed(message[start:end]) for start, end in itertools.pairwise(edges))
    return given + coder.finish()


def leaves(message: bytes) -> list[bytes]:
    """What Python's own parser decodes of each part."""
    parsed = email.message_from_bytes(message, policy=email.policy.SMTP)
    return [part.get_payload(decode=True) for part in parsed.walk() if not part.is_multipart()]


def is_lines(message: bytes) -> bool:
    return not re.search(rb"\r(?!\n)|(?<!\r)\n|\0", message)


def test_a_binary_message_is_decoded_to_what_it_was() -> None:
    out = coded(LEAF + OCTETS)
    assert leaves(out) == [OCTETS] and is_lines(out)
    assert out.startswith(LEAF.replace(b": binary", b": base64"))
    assert all(len(line) <= 76 for line in out.partition(b"\r\n\r\n")[2].split(b"\r\n"))


def test_binary_parts_are_decoded_and_all_else_stays() -> None:
    out = coded(MULTIPART % OCTETS)
    assert leaves(out) == [b".text", OCTETS, b"no header"] and is_lines(out)
    before, behind = (MULTIPART % b"@").split(b"@")
    before = before.replace(b" BINARY (so it is)", b" 8bit").replace(b"encoding:binary", b"encoding: base64")
    assert out.startswith(before) and out.endswith(behind)


def test_parts_of_parts_and_of_messages_in_messages_are_decoded() -> None:
    assert leaves(coded(NESTED % OCTETS))[1:3] == [b"", OCTETS]
    out = coded(INSIDE % OCTETS)
    assert leaves(out) == [OCTETS] and is_lines(out)
    assert out.startswith(b"MIME-Version: 1.0\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n")


@pytest.mark.parametrize("message", [LEAF + OCTETS, MULTIPART % OCTETS, NESTED % OCTETS, INSIDE % OCTETS])
def test_every_cut_gives_the_same(message: bytes) -> None:
    whole = coded(message)
    assert coded(message, list(range(len(message)))) == whole
    assert all(coded(message, [place]) == whole for place in range(len(message)))


@given(
    st.lists(st.sampled_from([b"\r", b"\n", b"--", b"=_b", b"-", b"a", b"\0", b"\r\n", b"\r\n--=_", b"\r\n--=_bx"]))
    .map(b"".join)
    .filter(lambda octets: not re.search(rb"\r\n--=_b(--)?[ \t]*(\r\n|$)", b"\r\n" + octets)),
    st.lists(st.integers(0, 400), max_size=5),
)
def test_any_content_is_decoded_to_what_it_was(octets: bytes, places: list[int]) -> None:
    out = coded(MULTIPART % octets, places)
    assert leaves(out)[1] == octets


@given(st.binary(max_size=600), st.lists(st.integers(0, 600), max_size=4))
def test_any_octets_pass_and_the_cut_does_not_matter(octets: bytes, places: list[int]) -> None:
    for head in (b"", LEAF, MULTIPART.partition(b"%s")[0]):
        assert coded(head + octets, places) == coded(head + octets)


def test_a_message_that_does_not_say_binary_is_not_touched() -> None:
    for message in (
        (MULTIPART % OCTETS).replace(b"BINARY (so it is)", b"8bit"),
        b"Content-Transfer-Encoding: base64\r\n\r\nAAAA\r\n",
        b"X: binary\r\n\r\n" + OCTETS,
        b"",
        b"\r\n",
    ):
        assert coded(message) == message


def test_a_multipart_without_a_boundary_or_nested_too_deep_is_passed_on() -> None:
    no_boundary = b"Content-Type: multipart/mixed\r\nContent-Transfer-Encoding: binary\r\n\r\n" + OCTETS
    assert coded(no_boundary) == no_boundary
    deep = b""
    for depth in range(40):
        deep += (
            b"Content-Type: multipart/mixed; boundary=b%d.\r\nContent-Transfer-Encoding: binary\r\n\r\n--b%d.\r\n"
            % (depth, depth)
        )
    assert coded(deep).count(b": 8bit") == 8


@pytest.mark.parametrize(
    ("header", "binary"),
    [
        (b"Content-Transfer-Encoding: binary\r\n", True),
        (b"A: b\r\ncontent-transfer-encoding :\r\n (x) Binary\r\n", True),
        (b"Content-Transfer-Encoding: 8bit\r\n", False),
        (b"Content-Transfer-Encoding: 8bit (binary)\r\n", False),
        (b"Content-Transfer-Encoding: binaryish\r\n", False),
        (b"X-Content-Transfer-Encoding: binary\r\n", False),
    ],
)
def test_the_field_is_read(header: bytes, binary: bool) -> None:
    assert says_binary(header) is binary


PART = b"\r\n--=_b\r\nContent-Type: multipart/x; boundary=y\r\nContent-Transfer-Encoding: binary\r\n\r\n"


@pytest.mark.parametrize("unit", [b"\r\n--=_b\r\n", b"\r\n--", b"\r\n--=_b", b"\r", b"\r\n", PART])
def test_hostile_bodies_pass_in_bounded_memory(unit: bytes) -> None:
    coder = BinaryInBase64()
    coder.feed(MULTIPART.partition(b"%s")[0])
    for _ in range(10):
        coder.feed((unit * 65536)[:65536])
        assert len(coder._data) <= 65536 + 8192


@pytest.mark.parametrize("unit", [b";", b';boundary="', b"\\", b'"\\', b"(", b" ", b"\r\n ", b';boundary="\\";'])
def test_hostile_headers_cost_linear_time(unit: bytes) -> None:
    head = b"Content-Transfer-Encoding: binary\r\nContent-Type: multipart/mixed" + (unit * 65000)[:65000] + b"\r\n\r\nx"
    assert coded(head)


@pytest.mark.parametrize("unit", [b"\n", b"\r", b"\r\n--=_b\r\n\r\n", b"\r\n--=_b\r\n" + b"\n", b"\r\n"])
def test_a_whole_message_of_line_ends_takes_no_more_memory_than_a_few_times_its_size(unit: bytes) -> None:
    message = MULTIPART.partition(b"%s")[0] + unit * (1_000_000 // len(unit))
    tracemalloc.start()
    try:
        lines = InLines()
        given = lines.feed(message) + lines.finish()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert is_lines(given)
    assert peak < 4 * len(given) + 4 * len(message)


@given(st.binary(max_size=30) | st.lists(st.sampled_from([b"\r", b"\n", b"a"])).map(b"".join))
def test_every_CR_and_LF_becomes_part_of_one_CRLF(text: bytes) -> None:
    assert with_line_ends(text) == re.sub(rb"\r\n|\r|\n", b"\r\n", text)


@pytest.mark.parametrize("before", [0, 1, 65_534, 65_535, 65_536, 131_071, 200_000])
@pytest.mark.parametrize("end", [b"", b"\r\n", b"\r", b"\n", b"\r\n\n", b"\r\r\n", b"\n\r"])
@pytest.mark.parametrize("behind", [0, 1, 70_000])
def test_other_line_ends_are_seen_wherever_they_stand(before: int, end: bytes, behind: int) -> None:
    octets = b"x" * before + end + b"x" * behind
    assert has_other_line_ends(octets) == (end not in (b"", b"\r\n"))
