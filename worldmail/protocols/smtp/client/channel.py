"""What the coroutines of a conversation say and hear.

A coroutine that awaits an answer which is not there yet yields `NEXT` to whoever drives it; everything else
that it yields is a Deferred, to be waited for as it is.
"""

from __future__ import annotations

import types
from collections.abc import Generator
from typing import Any

from worldmail.interfaces.outbound import Hop, Phase, Reply
from worldmail.interfaces.protocol import Peer
from worldmail.protocols.smtp.client.answers import Answer, AnswerReader, Garbage
from worldmail.protocols.smtp.client.capabilities import Capabilities
from worldmail.protocols.smtp.client.means import Means
from worldmail.wire.effects import Close, Effect, Effects, StartTls

NEXT = object()
SECURED = object()


class Lost(Exception):
    """The conversation is over, in the midst of `phase`.

    Args:
        reason: in a sentence why (ASCII).
        status: a code of RFC 3463, of class 4.
        reply: what the peer said last, if that was it.
        definite: the peer said that it gives up, and with that what was under way.
    """

    def __init__(
        self, reason: str, status: str = "4.4.2", reply: Reply | None = None, *, definite: bool = False
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status
        self.reply = reply
        self.definite = definite


class Channel:
    """One conversation, as its coroutines see it.

    Attributes:
        peer: the connection, once it is there.
        server: the peer as the trace names it.
        capabilities: what it offers now.
        effects: what is to be done next.
        phase: what is waited for.
        timeout: seconds the peer has for that.
        transactions: how many were begun.
        domains: of all recipients in this session, as keys.
        dirty: a transaction may be open: RSET goes before the next (RFC 5321 §4.1.1.5).
        over: nothing can be said any more.
    """

    __slots__ = (
        "capabilities",
        "dirty",
        "domains",
        "effects",
        "hop",
        "means",
        "over",
        "peer",
        "phase",
        "reader",
        "server",
        "timeout",
        "transactions",
    )

    peer: Peer

    def __init__(self, hop: Hop, means: Means) -> None:
        self.hop = hop
        self.means = means
        self.server = hop.host
        self.reader = AnswerReader()
        self.capabilities = Capabilities()
        self.effects: list[Effect] = []
        self.phase = Phase.CONNECT
        self.timeout = means.patience.greeting
        self.transactions = 0
        self.domains: set[str] = set()
        self.dirty = self.over = False

    def meet(self, peer: Peer) -> None:
        """The connection is there."""
        hop, self.peer = self.hop, peer
        name = "" if hop.host.strip("[]") == peer.host else hop.host
        self.server = f"{name}[{peer.host}]:{peer.port}"

    def taken(self) -> Effects:
        """What is to be done, given away."""
        effects, self.effects = self.effects, []
        return effects

    def put(self, *effects: Effect) -> None:
        """Have this done, in order, behind what was put before."""
        self.effects += effects

    async def answer(self, phase: Phase, seconds: float) -> Answer:
        """The peer's next reply.

        Raises: Lost, if none comes, if it is 421 (RFC 5321 §3.8), or if it is no reply at all.
        """
        self.phase = phase
        self.timeout = seconds
        said = self.reader.take() or await next_event()
        if isinstance(said, Garbage):
            raise Lost("The server says what is no reply of its protocol", "4.5.0")
        assert isinstance(said, Answer)
        if said.code == 421:
            reply = said.as_reply()
            raise Lost("The server ends the conversation", reply.enhanced or "4.3.2", reply, definite=True)
        return said

    async def ask(self, command: bytes, phase: Phase, seconds: float) -> Answer:
        """Say this and await the answer."""
        self.put(command)
        return await self.answer(phase, seconds)

    async def secure(self) -> None:
        """Start TLS. Raises Lost."""
        self.phase = Phase.TLS
        if self.reader.buffered():
            raise Lost("The server said something in the clear behind its consent to TLS", "4.7.0")  # RFC 3207 §6
        self.put(StartTls())
        said = await next_event()
        assert said is SECURED

    def drop(self, reason: str) -> None:
        """Nothing more is said; the connection closes."""
        if not self.over:
            self.over = True
            self.put(Close(reason))


@types.coroutine
def next_event() -> Generator[Any, Any, Any]:
    """What happens next."""
    return (yield NEXT)


def nonsense(answer: Answer) -> Lost:
    """A reply that is none to what was said."""
    return Lost("The server's reply does not fit what it was asked", "4.5.0", answer.as_reply())
