"""Work in slices."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.store.derived.mail import now
from worldmail.store.derived.slices import LARGE, Slices, labour
from worldmail.wire.ready import Ready


class Desk:
    """Slices with a clock that work moves, and what happened."""

    def __init__(self) -> None:
        self.time = 0.0
        self.pauses: list[float] = []
        self.elsewhere = 0
        self.slices = Slices(
            seconds=lambda: self.time, pause=self.pause, longest=0.005, apart=0.002, elsewhere=self.do_elsewhere
        )

    def pause(self, seconds: float) -> Awaitable[None]:
        self.pauses.append(self.time)
        self.time += seconds
        return Ready(None)

    def do_elsewhere(self, work: Callable[[], Any]) -> Awaitable[Any]:
        self.elsewhere += 1
        return Ready(work())

    def work(self) -> str:
        self.time += 0.002
        return "done"


def test_others_have_their_turn_after_each_slice() -> None:
    desk = Desk()
    turn = desk.slices.begin()
    for _ in range(6):
        assert now(turn.work(1, desk.work)) == "done"
    assert [round(at, 3) for at in desk.pauses] == [0.006, 0.014]


def test_work_that_follows_at_once_is_of_the_same_slice() -> None:
    desk = Desk()
    for _ in range(6):
        now(desk.slices.begin().work(1, desk.work))
    assert len(desk.pauses) == 2
    desk.time += 1.0
    now(desk.slices.begin().work(1, desk.work))
    assert len(desk.pauses) == 2


def test_what_is_large_is_done_elsewhere() -> None:
    desk = Desk()
    turn = desk.slices.begin()
    now(turn.work(LARGE, desk.work))
    assert desk.elsewhere == 0
    now(turn.work(LARGE + 1, desk.work))
    assert desk.elsewhere == 1


@pytest.mark.parametrize(
    "content",
    [
        b"To: " + b"<" * 100_000 + b"\r\n\r\ntext\r\n",
        b"Content-Type: multipart/mixed; boundary=a\r\n\r\n" + b"--a\r\n" * 20_000,
        b"Content-Type: text/html\r\n\r\n" + b"<" * 100_000,
        b"Content-Type: message/RFC822\r\n\r\nTo: " + b"(" * 100_000 + b"\r\n\r\n",
        b"Content-Type: multipart/Digest; boundary=a\r\n\r\n" + b"--a\r\n\r\nTo: " + b":" * 100_000,
    ],
)
def test_what_is_small_and_laborious_is_done_elsewhere_too(content: bytes) -> None:
    assert len(content) < LARGE < labour(content)


def test_plain_mail_is_done_here_up_to_a_size() -> None:
    mail = b"From: a@example.test\r\nSubject: x\r\n\r\n" + b"Some text, as people write it.\r\n" * 4000
    assert LARGE * 0.95 < labour(mail) < LARGE
    assert labour(mail + mail) > LARGE
