"""A message's text on its way: cut anywhere, it comes out the same."""

from __future__ import annotations

import email
import email.policy
import itertools
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from worldmail.mail.line_ends import LineEnds
from worldmail.mail.mime.surrogates import surrogate_message
from worldmail.protocols.pop3.replies import Utf8Needed
from worldmail.protocols.pop3.text import IN_ONE_PIECE, TopCutter, text_effects
from worldmail.testing.feeding import settle
from worldmail.testing.smtp_client import at_once
from worldmail.wire.effects import Stream

DEFAULTS = {"octets": 0, "utf8": True, "surrogates": True, "aside": at_once}

texts = st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b".", b"a", b"bc", b": ", b"\r\n\r\n"]), max_size=40).map(
    b"".join
)
cuts = st.lists(st.integers(0, 80), max_size=6)


def pieces(text: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(min(place, len(text)) for place in places), len(text)]
    return [text[start:end] for start, end in itertools.pairwise(edges)]


class Source:
    """Chunks, and whether they were let go."""

    def __init__(self, chunks: list[bytes]) -> None:
        self.chunks = list(chunks)
        self.given = 0
        self.closed = False

    def __aiter__(self) -> Source:
        return self

    async def __anext__(self) -> bytes:
        if self.given == len(self.chunks):
            raise StopAsyncIteration
        self.given += 1
        return self.chunks[self.given - 1]

    async def aclose(self) -> None:
        self.closed = True


async def _all(source: Source, **options) -> bytes:
    output = b""
    for effect in await text_effects(source, **{**DEFAULTS, **options}):
        if isinstance(effect, Stream):
            async for chunk in effect.chunks:
                output += chunk
        else:
            output += effect
    return output


def sent(chunks: list[bytes], **options) -> bytes:
    """The multi-line response's text, unstuffed, as a client reads it."""
    output = settle(_all(Source(chunks), **options))
    first, _, rest = output.partition(b"\r\n")
    assert first.startswith(b"+OK") and rest.endswith(b".\r\n")
    lines = rest[:-3].split(b"\r\n")
    assert b"." not in lines
    return b"\r\n".join(line[1:] if line.startswith(b".") else line for line in lines)


def legal(text: bytes) -> bytes:
    """What a text is in lines."""
    text = re.sub(rb"\r\n|\r|\n", b"\r\n", text)
    return text if text.endswith(b"\r\n") else text + b"\r\n"


def top_of(text: bytes, lines: int) -> bytes:
    """TOP, the slow way."""
    all_lines = legal(text).split(b"\r\n")[:-1]
    if b"" not in all_lines:
        return legal(text)
    end = all_lines.index(b"") + 1 + lines
    return b"".join(line + b"\r\n" for line in all_lines[:end])


@given(texts, cuts)
def test_every_text_arrives_in_lines_however_it_was_cut(text: bytes, places: list[int]) -> None:
    arrived = sent(pieces(text, places))
    assert arrived == (legal(text) if text else arrived) and arrived.endswith(b"\r\n") | (not arrived)


@given(texts, cuts, st.integers(0, 6))
def test_TOP_is_right_however_the_text_was_cut(text: bytes, places: list[int], lines: int) -> None:
    if text:
        assert sent(pieces(text, places), lines=lines) == top_of(text, lines)


@given(texts, cuts)
def test_line_ends_are_made_legal_however_they_were_cut(text: bytes, places: list[int]) -> None:
    ends = LineEnds()
    out = b"".join(ends.feed(piece) for piece in pieces(text, places)) + ends.finish()
    assert out == re.sub(rb"\r\n|\r|\n", b"\r\n", text)


