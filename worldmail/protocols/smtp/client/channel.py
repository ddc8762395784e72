"""What the courses of a conversation say and hear."""

from __future__ import annotations

from worldmail.interfaces.outbound import Fate, Hop, HopFailed, Phase, Reply, Trouble
from worldmail.interfaces.protocol import Peer
from worldmail.protocols.smtp.client.answers import Answer, AnswerReader
from worldmail.protocols.smtp.client.capabilities import Capabilities
from worldmail.protocols.smtp.client.means import Means
from worldmail.wire.client.channel import ClientChannel
from worldmail.wire.client.reader import Garbage
from worldmail.wire.courses import next_event


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


class Channel(ClientChannel):
    """One conversation, as its coroutines see it.

    Attributes:
        capabilities: what the peer offers now.
        phase: what is waited for.
        transactions: how many were begun.
        domains: of all recipients in this session, as keys.
        dirty: a transaction may be open: RSET goes before the next (RFC 5321 §4.1.1.5).
    """

    __slots__ = ("capabilities", "dirty", "domains", "hop", "phase", "transactions")

    LOST = Lost
    FAILED = HopFailed
    GOODBYE = b"QUIT\r\n"

    means: Means
    peer: Peer
    reader: AnswerReader

    def __init__(self, hop: Hop, means: Means) -> None:
        super().__init__(hop.host, means, AnswerReader(), means.patience.greeting)
        self.hop = hop
        self.capabilities = Capabilities()
        self.phase = Phase.CONNECT
        self.transactions = 0
        self.domains: set[str] = set()
        self.dirty = False

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

    def lost(self, status: str, reason: str) -> Lost:
        """See `ClientChannel.lost`."""
        return Lost(reason, status)

    def failed(self, status: str, reason: str) -> HopFailed:
        """See `ClientChannel.failed`."""
        return self.failed_by(Lost(reason, status))

    def failed_by(self, lost: Exception) -> HopFailed:
        """See `ClientChannel.failed_by`."""
        assert isinstance(lost, Lost)
        return HopFailed(
            Trouble(
                fate=Fate.DEFERRED,
                status=lost.status,
                phase=self.phase,
                server=self.server,
                reply=lost.reply,
                reason=lost.reason,
            )
        )


def nonsense(answer: Answer) -> Lost:
    """A reply that is none to what was said."""
    # Its words would stand for the whole of what happened, and "250 ok" says the contrary.
    return Lost(f"The server's reply ({answer.code}) does not fit what it was asked", "4.5.0")
