"""The finger server: one question, one answer; a word that a hold names releases it (RFC 1288)."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import Any

import pytest
from attrs import define, field
from zope.interface import implementer
from zope.interface.verify import verifyObject

from worldmail.errors import TemporaryFailure
from worldmail.interfaces.protocol import IDialogue, ISuccessor, Peer
from worldmail.interfaces.releases import CannotRelease, NotAllowed
from worldmail.interfaces.triggers import ITriggers, Released
from worldmail.protocols.finger.grammar import LINE
from worldmail.protocols.finger.guesses import MOST, WINDOW, Guesses
from worldmail.protocols.finger.session import Session, Site
from worldmail.protocols.finger.sessions import Sessions
from worldmail.protocols.finger.settings import FingerSettings
from worldmail.testing.feeding import Conversation, converse, cuts, settle
from worldmail.testing.world import MemoryWorld
from worldmail.wire.ready import Ready

WORD = "open.sesame-1234"
REFUSED = b"Query refused\r\n"


@implementer(ITriggers)
@define
class Words:
    """Releases two holds for one word."""

    fail: Exception | None = None
    asked: list[tuple[str, str, str]] = field(factory=list)

    def finger(self, word: str, client: str, session: str) -> Awaitable[Sequence[Released]]:
        self.asked.append((word, client, session))
        if self.fail is not None:
            raise self.fail
        if word != WORD:
            raise NotAllowed
        return Ready([Released(hold="shop", messages=3), Released(hold="cafe", messages=0)])


@define
class Server:
    """In a world in memory."""

    memory: MemoryWorld = field(factory=MemoryWorld.make)
    words: Words = field(factory=Words)
    settings: FingerSettings = field(factory=FingerSettings)
    guesses: Guesses = field(factory=lambda: Guesses(10))

    @property
    def sessions(self) -> Sessions:
        world = self.memory.replace(triggers=self.words)
        return Sessions(Site(world=world, settings=self.settings, guesses=self.guesses))

    def ask(self, *segments: bytes, host: str = "192.0.2.1", exempt: bool = False) -> Conversation:
        peer = Peer(session="s1", host=host, port=4, local_host="127.0.0.1", local_port=79, exempt=exempt)
        return settle(converse(self.sessions(), segments, peer))


def answer(question: bytes) -> bytes:
    """However it is cut, the answer is the same, and then comes the end."""
    agreed: bytes | None = None
    for way, segments in cuts(question).items():
        conversation = Server().ask(*segments)
        assert conversation.closed == "answered", way
        agreed = conversation.output if agreed is None else agreed
        assert conversation.output == agreed, way
    assert agreed is not None
    return agreed


@pytest.mark.parametrize("form", [b"%s", b"/W %s", b"/w   %s", b"%s /W", b" %s "])
def test_the_word_releases_and_one_line_says_what(form: bytes) -> None:
    said = b"Ok, shop: 3 pending messages started; cafe: no messages waiting\r\n"
    assert answer(form % WORD.encode() + b"\r\n") == said


@pytest.mark.parametrize(
    ("question", "said"),
    [
        (b"", b"Finger online user list denied\r\n"),
        (b"/W", b"Finger online user list denied\r\n"),
        (b"   ", b"Finger online user list denied\r\n"),
        (b"@far.test", b"Finger forwarding service denied\r\n"),
        (WORD.encode() + b"@far.test", b"Finger forwarding service denied\r\n"),
        (b"/W " + WORD.encode() + b"@a.test@b.test", b"Finger forwarding service denied\r\n"),
        (b"root", REFUSED),
        (WORD.encode() + b" x", REFUSED),
        (WORD.upper().encode(), REFUSED),
        (b"\xff\xfe", REFUSED),
        (b"a\0b", REFUSED),
        (b"a\rb", REFUSED),
        (WORD.encode() + b"\n", REFUSED),
        (b"x" * (LINE - 2), REFUSED),
        (b"x" * (LINE - 1), REFUSED),
        (b"x" * 100_000, REFUSED),
    ],
)
def test_all_else_is_denied(question: bytes, said: bytes) -> None:
    assert answer(question + b"\r\n") == said


def test_what_stands_behind_the_question_counts_for_nothing() -> None:
    server = Server()
    assert server.ask(WORD.encode() + b"\r\n" + WORD.encode() + b"\r\nroot\r\n").output.count(b"\r\n") == 1
    assert len(server.words.asked) == 1


def test_a_question_without_an_end_has_no_answer() -> None:
    conversation = Server().ask(WORD.encode())
    assert (conversation.output, conversation.closed) == (b"", None)


def test_a_known_word_that_cannot_be_served_now_is_told_so_and_a_fault_too() -> None:
    for error in (CannotRelease(), TemporaryFailure()):
        said = Server(words=Words(fail=error)).ask(WORD.encode() + b"\r\n").output
        assert b"please try again later\r\n" in said


def test_after_some_wrong_words_every_word_is_wrong_for_a_minute() -> None:
    server = Server()
    for number in range(10):
        assert server.ask(b"guess%d\r\n" % number).output == REFUSED
    assert server.ask(WORD.encode() + b"\r\n").output == REFUSED
    assert len(server.words.asked) == 10
    assert server.ask(WORD.encode() + b"\r\n", host="192.0.2.2").output.startswith(b"Ok")
    assert server.ask(WORD.encode() + b"\r\n", exempt=True).output.startswith(b"Ok")
    events = [fields for event, fields in server.memory.journal.records if event == "finger.refused"]
    assert [fields["reason"] for fields in events] == ["too many wrong words"]
    server.memory.clock.advance(WINDOW + 1)
    assert server.ask(WORD.encode() + b"\r\n").output.startswith(b"Ok")


def test_ipv6_addresses_of_one_network_count_together() -> None:
    server = Server()
    for number in range(10):
        server.ask(b"guess\r\n", host=f"2001:db8::{number:x}")
    assert server.ask(WORD.encode() + b"\r\n", host="2001:db8::ffff:1").output == REFUSED
    assert server.ask(WORD.encode() + b"\r\n", host="2001:db8:0:1::1").output.startswith(b"Ok")


def test_what_is_remembered_of_guesses_is_bounded_and_goes_over_to_the_next_settings() -> None:
    server = Server()
    for number in range(MOST + 10):
        server.guesses.wrong(f"addr{number}", 0.0)
    assert len(server.guesses._wrong) == MOST
    new = Server()
    new.guesses = Guesses(10)
    sessions = new.sessions
    sessions.succeed(server.sessions)
    assert sessions.site.guesses._wrong is server.guesses._wrong
    assert not Guesses(0).too_many("a", 0.0)


def test_a_session_is_a_dialogue_and_says_a_last_word_when_it_must() -> None:
    session: Any = Server().sessions()
    assert isinstance(session, Session)
    assert verifyObject(IDialogue, session)
    assert verifyObject(ISuccessor, Server().sessions)
    assert session.timeout == 30.0
    assert (session.timed_out(), session.secured(session.peer)) == ((), ())
    for last in (session.shutting_down(), session.refused("x")):
        assert last[0].endswith(b"later\r\n")


def test_where_nothing_is_held_every_word_is_wrong() -> None:
    server = Server()
    site = Site(world=server.memory.replace(triggers=None), settings=server.settings, guesses=server.guesses)
    assert settle(converse(Sessions(site)(), [b"word\r\n"])).output == REFUSED
