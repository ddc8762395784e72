"""A small POP3 client: bounded waits, octets as they are."""

from __future__ import annotations

import asyncio

from attrs import define

from oracle.site import Site

_PATIENCE = 60.0
_LONGEST_LINE = 1 << 20


class Refused(Exception):
    """-ERR; the text is the reply."""


@define
class Pop3:
    """One connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @classmethod
    async def connect(cls, site: Site) -> Pop3:
        """Connect and read the greeting."""
        reader, writer = await asyncio.open_connection(site.host, site.pop3_port, limit=_LONGEST_LINE)
        client = cls(reader, writer)
        try:
            await client.reply()
        except BaseException:
            client.drop()
            raise
        return client

    async def login(self, account: str, password: str) -> None:
        """USER, PASS. Raises `Refused`."""
        await self.ask(f"USER {account}")
        await self.ask(f"PASS {password}")

    async def ask(self, command: str) -> bytes:
        """One command with a one-line reply."""
        await self.say(command)
        return await self.reply()

    async def say(self, command: str) -> None:
        """Send it."""
        self.writer.write(command.encode() + b"\r\n")
        await self.writer.drain()

    async def reply(self) -> bytes:
        """The rest of a +OK line. Raises `Refused`."""
        async with asyncio.timeout(_PATIENCE):
            line = await self.reader.readuntil(b"\r\n")
        if not line.startswith(b"+OK"):
            raise Refused(line.decode("latin-1"))
        return line[4:-2]

    async def lines(self, command: str) -> bytes:
        """One command with a reply of many lines, dot-unstuffed, each with its CRLF."""
        await self.ask(command)
        got = []
        async with asyncio.timeout(_PATIENCE):
            while (line := await self.reader.readuntil(b"\r\n")) != b".\r\n":
                got.append(line[1:] if line.startswith(b".") else line)
        return b"".join(got)

    async def uids(self) -> dict[int, str]:
        """Message numbers with their unique ids."""
        listing = (await self.lines("UIDL")).decode("latin-1").split("\r\n")[:-1]
        return {int(number): uid for number, uid in (line.split(" ", 1) for line in listing)}

    def drop(self) -> None:
        """Reset the connection without a word."""
        self.writer.transport.abort()
