"""One conversation about a mailbox on another server."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from functools import partial
from typing import Any

from zope.interface import implementer

from worldmail.interfaces.collection import IRemoteDrop, Listed, RemoteLost, RemoteRefused
from worldmail.interfaces.outbound import Hop
from worldmail.interfaces.protocol import IDialogue, Peer
from worldmail.protocols.pop3.client.channel import Channel, Means, Take
from worldmail.protocols.pop3.client.opening import open_drop
from worldmail.wire.client.asked import AskedDialogue
from worldmail.wire.client.header import MAXIMUM_HEADER, HeaderTaker


@implementer(IDialogue, IRemoteDrop)
class ClientDialogue(AskedDialogue[Channel]):
    """The client's side of one connection. `ready` says when it can be used.

    Commands go out as they are asked for, some of them before the answers to those in front came, if the server can
    have that (RFC 2449 §6.6); answers are heard in order.
    """

    __slots__ = ()

    peer: Peer | None

    def __init__(self, hop: Hop, means: Means) -> None:
        super().__init__(Channel(hop, means))

    # --- what a collector calls ------------------------------------------------------------

    async def messages(self) -> list[Listed]:
        """See `IRemoteDrop.messages`: LIST and UIDL (RFC 1939 §5, §7)."""
        sizes = await self._command(b"LIST\r\n", self._channel.lines)
        names: list[bytes] = []
        with suppress(RemoteRefused):
            names = await self._command(b"UIDL\r\n", self._channel.lines)
        listed: list[Listed] = await self._channel.means.aside(partial(_listed, sizes, names))
        return listed

    async def header(self, number: int) -> bytes:
        """See `IRemoteDrop.header`: TOP (RFC 1939 §7); where there is none, RETR."""
        taker = HeaderTaker()
        try:
            await self._command(b"TOP %d 0\r\n" % number, lambda: self._text(taker.take, 2 * MAXIMUM_HEADER))
        except RemoteRefused:
            await self._command(b"RETR %d\r\n" % number, lambda: self._text(taker.take, 1 << 40))
        return taker.header()

    def retrieve(self, number: int, most: int, take: Take) -> Awaitable[None]:
        """See `IRemoteDrop.retrieve`."""
        return self._command(b"RETR %d\r\n" % number, lambda: self._text(take, most))

    def delete(self, number: int) -> Awaitable[None]:
        """See `IRemoteDrop.delete`."""
        return self._command(b"DELE %d\r\n" % number, self._channel.good)

    async def close(self) -> None:
        """See `IRemoteDrop.close`: QUIT, behind which the server removes what was deleted (RFC 1939 §6)."""
        try:
            await self._command(self._channel.GOODBYE, self._goodbye)
        except RemoteRefused as refused:  # "some deleted messages not removed"
            raise RemoteLost(f"The server could not remove all: {refused}") from None

    # --- courses ---------------------------------------------------------------------------

    async def _enter(self) -> None:
        await open_drop(self._channel)
        self._channel.timeout = self._channel.means.patience.answer

    async def _text(self, take: Take, most: int) -> None:
        await self._channel.good()
        await self._channel.text(take, most)

    async def _goodbye(self) -> None:
        channel = self._channel
        channel.timeout = channel.means.patience.goodbye
        try:
            await channel.good()
        finally:
            channel.drop("finished")

    # --- turns -------------------------------------------------------------------------------

    def _command(self, command: bytes, hear: Callable[[], Coroutine[Any, Any, Any]]) -> Awaitable[Any]:
        return self._ask(partial(self._channel.put, command), hear)

    def _window(self) -> int:
        return self._channel.means.window if self._channel.capabilities.pipelining else 1


def _numbered(lines: list[bytes]) -> dict[int, str]:
    """Lines of a number and a word; others say nothing."""
    found: dict[int, str] = {}
    for line in lines:
        number, _, rest = line.partition(b" ")
        words = rest.split()
        if len(number) < 10 and number.isdigit() and words:
            found[int(number)] = words[0].decode("latin-1")  # other octets, another name
    return found


def _listed(list_: list[bytes], uidl: list[bytes]) -> list[Listed]:
    names = _numbered(uidl)
    return [
        Listed(number=number, octets=_size(size), unique=names.get(number, ""))
        for number, size in sorted(_numbered(list_).items())
    ]


def _size(word: str) -> int:
    """What a server says of a size; 0 if that is nonsense."""
    return int(word) if word.isdecimal() and len(word) < 19 else 0