def test_a_large_text_is_a_stream_that_reads_as_it_goes() -> None:
    source = Source([b"A: b\r\n\r\n", *[b"." + b"x" * 65533 + b"\r\n"] * 50])
    effects = settle(text_effects(source, octets=9, utf8=False, surrogates=True, aside=at_once))
    assert isinstance(effects[-1], Stream) and source.given < 5
    assert len(effects[0]) < 3 * IN_ONE_PIECE

    async def read() -> int:
        most = 0
        async for chunk in effects[-1].chunks:
            most = max(most, len(chunk))
        return most

    assert settle(read()) <= 65536 + 2 and source.given == 51 and source.closed


def test_TOP_reads_no_more_than_it_needs_and_lets_the_source_go() -> None:
    source = Source([b"A: b\r\n\r\n", *[b"x" * 998 + b"\r\n"] * 1000])
    settle(_all(source, lines=1))
    assert source.given < 100 and source.closed
    later = Source([b"A: b\r\n\r\n", *[b"x" * 998 + b"\r\n"] * 1000])
    output = settle(_all(later, lines=200))
    assert output.count(b"x\r\n") == 200 and later.given < 300 and later.closed


def test_a_stream_that_is_broken_off_lets_the_source_go() -> None:
    source = Source([b"x" * 65534 + b"\r\n"] * 10)
    effects = settle(text_effects(source, octets=9, utf8=True, surrogates=True, aside=at_once))

    async def break_off() -> None:
        await anext(effects[-1].chunks)
        await effects[-1].chunks.aclose()

    settle(break_off())
    assert source.closed


def test_the_first_line_tells_the_octets_of_the_surrogate() -> None:
    text = "Subject: gr\u00fc\u00dfe\r\n\r\n\u00fc\r\n".encode()
    output = settle(_all(Source([text]), octets=len(text), utf8=False))
    first, _, rest = output.partition(b"\r\n")
    assert first == b"+OK %d octets" % (len(rest) - 3)
    assert output.endswith("\r\n\r\n\u00fc\r\n.\r\n".encode())


def test_UTF_8_mode_gives_the_message_as_it_is() -> None:
    text = "Subject: gr\u00fc\u00dfe\r\n\r\n\u00fc\r\n".encode()
    assert sent([text]) == text


def test_without_surrogates_such_a_message_is_refused_by_RETR_and_TOP() -> None:
    text = "Subject: gr\u00fc\u00dfe\r\n\r\nx\r\n".encode()
    for lines in (None, 0):
        with pytest.raises(Utf8Needed):
            settle(_all(Source([text]), utf8=False, surrogates=False, lines=lines))


def test_a_header_too_long_for_a_surrogate_is_refused() -> None:
    with pytest.raises(Utf8Needed):
        settle(_all(Source(["X: \u00fc\r\n".encode() * 20000, b"\r\nx\r\n"]), utf8=False))


NESTED = (
    "Subject: \u00fc\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
    'Content-Disposition: attachment; filename="\u00df.txt"\r\n\r\nt\u00ebxt\r\n.\r\n'
    "--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: \u00e4\r\n\r\nb\u00f6dy\r\n--b--\r\n"
).encode()


@pytest.mark.parametrize("octets", [0, 3 * IN_ONE_PIECE])
@pytest.mark.parametrize("piece", [1000, 100_000])
@pytest.mark.parametrize("own", [b"", b"X: \xc3\xbc\r\n"])
def test_no_header_is_sent_outside_ASCII_nested_ones_neither(octets: int, piece: int, own: bytes) -> None:
    """RFC 6857 §4.1, and the octets of bodies as they are, whether the message is small or large."""
    text = own + NESTED.replace(b"Subject: \xc3\xbc\r\n", b"").replace(
        b"t\xc3\xabxt", b"t\xc3\xabxt\r\n" + b"y" * octets
    )
    arrived = sent([text[at : at + piece] for at in range(0, len(text), piece)], octets=len(text), utf8=False)
    assert arrived == surrogate_message(text) != text
    assert sent([text], utf8=True) == text


