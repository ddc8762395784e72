"""A recipient who is removed between RCPT and the end of the data."""

from __future__ import annotations

import pytest

from worldmail.testing.feeding import Conductor, settle
from worldmail.testing.smtp import SmtpScene, envelope

TWO = envelope(b"<a@a.test>", b"<bob@example.test>", b"<alice@example.test>")


@pytest.mark.parametrize(
    ("begin", "rest"),
    [(b"DATA\r\n", b"A: b\r\n\r\nx\r\n.\r\n"), (b"BDAT 6\r\nA: b\r\n", b"BDAT 5 LAST\r\n\r\nx\r\n")],
    ids=["DATA", "BDAT"],
)
def test_one_of_them_gone_makes_the_client_try_again_and_nothing_is_stored(begin: bytes, rest: bytes) -> None:
    scene = SmtpScene()
    conductor = Conductor(dialogue=scene.make_session(), peer=scene.make_peer())
    settle(conductor.open())
    settle(conductor.feed(TWO + begin))
    boxes = scene.world.mailboxes.boxes
    for key in [key for key in boxes if key[0] == 2]:
        del boxes[key]
    seen = len(conductor.held.output)
    settle(conductor.feed(rest + b"NOOP\r\n"))
    replies = bytes(conductor.held.output[seen:]).split(b"\r\n")
    assert [reply[:9] for reply in replies[:-1]] == [b"451 4.3.0", b"250 2.0.0"]
    assert not scene.contents() and not scene.texts(1)
