"""The process that is a slow link: `python -m worldmail.testing.slow_link_process PORT DELAY RATE BURST`.

Theory of operation. Each direction of the link is a wire that all connections share. It takes in octets no faster
than its rate; the last octet of a piece has left when the wire has been busy with it for its length divided by the
rate, and arrives `delay` later. A wire that was idle may send `burst` octets at once, which is also what keeps the
rate true when this process wakes up late. A connection reads no further ahead than the wire takes, so who sends is
held back as by TCP. Opening takes the three ways of TCP's handshake before the server sees a connection.

What it does not have: the headers of packets, lost packets, and TCP's slow start, so a real link of the same figures
needs a little longer. That one end has gone without a word (a reset) the other end hears at once.

It prints its port, does what lines of JSON at its standard input say, a line of JSON for each, and ends with it.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import struct
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from attrs import define, field

_PACKET = 1460
_MOST_AT_ONCE = 65536
_WINDOW = 65536
"""Octets on their way beyond what rate and delay make: what waits in front of a slow reader."""

_RESET = struct.pack("ii", 1, 0)


@define(eq=False)
class Wire:
    """One direction."""

    rate: float
    burst: int
    arrived: int = 0
    cut_at: int | None = None
    how: str = "rst"
    _free_at: float = 0.0

    @property
    def piece(self) -> int:
        """Octets that are taken in at once: some milliseconds of the wire's time."""
        return min(_MOST_AT_ONCE, max(_PACKET, int(self.rate / 200))) if self.rate else _MOST_AT_ONCE

    def take(self, octets: int, now: float) -> float:
        """When the last of these will have left."""
        if not self.rate:
            return now
        self._free_at = max(self._free_at, now - self.burst / self.rate) + octets / self.rate
        return self._free_at


@define(eq=False)
class Connection:
    """One connection over the link, its sockets, and how its ends are told that it is over."""

    near: socket.socket
    began: float
    far: socket.socket | None = None
    up: int = 0
    down: int = 0
    how: str = "fin"
    task: asyncio.Task[None] | None = None

    def count(self, way: str, octets: int) -> None:
        """So many more have arrived."""
        setattr(self, way, getattr(self, way) + octets)

    def cut(self, how: str) -> None:
        """What carries it comes to its end first: until then the numbers of its sockets are its own."""
        self.how = how
        if self.task is not None:
            self.task.cancel()

    def close(self) -> None:
        """Both ends hear of it."""
        for side in (self.near, self.far):
            if side is None:
                continue
            with suppress(OSError):
                if self.how == "rst":
                    side.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                else:
                    side.shutdown(socket.SHUT_WR)
            side.close()


