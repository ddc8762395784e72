"""What the courses of a conversation about a mailbox say and hear."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from attrs import define

from worldmail.interfaces.collection import RemoteLost, RemoteRefused
from worldmail.interfaces.outbound import Fate, Hop, HopFailed, Phase, Trouble
from worldmail.interfaces.protocol import Peer
from worldmail.protocols.imap.client.reader import Reader, Text
from worldmail.protocols.imap.client.responses import Response, announced
from worldmail.wire.client.asked import AskedChannel
from worldmail.wire.client.means import Means
from worldmail.wire.client.reader import Piece, shown
from worldmail.wire.courses import next_event

MAXIMUM_RESPONSE = 256 * 1024
"""Octets of a response, but for the body of a message."""

MAXIMUM_PARTS = 200
"""Parts of a response between its literals."""

MAXIMUM_RESPONSES = 1_000_000
"""Responses to one command."""

Take = Callable[[bytes], Awaitable[None]]


@define(kw_only=True)
class Body:
    """Takes the octets of one message, or of its header.

    Args:
        uid: of the message; `header`: its header alone.

    Attributes:
        seen: they came.
        failure: what the taker raised; it is given nothing more then.
    """

    uid: int
    header: bool
    take: Take
    most: int
    seen: bool = False
    failure: Exception | None = None

    async def give(self, octets: bytes) -> None:
        """The next ones."""
        if self.failure is not None or not octets:
            return
        try:
            await self.take(octets)
        except RemoteLost:
            raise
        except Exception as error:  # noqa: BLE001  the taker's; the conversation goes on
            self.failure = error


class Channel(AskedChannel):
    """One conversation, as its coroutines see it.

    Attributes:
        capabilities: what the server announced last, in upper case.
        phase: where we are.
        leaving: we have said LOGOUT.
        bodies: who takes what was asked for. A server may answer commands side by side (RFC 9051 §5.5).
        under_way: tags of what was said and is not done; `completed`: how those were done that nobody asked for yet.
        uid_first: this server says whose body comes before it comes. Else they are asked for one by one.
    """

    __slots__ = (
        "_tags",
        "bodies",
        "capabilities",
        "completed",
        "hop",
        "leaving",
        "phase",
        "uid_first",
        "under_way",
    )

    LOST = RemoteLost
    FAILED = HopFailed

    peer: Peer
    reader: Reader

    def __init__(self, hop: Hop, means: Means) -> None:
        super().__init__(hop.host, means, Reader(), means.patience.opening)
        self.hop = hop
        self.capabilities: frozenset[str] = frozenset()
        self.phase = Phase.GREETING
        self.leaving = False
        self.bodies: list[Body] = []
        self.under_way: set[bytes] = set()
        self.completed: dict[bytes, tuple[bool, bytes]] = {}
        self.uid_first = False
        self._tags = 0

    def tag(self) -> bytes:
        """A tag that was not used before."""
        self._tags += 1
        return b"a%d" % self._tags

    async def response(self) -> Response:
        """The next response; the octets of messages go to `bodies`. Raises `RemoteLost`."""
        parts: list[bytes] = []
        size, taken = 0, None
        while True:
            said = self.reader.take() or await next_event()
            if not isinstance(said, Text):
                raise RemoteLost("The server says what is no answer of its protocol")
            parts.append(said.octets)
            size += len(said.octets)
            if said.literal is None:
                break
            body = self._body(b"".join(parts))
            size += said.literal if body is None else 0
            if size > MAXIMUM_RESPONSE or len(parts) > MAXIMUM_PARTS:
                raise RemoteLost("The server says more than can be taken")
            await self._literal(said.literal, body)
            parts.append(b"~" if body is None else b"")
            taken = body or taken
        response = Response(b"".join(parts))
        if response.is_bye and not self.leaving:
            raise RemoteLost(f"The server ended it: {shown(response.text[5:])}")
        if taken is not None and response.uid != taken.uid:
            raise RemoteLost("The server sends another message than it was asked for")
        await self._quoted(response)
        return response

    async def done(self, tag: bytes, each: Callable[[Response], None] | None = None) -> bytes:
        """The words with which a command was done. Raises `RemoteRefused`, `RemoteLost`.

        Args:
            each: is given the untagged responses before.
        """
        for _ in range(MAXIMUM_RESPONSES):
            if tag in self.completed:
                break
            response = await self.response()
            if response.is_untagged:
                if each is not None:
                    each(response)
                continue
            self._complete(response)
        self.under_way.discard(tag)
        good, words = self.completed.pop(tag, (None, b""))
        if good is None:
            raise RemoteLost("The server says more than can be taken")
        if not good:
            raise RemoteRefused(shown(words) or "no reason was given")
        return words

    def say(self, tag: bytes, command: bytes) -> None:
        """Say a command."""
        self.under_way.add(tag)
        self.put(tag + b" " + command + b"\r\n")

    async def ask(self, command: bytes, each: Callable[[Response], None] | None = None) -> bytes:
        """Say this under a tag of its own, and how it was done. Raises `RemoteRefused`, `RemoteLost`."""
        tag = self.tag()
        self.say(tag, command)
        return await self.done(tag, each)

    def failed(self, status: str, reason: str) -> HopFailed:
        """See `ClientChannel.failed`."""
        return HopFailed(
            Trouble(fate=Fate.DEFERRED, status=status, phase=self.phase, server=self.server, reason=reason)
        )

    def _complete(self, response: Response) -> None:
        for tag in self.under_way - self.completed.keys():
            completed = response.tagged(tag)
            if completed is not None:
                self.completed[tag] = completed
                return
        raise RemoteLost("The server's answer does not fit what it was asked")

    def _body(self, text: bytes) -> Body | None:
        """Who takes the literal behind this text; None if nobody does. Raises `RemoteLost`."""
        found = announced(text)
        if found is None:
            return None
        uid, header = found
        self.uid_first = self.uid_first or uid is not None
        fitting = [body for body in self.bodies if body.header is header and uid in (None, body.uid)]
        if len(fitting) != 1 or fitting[0].seen:
            raise RemoteLost("The server sends a message that it was not asked for")
        return fitting[0]

    async def _quoted(self, response: Response) -> None:
        """A body that came as a quoted string."""
        found = response.quoted_body if self.bodies else None
        if found is None:
            return
        header, octets = found
        for body in self.bodies:
            if (body.uid, body.header, body.seen) == (response.uid, header, False):
                body.seen = True
                await body.give(octets)

    async def _literal(self, octets: int, body: Body | None) -> None:
        if body is not None:
            body.seen = True
            if octets > body.most:
                raise RemoteLost("The server sends more than it said there is")
        finished = False
        while not finished:
            said = self.reader.take() or await next_event()
            assert isinstance(said, Piece)
            piece, finished = said
            if body is not None:
                await body.give(piece)
