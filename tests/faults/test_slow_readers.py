"""IMAP clients that ask for everything and read nothing: bounded memory, nobody waits, and nothing is lost for them."""

from __future__ import annotations

import asyncio
import hashlib
import random
import socket
from pathlib import Path

from oracle.fixtures import MakeServer
from oracle.imap import Imap
from oracle.letters import make_letter
from oracle.trial import ACCOUNTS, PASSWORD, site_of

from worldmail.testing.process import ServerProcess

READERS = 12
MIB = 1 << 20
COMMANDS = b"".join(b"f%d FETCH 1:* (UID FLAGS BODY.PEEK[] BODYSTRUCTURE)\r\n" % number for number in range(20))


def resident(server: ServerProcess) -> int:
    """Octets of memory that the server has."""
    return int(Path(f"/proc/{server.pid}/statm").read_text().split()[1]) * 4096


async def entered(server: ServerProcess) -> Imap:
    client = await Imap.connect(site_of(server))
    await client.enter(ACCOUNTS[0], PASSWORD)
    return client


async def fill(client: Imap, chance: random.Random) -> set[bytes]:
    """500 small messages, and 16 of 2 MB; their digests."""
    sizes = [2000] * 500 + [2 * MIB] * 16
    letters = [make_letter(f"s{n}", "a@load.test", ACCOUNTS[:1], size, chance) for n, size in enumerate(sizes)]
    for start in range(0, len(letters), 100):
        octets = [letter.octets for letter in letters[start : start + 100]]
        await client.ask(b"APPEND INBOX" + b"".join(b" {%d+}\r\n%b" % (len(each), each) for each in octets))
    return {letter.digest for letter in letters}


def greedy(server: ServerProcess) -> socket.socket:
    """One that asks for 700 MB, and takes what fits into a small window."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16_384)
    connection.connect(("127.0.0.1", server.port(143)))
    connection.sendall(b'l LOGIN %b "%b"\r\ns SELECT INBOX\r\n' % (ACCOUNTS[0].encode(), PASSWORD.encode()))
    connection.sendall(COMMANDS)
    return connection


def test_who_asks_for_everything_and_reads_nothing_costs_little_and_keeps_nobody_waiting(
    make_server: MakeServer, seed: int
) -> None:
    server = make_server()
    server.start()

    async def run() -> None:
        client = await entered(server)
        digests = await fill(client, random.Random(seed))
        await client.ask(b"SELECT INBOX")
        await client.ask(b"FETCH 1:* (BODY.PEEK[])")
        before = resident(server)
        readers = [greedy(server) for _ in range(READERS)]
        try:
            for _ in range(10):
                await asyncio.sleep(0.1)
                await client.ask(b"NOOP")
            grown = resident(server) - before
            print(f"{READERS} readers: {grown / MIB:.1f} MiB more")
            assert grown < READERS * 3 * MIB
            everything = await client.ask(b"FETCH 1:* (BODY.PEEK[])")
            found = [octets for response in everything.untagged if (octets := response.after(b"BODY[]"))]
            assert {hashlib.sha256(octets).digest() for octets in found} == digests
        finally:
            for reader in readers:
                reader.close()
        client.drop()

    asyncio.run(run())


def test_who_reads_slowly_gets_everything_as_it_is(make_server: MakeServer, seed: int) -> None:
    server = make_server()
    server.start()

    async def run() -> None:
        client = await entered(server)
        digests = await fill(client, random.Random(seed))
        await client.ask(b"SELECT INBOX")
        tag = await client.say(b"FETCH 1:* (BODY.PEEK[])")
        read = client.reader.readexactly

        async def slowly(count: int) -> bytes:
            await asyncio.sleep(count / MIB / 50)
            return await read(count)

        client.reader.readexactly = slowly  # type: ignore[method-assign]
        answer = await client.answer(tag)
        found = [octets for response in answer.untagged if (octets := response.after(b"BODY[]"))]
        assert {hashlib.sha256(octets).digest() for octets in found} == digests
        client.drop()

    asyncio.run(run())
