"""Feeds a dialogue the same bytes in several ways: how they were cut must not change what it says.

`settle` runs a coroutine whose awaits are all there already (`Ready`, fired Deferreds);
`converse` is the same conversation for those that wait (run it with `Deferred.fromCoroutine`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, TypeVar

from attrs import define, field

from worldmail.interfaces.protocol import IDialogue, Peer
from worldmail.wire.effects import Become, Close, Effects, Later, StartTls, Stream

T = TypeVar("T")


def settle(awaitable: Awaitable[T]) -> T:
    """The result of something that does not really wait.

    Raises: what it raises; AssertionError if it waits after all.
    """
    steps = awaitable.__await__()
    try:
        waited = next(steps)
    except StopIteration as stop:
        result: T = stop.value
        return result
    raise AssertionError(f"this waits for {waited!r}")


@define(kw_only=True)
class Conversation:
    """What came of a conversation.

    Args:
        output: all that the dialogue sent, streams included.
        closed: the reason it gave in `Close`; "input behind STARTTLS" where a driver would
            have aborted; None while it is open.
        secured: how often TLS was started.
        became: the connection was handed over to another dialogue.
        later: calls that it asked for, which nobody makes but a test.
    """

    output: bytes = b""
    closed: str | None = None
    secured: int = 0
    became: bool = False
    later: list[Later] = field(factory=list)


@define(kw_only=True)
class Conductor:
    """Carries one dialogue's effects out as the driver does, without sockets."""

    dialogue: Any
    peer: Peer
    held: Conversation = field(factory=Conversation)

    async def open(self) -> None:
        """Let it greet."""
        await self.carry_out(self.dialogue.opened(self.peer))

    async def feed(self, data: bytes) -> None:
        """Give it bytes and let it act on every event in them."""
        if self.held.closed is not None:
            return
        self.dialogue.receive(data)
        while self.held.closed is None and (event := self.dialogue.next_event()) is not None:
            await self.carry_out(await self.dialogue.handle(event))

    async def carry_out(self, effects: Effects) -> None:
        """Do what it asks for."""
        for effect in effects:
            if isinstance(effect, bytes):
                self.held.output += effect
            elif isinstance(effect, Stream):
                async for chunk in effect.chunks:
                    self.held.output += chunk
            elif isinstance(effect, Become):
                self.held.became, self.held.closed = True, "exchanged"
            elif isinstance(effect, StartTls):
                await self._secure()
            elif isinstance(effect, Later):
                self.held.later.append(effect)
            elif isinstance(effect, Close):
                self.held.closed = effect.reason
            if self.held.closed is not None:
                return

    async def _secure(self) -> None:
        if self.dialogue.buffered():
            self.held.closed = "input behind STARTTLS"
            return
        self.held.secured += 1
        await self.carry_out(self.dialogue.secured(self.peer))


def loopback_peer() -> Peer:
    """A peer on the loopback."""
    return Peer(session="s1", host="127.0.0.1", port=40000, local_host="127.0.0.1", local_port=2025)


async def converse(dialogue: IDialogue, segments: Iterable[bytes], peer: Peer | None = None) -> Conversation:
    """Open the dialogue, feed it these segments, tell it that the connection is gone."""
    conductor = Conductor(dialogue=dialogue, peer=peer or loopback_peer())
    await conductor.open()
    for segment in segments:
        await conductor.feed(segment)
    dialogue.closed(conductor.held.closed or "peer closed")
    return conductor.held


def cuts(client_bytes: bytes) -> dict[str, Sequence[bytes]]:
    """The same bytes whole, octet by octet, line by line, and with the next command's first octet glued on."""
    pieces = client_bytes.split(b"\r\n")
    lines = [piece + b"\r\n" for piece in pieces[:-1]] + [piece for piece in pieces[-1:] if piece]
    firsts = [line[:1] for line in lines[1:]] + [b""]
    glued = [line[bool(number) :] + first for number, (line, first) in enumerate(zip(lines, firsts, strict=False))]
    return {
        "whole": [client_bytes],
        "octet by octet": [client_bytes[i : i + 1] for i in range(len(client_bytes))],
        "line by line": lines,
        "next command glued on": [segment for segment in glued if segment],
    }


async def feed_in_all_ways(make_dialogue: Callable[[], IDialogue], client_bytes: bytes) -> Conversation:
    """Converse once for each of `cuts`, each time with a new dialogue; what all of them agree on.

    Raises: AssertionError naming the way that differs from the whole.
    """
    agreed: Conversation | None = None
    for way, segments in cuts(client_bytes).items():
        conversation = await converse(make_dialogue(), segments)
        if agreed is None:
            agreed = conversation
        assert conversation == agreed, f"fed {way}: {conversation!r}, but whole: {agreed!r}"
    assert agreed is not None
    return agreed


def feed_three_ways(make_dialogue: Callable[[], IDialogue], client_bytes: bytes) -> Conversation:
    """`feed_in_all_ways` for a dialogue whose awaits are all there already."""
    return settle(feed_in_all_ways(make_dialogue, client_bytes))
