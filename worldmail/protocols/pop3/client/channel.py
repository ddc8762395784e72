"""What the courses of a conversation about a mailbox say and hear."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from attrs import field, frozen

from worldmail.interfaces.collection import RemoteLost, RemoteRefused
from worldmail.interfaces.outbound import Fate, Hop, HopFailed, Phase, Trouble
from worldmail.interfaces.protocol import Peer
from worldmail.protocols.pop3.client.capabilities import Capabilities
from worldmail.protocols.pop3.client.reader import Reader, Status
from worldmail.wire.client import means as shared
from worldmail.wire.client.asked import AskedChannel
from worldmail.wire.client.reader import Piece, shown
from worldmail.wire.courses import next_event

MAXIMUM_LIST = 32 << 20
"""Octets of the answer to LIST or UIDL: some hundred thousand messages."""

Take = Callable[[bytes], Awaitable[None]]


@frozen(kw_only=True)
class Patience(shared.Patience):
    """Seconds the server may take (RFC 1939 §3 has it wait ten minutes for us)."""

    goodbye: float = 30.0


@frozen(kw_only=True)
class Means(shared.Means):
    """What all conversations share."""

    patience: shared.Patience = field(factory=Patience)


class Channel(AskedChannel):
    """One conversation, as its coroutines see it.

    Attributes:
        timestamp: of the greeting, for APOP (RFC 1939 §7); b"" if it has none.
        phase: where we are.
    """

    __slots__ = ("capabilities", "hop", "phase", "timestamp")

    LOST = RemoteLost
    FAILED = HopFailed
    GOODBYE = b"QUIT\r\n"

    peer: Peer
    reader: Reader

    def __init__(self, hop: Hop, means: Means) -> None:
        super().__init__(hop.host, means, Reader(), means.patience.opening)
        self.hop = hop
        self.capabilities = Capabilities()
        self.timestamp = b""
        self.phase = Phase.GREETING

    async def status(self) -> Status:
        """The next status line, good or not. Raises `RemoteLost`."""
        said = self.reader.take() or await next_event()
        if not isinstance(said, Status):
            raise RemoteLost("The server says what is no answer of its protocol")
        return said

    async def good(self) -> bytes:
        """What stands behind "+OK". Raises `RemoteRefused`, `RemoteLost`."""
        status = await self.status()
        if status.challenge:
            raise RemoteLost("The server's answer does not fit what it was asked")
        if not status.good:
            raise RemoteRefused(shown(status.text) or "no reason was given")
        return status.text

    async def ask(self, command: bytes) -> bytes:
        """Say this, and what stands behind "+OK". Raises `RemoteRefused`, `RemoteLost`."""
        self.put(command + b"\r\n")
        return await self.good()

    async def text(self, take: Take, most: int) -> None:
        """A text, behind a good status, piece by piece; what `take` raises comes when all was read.

        Raises: `RemoteLost`, also if it is of more than `most` octets.
        """
        self.reader.expect_text()
        failure: Exception | None = None
        seen, finished = 0, False
        while not finished:
            said = self.reader.take() or await next_event()
            assert isinstance(said, Piece)
            octets, finished = said
            seen += len(octets)
            if seen > most:
                raise RemoteLost("The server sends more than it said there is")
            if failure is None and octets:
                try:
                    await take(octets)
                except RemoteLost:
                    raise
                except Exception as error:  # noqa: BLE001  the taker's; the conversation goes on
                    failure = error
        if failure is not None:
            raise failure

    async def lines(self) -> list[bytes]:
        """A good status and the lines of the text behind it. Raises `RemoteRefused`, `RemoteLost`."""
        await self.good()
        pieces: list[bytes] = []

        async def take(octets: bytes) -> None:
            pieces.append(octets)

        await self.text(take, MAXIMUM_LIST)
        return b"".join(pieces).split(b"\r\n")[:-1]

    def failed(self, status: str, reason: str) -> HopFailed:
        """See `ClientChannel.failed`."""
        return HopFailed(
            Trouble(fate=Fate.DEFERRED, status=status, phase=self.phase, server=self.server, reason=reason)
        )
