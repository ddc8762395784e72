"""Finger over real connections: our client at our server, silence, floods, questions that never end."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Sequence
from typing import Any

from attrs import define, field
from twisted.internet import reactor as installed
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from worldmail.config.fields import listen
from worldmail.interfaces.outbound import Hop, HopFailed
from worldmail.interfaces.releases import NotAllowed
from worldmail.interfaces.triggers import IFinger, ITriggers, Released
from worldmail.protocols.finger.client.asker import Finger
from worldmail.protocols.finger.service import finger_service
from worldmail.protocols.finger.settings import FingerListener, FingerSettings
from worldmail.testing.world import MemoryWorld
from worldmail.transport.client_tls import ClientTls
from worldmail.transport.connecting import Connector
from worldmail.wire.ready import Ready

reactor: Any = installed
WORD = "open.sesame-1234"


@implementer(ITriggers)
@define
class Words:
    """Knows one word."""

    asked: list[str] = field(factory=list)

    def finger(self, word: str, client: str, session: str) -> Awaitable[Sequence[Released]]:
        self.asked.append(word)
        if word != WORD:
            raise NotAllowed
        return Ready([Released(hold="shop", messages=1)])


def talk(port: int, *pieces: bytes) -> bytes:
    """What a client of old hears."""
    with socket.create_connection(("127.0.0.1", port), 60) as connection:
        said = b""
        try:
            for piece in pieces:
                connection.sendall(piece)
            while more := connection.recv(4096):
                said += more
        except (ConnectionResetError, BrokenPipeError):
            pass
        return said


class Service(TestCase):
    timeout = 60
    patience = 30.0

    def setUp(self) -> None:
        self.memory = MemoryWorld.make(reactor=reactor)
        self.words = Words()
        settings = FingerSettings(
            listeners=(FingerListener(name="finger", listen=(listen("127.0.0.1:0"),)),), timeout=self.patience
        )
        self.service = finger_service(self.memory.replace(triggers=self.words), settings)
        self.service.privilegedStartService()
        self.service.startService()
        [listener] = list(self.service)
        self.port = listener.addresses[0][1]
        self.connector = Connector(reactor=reactor, journal=self.memory.journal, tls=ClientTls())
        self.finger = Finger(self.connector, Deferred)

    async def _stop(self) -> None:
        await self.connector.shutdown(1.0)
        await self.service.stopService()

    def tearDown(self) -> Any:
        return Deferred.fromCoroutine(self._stop())

    def ask(self, question: str, port: int | None = None) -> Deferred[str]:
        hop = Hop(host="localhost", addresses=("127.0.0.1",), port=port or self.port, helo="a.test")
        return Deferred.fromCoroutine(self.finger.ask(hop, question))

    def run_async(self, test: Any) -> Any:
        return Deferred.fromCoroutine(test())


class Sockets(Service):
    def test_our_client_hears_what_our_server_says(self) -> Any:
        async def test() -> None:
            assert verifyObject(IFinger, self.finger)
            assert await self.ask(WORD) == "Ok, shop: 1 pending message started"
            assert await self.ask("wrong") == "Query refused"
            assert await self.ask("") == "Finger online user list denied"

        return self.run_async(test)

    def test_nobody_there_is_a_hop_that_failed(self) -> Any:
        async def test() -> None:
            with socket.socket() as closed:
                closed.bind(("127.0.0.1", 0))
                with self.assertRaises(HopFailed):
                    await self.ask(WORD, closed.getsockname()[1])

        return self.run_async(test)

    def test_who_only_looks_connects_and_asks_nothing(self) -> Any:
        async def test() -> None:
            with socket.create_server(("127.0.0.1", 0)) as listener:
                hop = Hop(host="localhost", addresses=("127.0.0.1",), port=listener.getsockname()[1], helo="a.test")
                await self.finger.look(hop)

                def heard() -> bytes:
                    connection, _ = listener.accept()
                    with connection:
                        return connection.recv(100)

                assert await deferToThread(heard) == b""
            with self.assertRaises(HopFailed):
                await self.finger.look(hop)

        return self.run_async(test)

    def test_a_server_that_closes_without_a_word_gives_an_empty_answer(self) -> Any:
        async def test() -> None:
            with socket.create_server(("127.0.0.1", 0)) as silent:
                heard = self.ask(WORD, silent.getsockname()[1])

                def answer() -> bytes:
                    connection, _ = silent.accept()
                    with connection:
                        return connection.recv(100)

                assert await deferToThread(answer) == WORD.encode() + b"\r\n"
                assert await heard == ""

        return self.run_async(test)

    def test_a_flood_is_answered_one_by_one(self) -> Any:
        async def test() -> None:
            said = await gatherResults([self.ask(WORD) for _ in range(40)])
            assert set(said) == {"Ok, shop: 1 pending message started"}

        return self.run_async(test)

    def test_octet_by_octet_and_with_more_behind_it_is_one_question(self) -> Any:
        async def test() -> None:
            question = WORD.encode() + b"\r\n"
            pieces = [question[at : at + 1] for at in range(len(question))]
            for sent in (pieces, [question + question], [question, question]):
                assert (await deferToThread(talk, self.port, *sent)).count(b"\r\n") == 1
            assert len(self.words.asked) == 3

        return self.run_async(test)


class Silence(Service):
    patience = 1.0

    def test_who_is_silent_or_never_ends_is_left_and_others_are_answered(self) -> Any:
        async def test() -> None:
            silent = [deferToThread(talk, self.port, piece) for piece in (b"", b"x", WORD.encode())]
            endless = deferToThread(talk, self.port, *[b"x" * 65536] * 64)
            assert (await self.ask(WORD)).startswith("Ok")
            assert await gatherResults(silent) == [b"", b"", b""]
            assert await endless in (b"Query refused\r\n", b"")
            assert self.words.asked == [WORD]

        return self.run_async(test)
