"""Compression below a dialogue, over real connections on the loopback, and its bounds."""

from __future__ import annotations

import socket
import zlib
from functools import partial
from typing import Any

import pytest

from worldmail.testing.fakes import CHUNK
from worldmail.testing.meeting import Meets, read_all, read_until
from worldmail.transport.deflate import LAST_BLOCK, PIECE, CorruptDeflate, Deflate
from worldmail.transport.incoming import INPUT_LIMIT


def squeezed(data: bytes, level: int = 9) -> bytes:
    """Raw DEFLATE that the other end can expand at once."""
    compressor = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS)
    return compressor.compress(data) + compressor.flush(zlib.Z_SYNC_FLUSH)


class Squeezed:
    """A client's end of a compressed connection."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.compressor = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
        self.expander = zlib.decompressobj(-zlib.MAX_WBITS)

    def say(self, data: bytes) -> None:
        """Send it compressed."""
        self.connection.sendall(self.compressor.compress(data) + self.compressor.flush(zlib.Z_SYNC_FLUSH))

    def read_until(self, end: bytes) -> bytes:
        """What came, up to and with `end`."""
        data = bytearray()
        while not data.endswith(end):
            piece = self.connection.recv(65536)
            if not piece:
                break
            data += self.expander.decompress(piece)
        return bytes(data)


class CompressionTests(Meets):
    """The effects `Compress` and `Decompress`."""

    def squeezing(self) -> socket.socket:
        """A connection that is compressed from here on. Blocks."""
        connection = self.greeted()
        connection.sendall(b"COMPRESS\r\n")
        assert read_until(connection, b"\r\n") == b"squeezing\r\n"
        return connection

    def test_after_Compress_both_directions_are_raw_DEFLATE(self) -> Any:
        async def test() -> None:
            self.meet()

            def talk() -> list[bytes]:
                client = Squeezed(self.squeezing())
                said = []
                for line in (b"one\r\n", b"two\r\n", b"one\r\n" * 3):
                    client.say(line)
                    said.append(client.read_until(b"ok " + line[:3] + b"\r\n" if line.count(b"\n") == 1 else b""))
                return [*said, client.read_until(b"ok one\r\n" * 3)]

            assert b"".join(await self.client(talk)) == b"ok one\r\nok two\r\n" + b"ok one\r\n" * 3

        return self.run_async(test())

    def test_compressed_input_may_come_octet_by_octet(self) -> Any:
        async def test() -> None:
            self.meet()

            def talk() -> bytes:
                client = Squeezed(self.squeezing())
                for octet in squeezed(b"hello there\r\n"):
                    client.connection.sendall(bytes((octet,)))
                return client.read_until(b"there\r\n")

            assert await self.client(talk) == b"ok hello there\r\n"

        return self.run_async(test())

    def test_a_stream_is_compressed_too_and_the_connection_closes_with_all_of_it_sent(self) -> Any:
        async def test() -> None:
            meeting = self.meet()

            def talk() -> bytes:
                client = Squeezed(self.squeezing())
                client.say(b"STREAM 100\r\nBIG 3\r\nQUIT\r\n")
                return client.read_until(b"bye\r\n")

            assert await self.client(talk) == CHUNK * 100 + b"\r\n" + CHUNK * 3 + b"\r\nbye\r\n"
            await self.until(lambda: meeting.journal.named("connection"))
            assert meeting.journal.named("connection")[0]["octets_out"] < 200_000  # what went over the wire

        return self.run_async(test())

    def test_after_Decompress_nothing_is_compressed_however_the_client_ends_its_stream(self) -> Any:
        async def test() -> None:
            self.meet()

            def talk(octets: bytes, *later: bytes) -> list[bytes]:
                client = Squeezed(self.squeezing())
                client.connection.sendall(octets)
                said = [client.read_until(b"as before\r\n")]
                for piece in (*later, b"in the ", b"clear\r\n"):
                    client.connection.sendall(piece)
                return [*said, read_until(client.connection, b"clear\r\n")]

            line = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
            goes_on = line.compress(b"DECOMPRESS\r\n") + line.flush(zlib.Z_SYNC_FLUSH)
            for way in ((goes_on,), (goes_on + LAST_BLOCK,), (goes_on, LAST_BLOCK[:1], LAST_BLOCK[1:])):
                assert await self.client(partial(talk, *way)) == [b"as before\r\n", b"ok in the clear\r\n"]

        return self.run_async(test())

    def test_what_a_client_sends_behind_the_end_of_its_stream_is_in_the_clear(self) -> Any:
        async def test() -> None:
            self.meet()

            def talk() -> bytes:
                client = Squeezed(self.squeezing())
                octets = client.compressor.compress(b"DECOMPRESS\r\n") + client.compressor.flush()
                client.connection.sendall(octets + b"at once\r\nCOMPRESS\r\n")
                said = client.connection.recv(65536)
                while not said.endswith(b"squeezing\r\n"):
                    said += client.connection.recv(65536)
                again = Squeezed(client.connection)
                again.say(b"again\r\n")
                assert client.expander.decompress(said[: said.index(b"ok at")]) == b"as before\r\n"
                return said[said.index(b"ok at") :] + again.read_until(b"again\r\n")

            assert await self.client(talk) == b"ok at once\r\nsqueezing\r\nok again\r\n"

        return self.run_async(test())

    def test_compressed_input_behind_the_end_of_compression_ends_the_connection(self) -> Any:
        async def test() -> None:
            self.meet()

            def talk() -> bytes:
                client = Squeezed(self.squeezing())
                client.say(b"DECOMPRESS\r\nmore\r\n")
                return read_all(client.connection)

            assert b"more" not in await self.client(talk)

        return self.run_async(test())

    def test_input_behind_the_command_ends_the_connection_unread(self) -> Any:
        async def test() -> None:
            meeting = self.meet()

            def talk() -> bytes:
                connection = self.greeted()
                connection.sendall(b"COMPRESS\r\nplain\r\n")
                return read_all(connection)

            assert b"plain" not in await self.client(talk)
            await self.until(lambda: meeting.dialogues[0].endings)
            assert meeting.dialogues[0].events == [b"COMPRESS"]
            assert meeting.dialogues[0].endings == ["input behind COMPRESS"]

        return self.run_async(test())

    def test_what_is_no_DEFLATE_ends_the_connection(self) -> Any:
        async def test() -> None:
            meeting = self.meet()

            def talk() -> None:
                connection = self.squeezing()
                connection.sendall(b"plain text\r\n" * 10)
                read_all(connection)

            await self.client(talk)
            await self.until(lambda: meeting.dialogues[0].endings)
            assert meeting.dialogues[0].endings == ["corrupt DEFLATE"]

        return self.run_async(test())

    def test_a_bomb_is_expanded_a_piece_at_a_time_and_others_are_served_meanwhile(self) -> Any:
        async def test() -> None:
            meeting = self.meet()
            bomb = squeezed(b"x\r\n" * 7_000_000)  # 21 MB in some 20 KB
            assert len(bomb) < INPUT_LIMIT
            await self.client(self.squeezing)
            bombed = meeting.dialogues[0]
            [connection] = meeting.factory.connections
            other = await self.client(self.greeted)
            other.sendall(b"y\r\n")
            connection.dataReceived(bomb)
            assert await self.client(lambda: read_until(other, b"\r\n")) == b"ok y\r\n"
            assert len(bombed.events) < 7_000_000
            assert bombed.most_buffered <= PIECE + 2

        return self.run_async(test())


def test_a_piece_is_bounded_however_much_it_could_be() -> None:
    deflate = Deflate()
    deflate.receive(squeezed(b"\0" * 50_000_000))
    first = deflate.expand()
    assert len(first) == PIECE
    total = len(first)
    while piece := deflate.expand():
        assert len(piece) <= PIECE
        total += len(piece)
    assert total == 50_000_000
    assert not deflate.pending


def test_a_compressor_of_the_next_turn_goes_on_where_the_last_one_ended() -> None:
    deflate, expander = Deflate(), zlib.decompressobj(-zlib.MAX_WBITS)
    said = b""
    for turn in range(3):
        said += expander.decompress(deflate.compress(b"turn %d of three\r\n" % turn))
        said += expander.decompress(deflate.compress(b"and on\r\n"))
        deflate.rest()
    assert said == b"".join(b"turn %d of three\r\nand on\r\n" % turn for turn in range(3))


def test_a_stream_that_ends_is_noticed() -> None:
    deflate = Deflate()
    compressor = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
    deflate.receive(compressor.compress(b"the last\r\n") + compressor.flush())
    assert deflate.expand() == b"the last\r\n"
    with pytest.raises(CorruptDeflate):
        deflate.expand()
