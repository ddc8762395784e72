"""Dialogues on connections that we open, over real sockets on the loopback."""

from __future__ import annotations

import socket
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from twisted.internet.threads import deferToThread

from worldmail.interfaces.outbound import HopFailed
from worldmail.testing.calling import Calls, PlainClient
from worldmail.testing.fakes import CHUNK, PlainDialogue
from worldmail.testing.meeting import read_until
from worldmail.transport.client_tls import ClientTls
from worldmail.transport.connecting import Connector
from worldmail.transport.sockets import EagerClient
from worldmail.wire.effects import Become, Stream


class RunningTests(Calls):
    """A dialogue on the connection."""

    async def served(self, **changes: Any) -> tuple[Any, socket.socket]:
        """A dialogue, and the other end."""
        self.connecting()
        listening = self.listening()
        dialogue = await self.call(**changes)
        connection: socket.socket = (await self.client(listening.accept))[0]
        connection.settimeout(60)
        self.addCleanup(connection.close)
        return dialogue, connection

    def test_it_sends_at_once_and_small_pieces_do_not_wait(self) -> Any:
        async def test() -> None:
            dialogue, _ = await self.served()
            [driven] = self.connector.connections
            assert isinstance(driven.transport, EagerClient)
            assert driven.transport.getTcpNoDelay()
            assert driven.transport.getTcpKeepAlive()
            assert "EagerClient" in repr(driven.transport)
            assert dialogue.endings == []

        return self.run_async(test())

    def test_ten_thousand_small_things_arrive_in_their_order(self) -> Any:
        async def test() -> None:
            dialogue, connection = await self.served()
            count = 10_000

            def read() -> bytes:
                return read_until(connection, b"\r\nend\r\n")

            reading = deferToThread(read)
            for number in range(count):
                dialogue.say(b"%d\r\n" % number)
            dialogue.say(b"end\r\n")
            assert await reading == b"".join(b"%d\r\n" % number for number in range(count)) + b"end\r\n"

            def answer() -> None:
                for number in range(count):
                    connection.sendall(b"%d\r\n" % number)

            await self.client(answer)
            await self.until(lambda: len(dialogue.heard) == count)
            assert dialogue.heard == [b"%d" % number for number in range(count)]

        return self.run_async(test())

    def test_a_server_that_does_not_read_is_written_to_no_more_and_cut_off(self) -> Any:
        async def test() -> None:
            dialogue, _ = await self.served()
            taken = 0

            async def chunks() -> AsyncIterator[bytes]:
                nonlocal taken
                for _ in range(100_000):
                    taken += 1
                    yield CHUNK

            dialogue.say(Stream(chunks()))
            [driven] = self.connector.connections
            await self.until(lambda: driven._full)
            assert taken < 2000
            driven.look(time.monotonic() + 300)
            driven.look(time.monotonic() + 600)
            await self.until(lambda: dialogue.endings)
            assert dialogue.endings == ["does not read"]

        return self.run_async(test())

    def test_a_server_that_shuts_its_side_still_gets_what_is_under_way(self) -> Any:
        async def test() -> None:
            dialogue, connection = await self.served()
            count = 1000

            async def chunks() -> AsyncIterator[bytes]:
                for _ in range(count):
                    yield CHUNK

            dialogue.say(Stream(chunks()))
            [driven] = self.connector.connections
            await self.until(lambda: driven._full)
            connection.sendall(b"421 no more\r\n")
            connection.shutdown(socket.SHUT_WR)

            def read() -> int:
                got = 0
                while data := connection.recv(1 << 20):
                    got += len(data)
                return got

            assert await self.client(read) == count * len(CHUNK)
            await self.until(lambda: dialogue.endings)
            assert dialogue.endings == ["closed by peer"]
            assert dialogue.heard == [b"421 no more"]

        return self.run_async(test())

    def test_a_server_that_closes_or_resets_is_told_apart_from_one_that_is_silent(self) -> Any:
        async def test() -> None:
            dialogue, connection = await self.served()
            connection.close()
            await self.until(lambda: dialogue.endings)
            assert dialogue.endings == ["closed by peer"]
            dialogue, connection = await self.served()
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            connection.close()
            await self.until(lambda: dialogue.endings)
            assert dialogue.endings == ["connection lost"]
            dialogue, connection = await self.served(make=lambda: PlainClient(timeout=0.1))
            await self.until(lambda: dialogue.endings)
            assert dialogue.endings == ["timed out"]
            assert dialogue.peer.tls_failure is None

        return self.run_async(test())

    def test_its_time_begins_anew_with_what_it_is_told(self) -> Any:
        async def test() -> None:
            dialogue, connection = await self.served()
            [driven] = self.connector.connections
            dialogue.timeout = 1000.0
            now = time.monotonic()
            assert driven.deadline < now + 100
            dialogue.say(b"one\r\n")
            await self.client(lambda: read_until(connection, b"\r\n"))
            await self.until(lambda: driven.deadline > now + 900)
            dialogue.timeout = 2000.0
            dialogue.peer.wake()  # with nothing to say
            dialogue.say()
            await self.until(lambda: not driven._busy)
            assert driven.deadline < now + 1900

        return self.run_async(test())

    def test_it_may_be_cut_off_in_the_midst_of_everything(self) -> Any:
        async def test() -> None:
            dialogue, _ = await self.served()

            async def chunks() -> AsyncIterator[bytes]:
                while True:
                    yield CHUNK

            dialogue.say(Stream(chunks()))
            [driven] = self.connector.connections
            await self.until(lambda: driven._full)
            peer = dialogue.peer
            peer.abort("no more of this")
            await self.until(lambda: dialogue.endings)
            assert dialogue.endings == ["no more of this"]
            peer.abort("again")
            assert len(self.connector.connections) == 0

        return self.run_async(test())

    def test_the_server_may_become_the_client_on_it(self) -> Any:
        async def test() -> None:
            turned = PlainDialogue()
            dialogue, connection = await self.served(make=lambda: PlainClient(answers={b"turn": [Become(turned)]}))
            connection.sendall(b"turn\r\n")
            assert await self.client(lambda: read_until(connection, b"hello\r\n")) == b"hello\r\n"
            connection.sendall(b"one\r\nQUIT\r\n")
            assert await self.client(lambda: read_until(connection, b"bye\r\n")) == b"ok one\r\nbye\r\n"
            await self.until(lambda: turned.endings)
            assert (dialogue.endings, turned.endings) == (["exchanged"], ["finished"])

        return self.run_async(test())


class StopTests(Calls):
    """The server stops."""

    def test_connections_that_are_being_made_fail_and_so_do_new_ones(self) -> Any:
        async def test() -> None:
            self.connecting()
            self.listening()
            waiting = self.connector.connect(PlainClient, self.hop())
            secured = self.connector.connect(PlainClient, self.hop(implicit_tls=True))
            await self.until(lambda: len(self.connector.connections) == 2)
            dialogue: Any = await waiting
            late = self.connector.connect(PlainClient, self.hop())
            await self.connector.shutdown(5.0)
            for never in (secured, late, self.connector.connect(PlainClient, self.hop())):
                with pytest.raises(HopFailed) as failed:
                    await never
                assert failed.value.trouble.status == "4.3.2"
                assert "stopping" in failed.value.trouble.reason
            assert dialogue.endings == ["server stopping"]

        return self.run_async(test())

    def test_a_connector_that_has_none_stops_at_once(self) -> None:
        assert Connector(reactor=object(), journal=object(), tls=ClientTls()).shutdown().called
