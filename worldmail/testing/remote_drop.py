"""A mailbox on another server, in memory: what lies there, and what goes wrong with it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred
from zope.interface import implementer

from worldmail.interfaces.collection import IRemoteDrop, IRemoteDrops, Listed, RemoteLost, RemoteRefused
from worldmail.interfaces.outbound import Hop


@implementer(IRemoteDrops)
@define(kw_only=True, eq=False)
class MemoryRemote:
    """The server.

    Args:
        messages: by unique name, in their order.
        nameless: it gives no names; `same` is what it gives to all.
        lost_after: how many things may be asked for in one conversation before it is lost; None for any number.
        refuse: names of messages that it does not give.
        poison: names of messages at which the connection is lost, with all that is under way.
        slow: called for each piece that is given.
        stuck: messages are given when `go_on` is called.
        retrieved: the names of what was asked for, over all conversations; `looked`: those whose header was.
        most: how many were under way at once.
    """

    messages: dict[str, bytes] = field(factory=dict)
    nameless: bool = False
    same: str = ""
    lost_after: int | None = None
    refuse: set[str] = field(factory=set)
    poison: set[str] = field(factory=set)
    slow: Callable[[], None] = lambda: None
    sizes: dict[str, int] = field(factory=dict)
    stuck: bool = False
    close_fails: bool = False
    piece: int = 100_000
    retrieved: list[str] = field(factory=list)
    looked: list[str] = field(factory=list)
    changed: list[str] = field(factory=list)
    most: int = 0
    conversations: int = 0
    waiting: list[Deferred[None]] = field(factory=list)

    async def connect(self, hop: Hop) -> IRemoteDrop:
        """See `IRemoteDrops.connect`."""
        self.conversations += 1
        return MemoryDrop(self)

    def go_on(self) -> None:
        """Give what is stuck."""
        waiting, self.waiting = self.waiting, []
        for one in waiting:
            one.callback(None)


@implementer(IRemoteDrop)
class MemoryDrop:
    """One conversation."""

    server = "pop.b.test[192.0.2.1]:995"

    def __init__(self, remote: MemoryRemote) -> None:
        self._remote = remote
        self._names = list(remote.messages)
        self._marked: set[str] = set()
        self._asked = 0
        self._under_way = 0
        self.aborted = False

    async def messages(self) -> list[Listed]:
        """See `IRemoteDrop.messages`."""
        self._ask()
        remote = self._remote
        return [
            Listed(
                number=at + 1,
                octets=remote.sizes.get(name, len(remote.messages[name])),
                unique="" if remote.nameless else remote.same or name,
            )
            for at, name in enumerate(self._names)
        ]

    async def header(self, number: int) -> bytes:
        """See `IRemoteDrop.header`."""
        self._ask()
        self._remote.slow()
        self._remote.looked.append(self._names[number - 1])
        head, _, _ = self._remote.messages[self._names[number - 1]].partition(b"\r\n\r\n")
        return head + b"\r\n"

    async def retrieve(self, number: int, most: int, take: Callable[[bytes], Awaitable[None]]) -> None:
        """See `IRemoteDrop.retrieve`."""
        self._ask()
        remote, name = self._remote, self._names[number - 1]
        remote.retrieved.append(name)
        self._under_way += 1
        remote.most = max(remote.most, self._under_way)
        try:
            if remote.stuck:
                waiting: Deferred[None] = Deferred()
                remote.waiting.append(waiting)
                await waiting
            self._check()
            if name in remote.poison:
                self.abort()
                self._check()
            if name in remote.refuse:
                raise RemoteRefused("no such message")
            await self._give(remote.messages[name], most, take)
        finally:
            self._under_way -= 1

    async def _give(self, text: bytes, most: int, take: Callable[[bytes], Awaitable[None]]) -> None:
        failure: Exception | None = None
        for at in range(0, len(text), self._remote.piece):
            if at > most:
                self.abort()
                raise RemoteLost("The server sends more than it said there is")
            self._remote.slow()
            if failure is None:
                try:
                    await take(text[at : at + self._remote.piece])
                except Exception as error:  # noqa: BLE001  the taker's
                    failure = error
        if failure is not None:
            raise failure

    async def delete(self, number: int) -> None:
        """See `IRemoteDrop.delete`."""
        self._ask()
        self._marked.add(self._names[number - 1])

    async def close(self) -> None:
        """See `IRemoteDrop.close`."""
        self._ask()
        if self._remote.close_fails:
            raise RemoteLost("The connection was lost")
        for name in sorted(self._marked):
            self._remote.messages.pop(name, None)
            self._remote.changed.append(name)

    def abort(self) -> None:
        """See `IRemoteDrop.abort`."""
        self.aborted = True
        self._remote.go_on()

    def _ask(self) -> None:
        self._asked += 1
        if self._remote.lost_after is not None and self._asked > self._remote.lost_after:
            self.aborted = True
        self._check()

    def _check(self) -> None:
        if self.aborted:
            raise RemoteLost("The connection was lost")


def hop_of(_: Any) -> Awaitable[Hop]:
    """A way to it."""
    done: Deferred[Hop] = Deferred()
    done.callback(Hop(host="pop.b.test", addresses=("192.0.2.1",), port=995, helo="mail.example.test"))
    return done
