"""One finger session (RFC 1288), without I/O: one question, one answer, the end.

It is there for a word that releases a hold, and for nothing else: there is no list of users, nobody is told of, and no
question is passed on. Whatever is wrong with a word has one answer.
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import define, frozen
from zope.interface import implementer

from worldmail.errors import Refusal
from worldmail.interfaces.protocol import IDialogue, Peer
from worldmail.interfaces.releases import NotAllowed
from worldmail.interfaces.triggers import Released
from worldmail.interfaces.world import World
from worldmail.protocols.finger.grammar import Kind, Question, parse_question
from worldmail.protocols.finger.guesses import Guesses
from worldmail.protocols.finger.settings import FingerSettings
from worldmail.wire.effects import Close, Effects
from worldmail.wire.faults import Fault
from worldmail.wire.lines import LineBuffer

NOTHING_KNOWN = "Query refused"
DENIED = {
    Kind.LIST: "Finger online user list denied",  # RFC 1288 §2.5.1, §3.2.2
    Kind.FORWARD: "Finger forwarding service denied",  # RFC 1288 §3.2.1
}


@frozen(kw_only=True)
class Site:
    """What all sessions of a listener share."""

    world: World
    settings: FingerSettings
    guesses: Guesses


@implementer(IDialogue)
@define(kw_only=True, eq=False)
class Session:
    """One connection's dialogue."""

    site: Site
    lines: LineBuffer
    peer: Peer
    _asked: bool = False

    minimum_rate = 0

    @property
    def timeout(self) -> float:
        """Seconds for the question."""
        return self.site.settings.timeout

    def opened(self, peer: Peer) -> Effects:
        """The client speaks first (§2.2)."""
        self.peer = peer
        return ()

    def receive(self, data: bytes) -> None:
        """Take bytes; what comes behind the question counts for nothing."""
        if not self._asked:
            self.lines.append(data)

    def buffered(self) -> int:
        """How many of them nothing has been made of yet."""
        return self.lines.buffered

    def next_event(self) -> bytes | Fault | None:
        """The question."""
        return None if self._asked else self.lines.take()

    async def handle(self, event: object) -> Effects:
        """Answer it."""
        self._asked = True
        self.lines.clear()
        if not isinstance(event, bytes):
            assert isinstance(event, Fault)
            return self._refuse(NOTHING_KNOWN, event.value)
        question = parse_question(event)
        if question.kind is not Kind.WORD:
            return self._refuse(DENIED[question.kind], question.kind.value)
        return await self._release(question)

    async def _release(self, question: Question) -> Effects:
        site, peer = self.site, self.peer
        now = site.world.clock.seconds()
        if not peer.exempt and site.guesses.too_many(peer.host, now):
            return self._refuse(NOTHING_KNOWN, "too many wrong words")
        if site.world.triggers is None:
            return self._refuse(NOTHING_KNOWN, "nothing is held here")
        try:
            return _said(_words(await site.world.triggers.finger(question.word, peer.host, peer.session)))
        except NotAllowed:
            site.guesses.wrong(peer.host, now)
            return _said(NOTHING_KNOWN)
        except Refusal as refusal:
            return _said(f"{refusal.reply_text}, please try again later" if refusal.temporary else NOTHING_KNOWN)

    def _refuse(self, words: str, reason: str) -> Effects:
        self.site.world.journal.record(
            "finger.refused", session=self.peer.session, client=self.peer.host, reason=reason
        )
        return _said(words)

    def secured(self, peer: Peer) -> Effects:
        """There is no TLS."""
        return ()

    def timed_out(self) -> Effects:
        """Nothing is said."""
        return ()

    def shutting_down(self) -> Effects:
        """The server stops."""
        return (b"The server is shutting down, please try again later\r\n",)

    def refused(self, reason: str) -> Effects:
        """One connection too many."""
        return (b"Too many connections, please try again later\r\n",)

    def closed(self, reason: str) -> None:
        """The connection is gone; what was released is released."""


def _said(words: str) -> Effects:
    return (words.encode("ascii", "replace") + b"\r\n", Close("answered"))


def _words(released: Sequence[Released]) -> str:
    return "Ok, " + "; ".join(f"{each.hold}: {_messages(each.messages)}" for each in released)


def _messages(number: int) -> str:
    if not number:
        return "no messages waiting"
    return f"{number} pending message{'' if number == 1 else 's'} started"
