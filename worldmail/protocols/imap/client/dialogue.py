"""One conversation about a mailbox on another server.

The mailbox is examined, not selected (RFC 9051 §6.3.3), and bodies are peeked at: so nothing changes there until
`close`, which selects it, marks what is to go, and expunges that alone.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from zope.interface import implementer

from worldmail.interfaces.collection import IRemoteDrop, Listed, RemoteLost, RemoteRefused
from worldmail.interfaces.outbound import Hop
from worldmail.interfaces.protocol import IDialogue, Peer
from worldmail.mail.line_ends import LineEnds
from worldmail.protocols.imap.client.channel import Body, Channel, Take
from worldmail.protocols.imap.client.opening import open_session
from worldmail.protocols.imap.client.reader import Text
from worldmail.protocols.imap.client.removal import Mailbox, remove
from worldmail.protocols.imap.client.responses import Response
from worldmail.protocols.imap.grammar.names import write_name
from worldmail.wire.client.asked import AskedDialogue
from worldmail.wire.client.header import HeaderTaker
from worldmail.wire.client.means import Means
from worldmail.wire.client.reader import Garbage

MOST_OF_A_HEADER = 1 << 40

_LOGOUT = b"LOGOUT"


@implementer(IDialogue, IRemoteDrop)
class ClientDialogue(AskedDialogue[Channel]):
    """The client's side of one connection. `ready` says when it can be used.

    Commands go out as they are asked for, some of them before those in front were answered (RFC 9051 §5.5); answers
    are heard in order. A message's number is its UID.
    """

    __slots__ = ("_deleted", "_mailbox", "_there")

    peer: Peer | None

    def __init__(self, hop: Hop, means: Means, mailbox: str) -> None:
        super().__init__(Channel(hop, means))
        self._mailbox = mailbox
        self._there = Mailbox()
        self._deleted: list[int] = []

    # --- what a collector calls ------------------------------------------------------------

    async def messages(self) -> list[Listed]:
        """See `IRemoteDrop.messages`: UIDs, whose UIDVALIDITY makes them names that last (RFC 9051 §2.3.1.1)."""
        found: dict[int, int] = {}

        def take(response: Response) -> None:
            if response.uid is not None:
                found[response.uid] = response.octets

        if self._there.exists:
            await self._command(b"UID FETCH 1:* (UID RFC822.SIZE)", take)
        validity = self._there.uidvalidity
        return [
            Listed(number=uid, octets=octets, unique=f"{validity}.{uid}" if validity else "")
            for uid, octets in sorted(found.items())
        ]

    async def header(self, number: int) -> bytes:
        """See `IRemoteDrop.header`."""
        taker = HeaderTaker()
        await self._fetch(b"BODY.PEEK[HEADER]", Body(uid=number, header=True, take=taker.take, most=MOST_OF_A_HEADER))
        return taker.header()

    def retrieve(self, number: int, most: int, take: Take) -> Awaitable[None]:
        """See `IRemoteDrop.retrieve`."""
        return self._fetch(b"BODY.PEEK[]", Body(uid=number, header=False, take=take, most=most))

    async def delete(self, number: int) -> None:
        """See `IRemoteDrop.delete`: all of it is done by `close`."""
        if self._lost is not None:
            raise self._lost
        self._deleted.append(number)

    async def close(self) -> None:
        """See `IRemoteDrop.close`."""
        try:
            if self._deleted:
                await remove(self._command, self._name(), self._there, self._deleted, self._channel.capabilities)
        except RemoteRefused as refused:
            raise RemoteLost(f"The server did not remove what was fetched: {refused}") from None
        finally:
            await self._log_out()

    # --- courses ---------------------------------------------------------------------------

    async def _enter(self) -> None:
        await open_session(self._channel)
        await self._examine()
        self._channel.timeout = self._channel.means.patience.answer

    async def _examine(self) -> None:
        try:
            await self._channel.ask(b"EXAMINE " + self._name(), self._there.take)
        except RemoteRefused as refused:
            raise self._channel.failed("4.3.5", f"The mailbox cannot be opened: {refused}") from None

    async def _fetch(self, what: bytes, body: Body) -> None:
        """Raises what the taker raised, when all was heard."""
        ends, take = LineEnds(), body.take
        body.take = lambda octets: take(ends.feed(octets))
        await self._command(b"UID FETCH %d (UID %b)" % (body.uid, what), None, body)
        if body.failure is not None:
            raise body.failure
        if not body.seen:
            raise RemoteRefused("the message is gone")
        rest = ends.finish()
        if rest:
            await take(rest)

    async def _log_out(self) -> None:
        self._channel.leaving = True
        self._channel.timeout = self._channel.means.patience.goodbye
        with suppress(RemoteRefused, RemoteLost):  # whatever was to be done has been answered
            await self._command(_LOGOUT)

    # --- turns -------------------------------------------------------------------------------

    def _name(self) -> bytes:
        name = write_name(self._mailbox, utf8=False)
        return b'"' + name.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'

    def _command(
        self, command: bytes, each: Callable[[Response], None] | None = None, body: Body | None = None
    ) -> Awaitable[Any]:
        channel, tag = self._channel, b""

        def say() -> None:
            nonlocal tag
            tag = channel.tag()
            if body is not None:
                channel.bodies.append(body)
            channel.say(tag, command)

        async def hear() -> bytes:
            try:
                return await channel.done(tag, each)
            except RemoteLost as lost:
                channel.drop(str(lost))
                raise
            finally:
                if body is not None:
                    channel.bodies.remove(body)
                if command == _LOGOUT:
                    channel.drop("finished")

        return self._ask(say, hear)

    def _window(self) -> int:
        return self._channel.means.window if self._channel.uid_first else 1

    def _unasked(self, event: object) -> None:
        """A server may tell of changes at any time (RFC 9051 §5.2); only its goodbye means something here."""
        if isinstance(event, Garbage) or (isinstance(event, Text) and Response(event.octets).is_bye):
            self._fail(RemoteLost("The server ended it"))
