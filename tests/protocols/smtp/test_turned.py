"""A relay that is heard on a connection that stays is within reach, whatever was before."""

from __future__ import annotations

from twisted.internet.defer import Deferred

from worldmail.mail.envelope import Turned
from worldmail.protocols.smtp.session import Session
from worldmail.protocols.smtp.turned import MET_AGAIN, Turn
from worldmail.testing.feeding import Conductor, settle
from worldmail.testing.smtp import SmtpScene

MAIL = b"MAIL FROM:<a@a.test>\r\nRSET\r\n"


class Relay:
    """It speaks on a connection that it turned, at moments of this clock."""

    def __init__(self) -> None:
        self.clock = 1000.0
        self.met: list[float] = []
        scene = SmtpScene()
        self.turn = Turn(
            turned=Turned(relay="relay.test", agent="relay"),
            promise=Deferred,
            pair="relay.test",
            met=lambda: self.met.append(self.clock),
            now=lambda: self.clock,
        )
        session = Session(scene.make_session().entrance.turned(), self.turn)
        self.conductor = Conductor(dialogue=session, peer=scene.make_peer())
        settle(self.conductor.open())

    def say(self, text: bytes, *, after: float = 0.0) -> None:
        """Something, so many seconds later."""
        self.clock += after
        settle(self.conductor.feed(text))


def test_it_is_met_when_it_names_itself_and_not_before() -> None:
    relay = Relay()
    relay.say(b"NOOP\r\n", after=MET_AGAIN)
    assert relay.met == []
    relay.say(b"EHLO relay.test\r\n")
    relay.say(b"NOOP\r\n" + MAIL)
    assert relay.met == [relay.clock]


def test_it_is_met_again_when_it_says_something_after_a_while() -> None:
    relay = Relay()
    relay.say(b"EHLO relay.test\r\n")
    moments = [relay.clock]
    for words in (b"NOOP\r\n", MAIL, b"NOOP\r\n"):
        relay.say(words, after=MET_AGAIN / 2)
        relay.say(words, after=MET_AGAIN / 2)
        moments.append(relay.clock)
    assert relay.met == moments
