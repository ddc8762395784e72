"""SMTP sessions that send letters as fast as they are taken, and write down what became of each."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator

from attrs import define, field

from oracle.ledger import Ledger
from oracle.letters import Letter, any_size, make_letter, stuffed
from oracle.site import Site

_PIECE = 64 * 1024
_RETRY = 0.02
_PATIENCE = 60.0


class Disconnected(Exception):
    """The server is gone, or said that it goes."""


@define(kw_only=True)
class Writer:
    """One of the SMTP sessions: connects, sends one to five letters, and again until cancelled."""

    site: Site
    ledger: Ledger
    name: str
    chance: random.Random
    pause: float = 0.0
    _count: int = field(default=0, init=False)
    _reader: asyncio.StreamReader = field(init=False)
    _writer: asyncio.StreamWriter = field(init=False)

    async def run(self) -> None:
        """For ever; the end is cancellation."""
        while True:
            try:
                await self._session()
            except (OSError, Disconnected, asyncio.IncompleteReadError, TimeoutError):
                await asyncio.sleep(_RETRY)

    async def _session(self) -> None:
        self._reader, self._writer = await asyncio.open_connection(self.site.host, self.site.smtp_port)
        try:
            await self._expect(b"220")
            await self._say(b"EHLO load.test\r\n")
            await self._expect(b"250")
            for _ in range(self.chance.randrange(1, 6)):
                await self._send(self._next_letter())
                await asyncio.sleep(self.chance.uniform(0, 2 * self.pause))
            await self._say(b"QUIT\r\n")
            await self._expect(b"221")
        finally:
            self._writer.transport.abort()

    def _next_letter(self) -> Letter:
        self._count += 1
        accounts = tuple(self.chance.sample(self.site.accounts, self.chance.choice((1, 1, 2, 3))))
        token = f"{self.name}-{self._count}"
        letter = make_letter(token, f"{self.name}@load.test", accounts, any_size(self.chance), self.chance)
        self.ledger.written(letter)
        return letter

    async def _send(self, letter: Letter) -> None:
        taken = await self._envelope(letter)
        if not taken:
            return
        if self.chance.random() < 0.2:
            await self._chunks(letter, taken)
        else:
            await self._data(letter, taken)
        code = await self._reply()
        if code == b"250":
            self.ledger.acknowledged(letter, taken)
        else:
            self.ledger.refused(letter, taken)

    async def _envelope(self, letter: Letter) -> list[str]:
        """MAIL and RCPT, pipelined or one by one; the recipients that were taken."""
        commands = [f"MAIL FROM:<{letter.sender}>\r\n".encode()]
        commands += [f"RCPT TO:<{account}>\r\n".encode() for account in letter.recipients]
        if self.chance.random() < 0.5:
            await self._say(b"".join(commands))
            replies = [await self._reply() for _ in commands]
        else:
            replies = [await self._ask(command) for command in commands]
        accepted = replies[0] == b"250"
        taken = [a for a, code in zip(letter.recipients, replies[1:], strict=True) if accepted and code == b"250"]
        self.ledger.refused(letter, set(letter.recipients) - set(taken))
        if not taken:
            await self._ask(b"RSET\r\n")
        return taken

    async def _data(self, letter: Letter, taken: list[str]) -> None:
        await self._say(b"DATA\r\n")
        if await self._reply() != b"354":
            self.ledger.refused(letter, taken)
            raise Disconnected
        for piece in _pieces(stuffed(letter.octets)):
            await self._say(piece)
        self.ledger.offered(letter, taken)
        await self._say(b".\r\n")

    async def _chunks(self, letter: Letter, taken: list[str]) -> None:
        """RFC 3030: in one to three chunks, none waited for but the last."""
        cuts = sorted(self.chance.sample(range(1, len(letter.octets)), self.chance.randrange(0, 3)))
        starts, ends = [0, *cuts], [*cuts, len(letter.octets)]
        for start, end in zip(starts[:-1], ends[:-1], strict=True):
            await self._say(b"BDAT %d\r\n" % (end - start) + letter.octets[start:end])
            if await self._reply() != b"250":
                self.ledger.refused(letter, taken)
                raise Disconnected
        self.ledger.offered(letter, taken)
        await self._say(b"BDAT %d LAST\r\n" % (ends[-1] - starts[-1]) + letter.octets[starts[-1] :])

    async def _ask(self, command: bytes) -> bytes:
        await self._say(command)
        return await self._reply()

    async def _say(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def _reply(self) -> bytes:
        async with asyncio.timeout(_PATIENCE):
            while True:
                line = await self._reader.readuntil(b"\r\n")
                if line[3:4] != b"-":
                    return line[:3]

    async def _expect(self, code: bytes) -> None:
        if await self._reply() != code:
            raise Disconnected


def _pieces(octets: bytes) -> Iterator[bytes]:
    for start in range(0, len(octets), _PIECE):
        yield octets[start : start + _PIECE]
