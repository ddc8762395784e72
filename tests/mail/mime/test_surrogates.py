"""Surrogates of whole messages: every header in ASCII (RFC 6857 §4), every body as it was."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worldmail.mail.mime.part import Part
from worldmail.mail.mime.scan import scan
from worldmail.mail.mime.surrogates import (
    MOST_OF_MESSAGE,
    Patch,
    SurrogateStream,
    grown,
    patched,
    patches_of,
    pieces_between,
    surrogate_message,
    with_surrogate_header,
)
from worldmail.mail.surrogate import surrogate_header

INNER = "Subject: ä\r\nFrom: Ö <o@example.test>\r\n\r\nbödy\r\n"
NESTED = (
    "Subject: ü\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\npreämble\r\n--b\r\n"
    'Content-Disposition: attachment; filename="ß.txt"\r\n\r\ntëxt\r\n'
    f"--b\r\nContent-Type: message/rfc822\r\nX: é\r\n\r\n{INNER}"
    f"\r\n--b\r\nContent-Type: message/global\r\n\r\n{INNER}\r\n--b--\r\nepilögue\r\n"
).encode()


def parts(part: Part) -> list[Part]:
    return [part, *(below for child in part.children for below in parts(child))]


def test_every_header_is_ASCII_and_every_body_as_it_was() -> None:
    made = surrogate_message(NESTED)
    before, after = parts(scan(NESTED)), parts(scan(made))
    assert len(before) == len(after) == 6
    for one, other in zip(before, after, strict=True):
        header = made[other.start : other.body]
        assert header.isascii() and header == surrogate_header(NESTED[one.start : one.body])
        if not one.children:
            assert made[other.body : other.end] == NESTED[one.body : one.end]
    assert "preämble".encode() in made and "epilögue".encode() in made


@pytest.mark.parametrize("octets", [b"", b"A: b\r\n\r\nc", "A: b\r\n\r\nü".encode(), b"\r\n\xff", b"A: b"])
def test_a_message_with_ASCII_headers_is_its_own_surrogate(octets: bytes) -> None:
    assert surrogate_message(octets) is octets


def test_the_header_alone_is_made_ASCII_where_nothing_else_is_asked_for() -> None:
    header, _, text = NESTED.partition(b"\r\n\r\n")
    assert with_surrogate_header(NESTED) == surrogate_header(header + b"\r\n\r\n") + text
    plain = "A: b\r\n\r\nü".encode()
    assert with_surrogate_header(plain) is plain


def test_recipients_in_delivery_status_notifications_are_written_in_ASCII() -> None:
    # RFC 6857 §4.2, §3.1.9
    body = (
        "Reporting-MTA: dns; a.example.test\r\n\r\nOriginal-Recipient: utf-8; ü@example.test\r\n"
        "Final-Recipient: rfc822; a@example.test\r\nDiagnostic-Code: smtp; 550 nö\r\n"
    )
    head = "Content-Type: message/{}\r\n\r\n"
    for kind in ("delivery-status", "global-delivery-status"):
        made = surrogate_message((head.format(kind) + body).encode())
        assert made == (head.format(kind) + body.replace("ü", "\\x{FC}")).encode()
    plain = ("Content-Type: text/plain\r\n\r\n" + body).encode()
    assert surrogate_message(plain) is plain


def test_headers_with_other_line_ends_are_read_too() -> None:
    assert surrogate_message("A: b\nSubject: ü\n\nü\n".encode()) == (
        b"A: b\r\nSubject: =?utf-8?B?w7w=?=\r\n\r\n" + "ü\n".encode()
    )


def test_there_is_a_bound_for_all_headers_together() -> None:
    part = "--b\r\nX: " + "ü" * 30_000 + "\r\n\r\n\r\n"
    octets = ("Content-Type: multipart/mixed; boundary=b\r\n\r\n" + part * 20 + "--b--\r\n").encode()
    made = surrogate_message(octets)
    assert made.isascii()
    assert made.count(b"X: =?utf-8?") == MOST_OF_MESSAGE // 60_007
    assert b"X: ????" in made


patch_lists = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4), st.binary(max_size=4)), max_size=5)


@given(patch_lists, st.integers(0, 60), st.integers(0, 60))
def test_a_piece_of_a_patched_message_is_cut_out_of_all_of_it(
    gaps: list[tuple[int, int, bytes]], start: int, end: int
) -> None:
    patches, at = [], 0
    for gap, length, octets in gaps:
        patches.append(Patch(at + gap, at + gap + length, octets))
        at += gap + length
    data = bytes(range(65, 65 + 40))
    whole = patched(data, patches)
    assert len(whole) == len(data) + grown(patches)
    end = min(end, len(whole))
    pieces = list(pieces_between(patches, start, end))
    assert all(piece if isinstance(piece, bytes) else piece[0] < piece[1] for piece in pieces)
    made = b"".join(piece if isinstance(piece, bytes) else data[piece[0] : piece[1]] for piece in pieces)
    assert made == (whole[start:end] if start < end else b"")


@given(st.lists(st.sampled_from([NESTED[at : at + 23] for at in range(0, len(NESTED), 23)]), max_size=40))
def test_headers_of_any_message_become_ASCII(pieces: list[bytes]) -> None:
    octets = b"".join(pieces)
    made = surrogate_message(octets)
    root = scan(made)
    assert all(made[part.start : part.body].isascii() for part in parts(root))
    assert not patches_of(made, root)
    assert surrogate_message(made) is made


# --- while it goes by ---


def streamed(octets: bytes, cuts: list[int]) -> bytes:
    stream = SurrogateStream()
    edges = [0, *sorted(min(cut, len(octets)) for cut in cuts), len(octets)]
    return b"".join([stream.feed(octets[start:end]) for start, end in pairwise(edges)]) + stream.finish()


NOTIFIED = (
    "Subject: ü\r\nContent-Type: multipart/report; boundary=b\r\n\r\n"
    "--b\r\nContent-Type: message/global-delivery-status\r\n\r\n"
    "Reporting-MTA: dns; a.test\r\n\r\nFinal-Recipient: utf-8; ü@a.test\r\nDiagnostic-Code: smtp; 550 nö\r\n\r\n--b\r\n"
    f"Content-Type: message/global\r\n\r\n{INNER}\r\n--b--\r\n"
).encode()
PIECES = [text[at : at + 23] for text in (NESTED, NOTIFIED) for at in range(0, len(text), 23)]


@pytest.mark.parametrize("text", [NESTED, NOTIFIED, NESTED.replace(b"\r\n", b"\n"), b"", "ü".encode(), INNER.encode()])
@pytest.mark.parametrize("piece", [1, 7, 100_000])
def test_a_surrogate_that_is_made_while_it_goes_by_is_the_same(text: bytes, piece: int) -> None:
    assert streamed(text, list(range(0, len(text), piece))) == surrogate_message(text)


@given(st.lists(st.sampled_from(PIECES), max_size=40), st.lists(st.integers(0, 900), max_size=6))
def test_so_it_is_of_any_message_however_it_is_cut(pieces: list[bytes], cuts: list[int]) -> None:
    octets = b"".join(pieces)
    assert streamed(octets, cuts) == surrogate_message(octets)


def test_the_bound_for_all_headers_together_is_the_same() -> None:
    part = "--b\r\nX: " + "ü" * 30_000 + "\r\n\r\n\r\n"
    octets = ("Content-Type: multipart/mixed; boundary=b\r\n\r\n" + part * 20 + "--b--\r\n").encode()
    assert streamed(octets, [100_000, 200_000]) == surrogate_message(octets)


def test_what_is_behind_a_header_that_is_too_long_is_ASCII() -> None:
    octets = (
        "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" + "X: ü\r\n" * 200_000 + "\r\nü\r\n--b--\r\n"
    ).encode()
    assert streamed(octets, list(range(0, len(octets), 65536))).isascii()
