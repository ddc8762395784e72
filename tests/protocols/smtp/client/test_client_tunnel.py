"""A priority told in a field of the header, where a server knows no priorities (RFC 6758)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.protocols.smtp.client.test_client_fitting import meet, send
from worldmail.interfaces.outbound import Fate, Wishes
from worldmail.mail.header import Header
from worldmail.testing.smtp_client import MemoryContent, make_shipment


def tunnelled(text: bytes, priority: int | None, *offers: str, **content: Any) -> bytes:
    """What a server that knows no priorities is sent."""
    meeting = meet(*offers)
    outcome = meeting.send(make_shipment(text=MemoryContent(text, **content), wishes=Wishes(priority=priority)))
    assert outcome.fates[0].fate is Fate.DELIVERED
    sent = b"".join(meeting.writes)
    if "CHUNKING" in offers:
        head, _, rest = sent.partition(b" LAST\r\n")
        return rest[: int(head.rpartition(b" ")[2])]
    return sent.partition(b"DATA\r\n")[2].removesuffix(b".\r\n")


OWN = b"Received: x\r\nSubject: x\r\n\r\nMT-Priority: 1\r\n"


@pytest.mark.parametrize("offers", [(), ("PIPELINING",), ("CHUNKING",), ("CHUNKING", "PIPELINING", "SIZE")])
@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("piece", [1, 7, 1000])
def test_who_knows_no_priorities_is_told_in_a_field(offers: tuple[str, ...], apart: bool, piece: int) -> None:
    assert tunnelled(OWN, -3, *offers, apart=apart, piece=piece) == b"MT-Priority: -3\r\n" + OWN


@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("piece", [1, 7, 1000])
def test_fields_that_say_otherwise_go_first(apart: bool, piece: int) -> None:
    """RFC 6758 §3.3."""
    text = b"A: 1\r\nmt-priority: 5\r\nB: 2\r\nMT-Priority:\r\n 6\r\n\r\nMT-Priority: 1\r\n"
    wanted = b"MT-Priority: 0\r\nA: 1\r\nB: 2\r\n\r\nMT-Priority: 1\r\n"
    assert tunnelled(text, 0, "SIZE", apart=apart, piece=piece) == wanted


@pytest.mark.parametrize("text", [b"MT-Priority: 4 (ultra)\r\nA: b\r\n\r\nx\r\n", b"a: b\r\nMT-PRIORITY: 4\r\n\r\n"])
def test_a_field_that_says_the_same_stays_as_it_is(text: bytes) -> None:
    assert tunnelled(text, 4) == text


LINES = st.sampled_from(
    [b"MT-Priority: 3\r\n", b"mt-priority: (x)\r\n", b"\tfolded\r\n", b"A: b\r\n", b"no field\r\n", b"Mt-Priority:\r\n"]
)


@given(st.lists(LINES, max_size=8), st.integers(-9, 9), st.integers(1, 60))
def test_any_header_says_the_priority_once_and_all_else_as_before(
    lines: list[bytes], priority: int, piece: int
) -> None:
    text = b"Received: x\r\n" + b"".join(lines) + b"\r\nMT-Priority: 9\r\n"
    head, _, body = tunnelled(text, priority, apart=True, piece=piece).partition(b"\r\n\r\n")
    made, before = Header(head + b"\r\n"), Header(text.partition(b"\r\n\r\n")[0] + b"\r\n")
    assert [value.partition(b" ")[0] for value in made.values(b"mt-priority")] == [b"%d" % priority]
    assert made.without((b"mt-priority",)) == before.without((b"mt-priority",))
    assert body == b"MT-Priority: 9\r\n"


def test_nothing_is_told_where_no_priority_was_given() -> None:
    assert tunnelled(OWN, None) == OWN


def test_a_message_without_fields_gets_one_and_a_header_without_an_end_stays() -> None:
    assert tunnelled(b"\r\nbody\r\n", 2) == b"MT-Priority: 2\r\n\r\nbody\r\n"
    assert tunnelled(b"Subject: x\r\n", 2) == b"Subject: x\r\n"


def test_the_size_that_is_told_has_the_field() -> None:
    meeting = meet("SIZE")
    assert send(meeting, text=OWN, wishes=Wishes(priority=1))[1] == f" SIZE={len(OWN) + len('MT-Priority: 1' + '__')}"