def test_the_first_line_tells_the_octets_of_a_small_surrogate_with_all_that_is_nested() -> None:
    output = settle(_all(Source([NESTED]), octets=len(NESTED), utf8=False))
    first, _, rest = output.partition(b"\r\n")
    assert first == b"+OK %d octets" % len(surrogate_message(NESTED)) and b"\r\n..\r\n" in rest


@pytest.mark.parametrize(
    "kind", ["message/rfc822", "MESSAGE (x) / RFC822", "message/global", "multipart/digest; boundary=b"]
)
def test_nested_headers_are_found_however_they_are_announced(kind: str) -> None:
    start = "--b\r\n\r\n" if "boundary" in kind else ""
    text = f"Subject: x\r\nContent-Type: {kind}\r\n\r\n{start}Subject: \u00e4\r\n\r\nb\u00f6dy\r\n".encode()
    assert sent([text], utf8=False) == surrogate_message(text)


def test_recipients_of_a_notification_are_written_in_ASCII() -> None:
    """RFC 6857 §4.2."""
    kind = "Content-Type: message/global-delivery-status\r\n\r\n"
    text = (kind + "Reporting-MTA: dns; a.test\r\n\r\nFinal-Recipient: utf-8; \u00fc@a.test\r\n").encode()
    assert sent([text], utf8=False) == surrogate_message(text) != text


def test_nested_headers_are_no_reason_to_refuse_a_message() -> None:
    text = b"Subject: x" + NESTED[NESTED.index(b"\r\n") :]
    assert sent([text], utf8=False, surrogates=False) == surrogate_message(text)


@given(st.integers(0, 12))
def test_TOP_cuts_the_surrogate(lines: int) -> None:
    assert sent([NESTED], utf8=False, lines=lines) == top_of(surrogate_message(NESTED), lines)


def test_eight_bit_bodies_are_no_reason_for_a_surrogate() -> None:
    text = b"Subject: x\r\n\r\n\xfc\r\n"
    assert sent([text], utf8=False) == text
    assert sent([b"\r\n\xfc\r\n"], utf8=False) == b"\r\n\xfc\r\n"


def test_binary_content_goes_out_in_base64_in_any_mode_and_any_size() -> None:
    header = b"Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: image/x\r\nContent-Transfer-Encoding: binary\r\n\r\n"
    for times in (1, 2000):
        octets = bytes(range(256)) * times
        for utf8 in (True, False):
            message = email.message_from_bytes(sent([header, octets], utf8=utf8))
            assert message["content-transfer-encoding"] == "base64" and message.get_payload(decode=True) == octets


def test_what_is_known_to_be_sent_is_told_exactly() -> None:
    header = b"Content-Type: image/x\r\nContent-Transfer-Encoding: binary\r\n\r\n"
    for chunks in ([header, b"\n" * 100], [b"A: b\r\n\r\nend"], [b"A: b\n\nx\n"]):
        output = settle(_all(Source(chunks)))
        first, _, rest = output.partition(b"\r\n")
        assert first == b"+OK %d octets" % (len(rest) - 3)


def test_a_cutter_that_is_finished_lets_nothing_pass() -> None:
    cutter = TopCutter(0)
    assert cutter.feed(b"A: b\r\n\r\nbody\r\n") == b"A: b\r\n\r\n"
    assert cutter.finished


@example(octets=[b"ixed; boundary=b\r\n\r", b"Subject: \xc3\xbc\r\nConten"], places=[])
@given(st.lists(st.sampled_from([NESTED[at : at + 19] for at in range(0, len(NESTED), 19)]), min_size=1), cuts)
def test_whatever_a_message_is_made_of_its_surrogate_is_sent(octets: list[bytes], places: list[int]) -> None:
    text = b"".join(octets)
    output = sent(pieces(text, places), utf8=False)
    if re.search(rb"\r(?!\n)", text) is None:
        assert output == legal(surrogate_message(text))
    else:  # a CR that stands alone may end the header as it is sent, and not as it is kept
        assert (b"\r\n" + output).partition(b"\r\n\r\n")[0].isascii()
