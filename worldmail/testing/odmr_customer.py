"""A customer of ODMR as other people's are: it asks, and then carries between the relay and a server of mail.

It knows nothing of mail itself, as fetchmail does not (RFC 2645 §4). What the server announces can be hidden from the
relay, as if it were an older one.
"""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import Collection

from attrs import frozen

_MOST = 65536
_TAKES = 0.3
"""Seconds in which the other way still ends when one has."""


class NotTurned(Exception):
    """The relay answered otherwise than with 250; the text is its reply."""


@frozen(kw_only=True)
class OdmrCustomer:
    """One customer.

    Args:
        account, password: as the relay knows them; they are said inside of TLS.
        server: the port on the loopback to which what comes is carried.
        hidden: words of EHLO that the relay is not to see ("CHUNKING").
    """

    account: str
    password: str
    server: int
    hidden: Collection[str] = ()

    async def fetch(self, relay: int, domains: str = "") -> None:
        """One turn with the relay at this port, until it has closed the connection.

        Raises NotTurned; OSError or asyncio.IncompleteReadError if the connection breaks before the turn.
        """
        reader, writer = await asyncio.open_connection("127.0.0.1", relay)
        try:
            await self._sign_in(reader, writer)
            reply = await _say(reader, writer, f"ATRN {domains}".strip())
            if not reply.startswith(b"250"):
                raise NotTurned(reply.decode("utf-8", "replace").strip())
            await self._serve(reader, writer)
        finally:
            writer.transport.abort()

    async def _sign_in(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _reply(reader)
        await _say(reader, writer, "EHLO site.test")
        if not (await _say(reader, writer, "STARTTLS")).startswith(b"220"):
            raise NotTurned("no TLS")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        await writer.start_tls(context)
        await _say(reader, writer, "EHLO site.test")
        response = base64.b64encode(f"\0{self.account}\0{self.password}".encode()).decode()
        reply = await _say(reader, writer, f"AUTH PLAIN {response}")
        if not reply.startswith(b"235"):
            raise NotTurned(reply.decode("utf-8", "replace").strip())

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry until either side has ended."""
        from_server, to_server = await asyncio.open_connection("127.0.0.1", self.server)
        ways = (
            asyncio.create_task(_carry(reader, to_server)),
            asyncio.create_task(self._carry_replies(from_server, writer)),
        )
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait(ways, timeout=_TAKES)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            to_server.transport.abort()

    async def _carry_replies(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """The greeting and the answer to EHLO (RFC 5321 §4.1.1.1) without what is hidden, and then all else."""
        for _ in range(2):
            lines = [line for line in (await _reply(reader)).splitlines(keepends=True) if not self._is_hidden(line)]
            lines[-1] = lines[-1][:3] + b" " + lines[-1][4:]
            writer.write(b"".join(lines))
        await _carry(reader, writer)

    def _is_hidden(self, line: bytes) -> bool:
        words = line[4:].split()
        return bool(words) and words[0].decode("ascii", "replace").upper() in self.hidden


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(_MOST):
        writer.write(data)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()


async def _say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, line: str) -> bytes:
    writer.write(f"{line}\r\n".encode())
    return await _reply(reader)


async def _reply(reader: asyncio.StreamReader) -> bytes:
    """A whole reply, all of its lines (RFC 5321 §4.2)."""
    lines = [await reader.readuntil(b"\r\n")]
    while lines[-1][3:4] == b"-":
        lines.append(await reader.readuntil(b"\r\n"))
    return b"".join(lines)
