"""The site's end of a turn that stays: it waits as long as was agreed, and heartbeats are held against nobody."""

from __future__ import annotations

from tests.protocols.smtp.test_smtp_xforward import TurnedScene
from worldmail.testing.smtp import Talk


def test_heartbeats_are_answered_for_ever() -> None:
    talk = TurnedScene(settings={"idle_commands": 10}).play(b"EHLO relay.test\r\n" + b"NOOP\r\n" * 300)
    assert talk.codes[2:] == ["250 2.0.0"] * 300
    assert talk.closed is None


def test_a_relay_that_is_silent_for_longer_than_agreed_is_gone() -> None:
    scene = TurnedScene()
    session = scene.make_session()
    session.opened(scene.make_peer())
    assert session.turn is not None
    assert session.timeout == 300
    session.turn.silence = 150.0
    assert session.timeout == 150
    ends: list[str] = []
    session.turn.abort = ends.append
    assert tuple(session.timed_out()) == ()  # words would wait for a link that is dead
    assert ends == ["timed out"]


def test_within_a_message_it_has_the_time_that_all_have() -> None:
    scene = TurnedScene()
    talk: Talk = scene.play(b"EHLO a.test\r\nMAIL FROM:<>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\nSubject: x\r\n")
    assert talk.codes[-1].startswith("354")
    session = scene.make_session()
    session.opened(scene.make_peer())
    assert session.turn is not None
    session.turn.silence = 7000.0
    assert session.minimum_rate == 0
