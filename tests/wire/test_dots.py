"""Dot-stuffing: only CRLF.CRLF ends a text, at every split of the octets."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worldmail.testing.feeding import settle
from worldmail.wire.dots import END_OF_TEXT, DotReader, DotWriter, stuff, stuff_bytes
from worldmail.wire.faults import Fault

PIECES = st.lists(st.sampled_from([b"\r", b"\n", b".", b"a", b"\r\n", b"\r\n.", b"..", b"\0", b"\xe9"]), max_size=30)


def read(segments: list[bytes], limit: int = 1000) -> tuple[bytes, bytes, DotReader]:
    """The text, what came behind its end, and the reader."""
    reader = DotReader(limit)
    text = b""
    for number, segment in enumerate(segments):
        text += reader.feed(segment)
        if reader.finished:
            return text, reader.rest + b"".join(segments[number + 1 :]), reader
    return text, b"", reader


def octets(data: bytes) -> list[bytes]:
    return [data[i : i + 1] for i in range(len(data))]


def facts(reader: DotReader) -> tuple[object, ...]:
    return reader.finished, reader.fault


def reference(data: bytes) -> tuple[bytes, bytes] | None:
    """The text and what follows it, by the letter of RFC 5321 §4.5.2; None if the end is not there."""
    end = (b"\r\n" + data).find(b"\r\n.\r\n")
    if end < 0:
        return None
    lines = data[:end].split(b"\r\n")
    return b"\r\n".join(line[1:] if line.startswith(b".") else line for line in lines), data[end + 3 :]


def first_fault(text: bytes, limit: int) -> Fault | None:
    """The fault of the first octet that is wrong in a text, looked at octet by octet."""
    line = 0
    for place, octet in enumerate(octets(text)):
        line += 1
        if octet == b"\r" and text[place + 1 : place + 2] != b"\n":
            return Fault.BARE_CR
        if octet == b"\n" and text[:place][-1:] != b"\r":
            return Fault.BARE_LF
        if octet == b"\0":
            return Fault.NUL
        if line > limit:
            return Fault.TOO_LONG
        if octet == b"\n":
            line = 0
    return None


@pytest.mark.parametrize(
    ("wire", "text"),
    [
        (b".\r\n", b""),
        (b"\r\n.\r\n", b"\r\n"),
        (b"a\r\n.\r\n", b"a\r\n"),
        (b"..\r\n.\r\n", b".\r\n"),
        (b".a\r\n...b\r\n.\r\n", b"a\r\n..b\r\n"),
        (b"..\r\n..\r\n..\r\n.\r\n", b".\r\n.\r\n.\r\n"),
        (b"a..b\r\n.\r\n", b"a..b\r\n"),
    ],
)
def test_stuffing_is_removed_at_every_split(wire: bytes, text: bytes) -> None:
    glued = wire + b"QUIT\r\n"
    for cut in range(len(glued)):
        found, rest, reader = read([glued[:cut], glued[cut:]])
        assert (found, rest, reader.finished) == (text, b"QUIT\r\n", True)
        assert reader.fault is None
    assert read(octets(glued))[:2] == (text, b"QUIT\r\n")


SMUGGLED = [
    b"\n.\n",
    b"\n.\r\n",
    b"\r\n.\n",
    b"\r.\r",
    b"\r.\r\n",
    b"\r\n.\r",
    b"\n.\r",
    b"\r.\n",
    b"\r\n\0.\r\n",
    b"\r\n.\0\r\n",
    b"\r\r\n.\r\r\n",
    b"\n\n.\r\n",
    b"\r\n.\n\r\n",
    b"\r\n.\r\r\n",
    b"\n\r.\r\n",
    b"\r\n.\n\n",
]


@pytest.mark.parametrize("variant", SMUGGLED)
def test_no_other_end_of_data_ends_it_at_any_split(variant: bytes) -> None:
    smuggled = b"MAIL FROM:<x@y.example>\r\n"
    wire = b"body" + variant + smuggled + b"\r\n.\r\nQUIT\r\n"
    for first in range(len(wire)):
        for second in {first, first + 1, first + 2}:
            _, rest, reader = read([wire[:first], wire[first:second], wire[second:]])
            assert rest == b"QUIT\r\n"
            assert reader.fault is not None


def test_which_fault_came_first_does_not_depend_on_the_segments() -> None:
    for text, fault in (
        (b"\r", Fault.BARE_CR),
        (b"\0\r\nb\nc", Fault.NUL),
        (b"b\nc\0", Fault.BARE_LF),
        (b"x" * 1000 + b"\r\n\0\n", Fault.TOO_LONG),
        (b"x" * 1000 + b"\r\r\n", Fault.BARE_CR),
    ):
        wire = text + b"\r\n.\r\n"
        assert read([wire])[2].fault is fault
        assert read(octets(wire))[2].fault is fault


@given(PIECES, st.lists(st.integers(0, 60), max_size=5), st.integers(2, 6))
def test_segmentation_changes_nothing_and_the_RFC_is_met(parts: list[bytes], cuts: list[int], limit: int) -> None:
    data = b"".join(parts)
    places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    segments = [data[a:b] for a, b in itertools.pairwise(places)]
    whole = read([data], limit)
    expected = reference(data)
    assert whole[2].finished is (expected is not None)
    if expected is not None:
        assert whole[:2] == expected
        for variant in (segments, octets(data)):
            found = read(variant, limit)
            assert found[:2] == whole[:2]
            assert facts(found[2]) == facts(whole[2])


@given(PIECES, st.integers(2, 8))
def test_the_fault_is_the_first_of_the_text(parts: list[bytes], limit: int) -> None:
    text, _, reader = read([b"".join(parts) + b"\r\n.\r\n"], limit)
    assert reader.fault is first_fault(text, limit)


def test_the_first_bare_octet_names_the_fault() -> None:
    assert read([b"a\rb\nc\r\n.\r\n"])[2].fault is Fault.BARE_CR
    assert read([b"a\nb\rc\r\n.\r\n"])[2].fault is Fault.BARE_LF


def test_a_line_of_the_limit_is_not_long_and_one_octet_more_is_at_every_split() -> None:
    for size, long in ((998, False), (999, True)):
        wire = b"short\r\n." + b"." + b"x" * (size - 1) + b"\r\nshort\r\n.\r\n"
        for cut in range(0, len(wire), 37):
            assert read([wire[:cut], wire[cut:]])[2].fault is (Fault.TOO_LONG if long else None)
        assert read(octets(wire))[2].fault is (Fault.TOO_LONG if long else None)


def test_the_long_line_may_be_anywhere_in_a_large_text() -> None:
    lines = [b"x" * 70 + b"\r\n"] * 3000
    for place in (0, 1500, 2999):
        wire = b"".join(lines[:place]) + b"y" * 999 + b"\r\n" + b"".join(lines[place:]) + b".\r\n"
        assert read([wire])[2].fault is Fault.TOO_LONG
        assert read([wire[i : i + 1000] for i in range(0, len(wire), 1000)])[2].fault is Fault.TOO_LONG
    assert read([b"".join(lines) + b".\r\n"])[2].fault is None


@given(PIECES, st.lists(st.integers(0, 60), max_size=5))
def test_what_is_stuffed_is_read_back_the_same(parts: list[bytes], cuts: list[int]) -> None:
    data = b"".join(parts)
    places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    writer = DotWriter()
    wire = b"".join(writer.feed(data[a:b]) for a, b in itertools.pairwise(places)) + writer.finish()
    assert wire == stuff_bytes(data)
    text, rest, reader = read([wire + END_OF_TEXT])
    assert reader.finished
    assert rest == b""
    assert text == (data if not data or data.endswith(b"\r\n") else data + b"\r\n")


def test_a_stream_of_chunks_is_stuffed_across_its_edges() -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for chunk in (b".a\r", b"\n", b".b\r\n", b".", b"", b"c"):
            yield chunk

    async def collect() -> bytes:
        return b"".join([chunk async for chunk in stuff(chunks())])

    assert settle(collect()) == b"..a\r\n..b\r\n..c\r\n"