@define(eq=False)
class Link:
    """The link."""

    target: int
    delay: float
    rate: float
    burst: int
    up: Wire = field(init=False)
    down: Wire = field(init=False)
    connections: int = field(default=0, init=False)
    ended: list[dict[str, float]] = field(factory=list, init=False)
    cuts: int = field(default=0, init=False)
    _open: set[Connection] = field(factory=set, init=False)
    _loop: asyncio.AbstractEventLoop = field(factory=asyncio.get_running_loop, init=False)
    _sounds: asyncio.Event = field(factory=asyncio.Event, init=False)
    _timers: list[asyncio.TimerHandle] = field(factory=list, init=False)

    def __attrs_post_init__(self) -> None:
        self.up, self.down = Wire(self.rate, self.burst), Wire(self.rate, self.burst)
        self._sounds.set()

    # -- what can be asked -----------------------------------------------------------------

    def do(self, asked: dict[str, Any]) -> dict[str, Any]:
        """One request."""
        details = {name: value for name, value in asked.items() if name != "do"}
        answer: dict[str, Any] | None = getattr(self, f"do_{asked['do']}")(**details)
        return answer or {}

    def do_counts(self) -> dict[str, Any]:
        """See `slow_link.Counts`."""
        return {
            "up": self.up.arrived,
            "down": self.down.arrived,
            "connections": self.connections,
            "cuts": self.cuts,
        }

    def do_ended(self) -> dict[str, Any]:
        """See `slow_link.Ended`."""
        ended, self.ended = self.ended, []
        return {"ended": ended}

    def do_cut(self, how: str) -> dict[str, Any]:
        """Cut all."""
        cut = len(self._open)
        for connection in self._open:
            connection.cut(how)
        self._open.clear()
        self.cuts += cut
        return {"cut": cut}

    def do_cut_in(self, seconds: float, how: str) -> None:
        """Cut all, later."""
        self._timers.append(self._loop.call_later(seconds, self.do_cut, how))

    def do_cut_after(self, octets: int, way: str, how: str) -> None:
        """Cut all when so much has arrived."""
        wire: Wire = getattr(self, way)
        wire.cut_at, wire.how = wire.arrived + octets, how

    def do_no_cut(self) -> None:
        """Forget what waits."""
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        self.up.cut_at = self.down.cut_at = None

    def do_silence(self) -> None:
        """Nothing arrives."""
        self._sounds.clear()

    def do_resume(self) -> None:
        """It arrives."""
        self._sounds.set()

    # -- carrying --------------------------------------------------------------------------

    async def accept(self, listener: socket.socket) -> None:
        """For ever."""
        while True:
            near, _ = await self._loop.sock_accept(listener)
            self.connections += 1
            connection = Connection(_ready(near), self._loop.time())
            self._open.add(connection)
            connection.task = asyncio.create_task(self._connect(connection))
            # One that is cut at once never begins, so it cannot clean up behind itself.
            connection.task.add_done_callback(partial(self._over, connection))

    async def _connect(self, connection: Connection) -> None:
        try:
            await asyncio.sleep(3 * self.delay)
            await self._sounds.wait()
            connection.far = far = _ready(socket.socket())
            await self._loop.sock_connect(far, ("127.0.0.1", self.target))
            async with asyncio.TaskGroup() as both:
                both.create_task(self._carry(connection, "up", connection.near, far))
                both.create_task(self._carry(connection, "down", far, connection.near))
        except* OSError:
            connection.how = "rst"

    def _over(self, connection: Connection, task: asyncio.Task[None]) -> None:
        self._open.discard(connection)
        lasted = self._loop.time() - connection.began
        self.ended.append({"up": connection.up, "down": connection.down, "lasted": lasted})
        connection.close()

    async def _carry(self, connection: Connection, way: str, source: socket.socket, sink: socket.socket) -> None:
        """All that the source says, and its end."""
        wire: Wire = getattr(self, way)
        ahead = int(self.rate * self.delay or _MOST_AT_ONCE * 16) + _WINDOW
        on_its_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(2 + ahead // wire.piece)
        async with asyncio.TaskGroup() as both:
            both.create_task(self._arrive(on_its_way, sink, wire, partial(connection.count, way)))
            data = b" "
            while data:
                data = await self._loop.sock_recv(source, wire.piece)
                left = wire.take(len(data), self._loop.time())
                await on_its_way.put((left + self.delay, data))
                await self._sleep_until(left)

    async def _arrive(
        self,
        on_its_way: asyncio.Queue[tuple[float, bytes]],
        sink: socket.socket,
        wire: Wire,
        count: Callable[[int], None],
    ) -> None:
        while True:
            at, data = await on_its_way.get()
            await self._sleep_until(at)
            await self._sounds.wait()
            if not data:
                sink.shutdown(socket.SHUT_WR)
                return
            last = wire.cut_at is not None and wire.arrived + len(data) >= wire.cut_at
            if last and wire.cut_at is not None:
                data = data[: wire.cut_at - wire.arrived]
                wire.cut_at = None
            wire.arrived += len(data)
            count(len(data))
            await self._loop.sock_sendall(sink, data)
            if last:
                self._loop.call_soon(self.do_cut, wire.how)
                await asyncio.sleep(60)

    async def _sleep_until(self, at: float) -> None:
        seconds = at - self._loop.time()
        if seconds > 0:
            await asyncio.sleep(seconds)


def _ready(made: socket.socket) -> socket.socket:
    """Not blocking, with nothing waiting to be sent together, and buffers in which little is lost from sight."""
    made.setblocking(False)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for buffer in (socket.SO_RCVBUF, socket.SO_SNDBUF):
        made.setsockopt(socket.SOL_SOCKET, buffer, _WINDOW)
    return made


async def main(target: int, delay: float, rate: float, burst: int) -> None:
    """Until standard input ends."""
    link = Link(target, delay, rate, burst)
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
        listener.setblocking(False)
        accepting = asyncio.create_task(link.accept(listener))
        _tell({"port": listener.getsockname()[1]})
        while line := await reader.readline():
            _tell(link.do(json.loads(line)))
        accepting.cancel()


def _tell(what: dict[str, Any]) -> None:
    os.write(1, json.dumps(what).encode() + b"\n")


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])))
