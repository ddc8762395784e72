"""The client over real sockets: our connector, our listener, TLS."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from typing import Any

from attrs import define, evolve
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from zope.interface import implementer

from worldmail.interfaces.outbound import Fate, HopFailed, IOutgoingContent, Login, Phase, Security
from worldmail.mail.envelope import Body
from worldmail.protocols.smtp.client.means import Patience
from worldmail.protocols.smtp.client.outbound import Outbound
from worldmail.testing.calling import NAME, TlsCalls
from worldmail.testing.meeting import reactor, read_until
from worldmail.testing.smtp import SmtpScene
from worldmail.testing.smtp_client import MemoryContent, make_means, make_shipment

BINARY = b"Content-Transfer-Encoding: binary\r\n\r\n" + bytes(range(256)) * 4000


@implementer(IOutgoingContent)
@define
class SlowContent:
    """Content whose chunks come later."""

    octets: bytes
    inline: None = None
    most: int = 50_000

    @property
    def size(self) -> int:
        return len(self.octets)

    async def chunks(self) -> AsyncIterator[bytes]:
        for at in range(0, self.size, self.most):
            await deferLater(reactor, 0.001, lambda: None)
            yield self.octets[at : at + self.most]


class LiveTests(TlsCalls):
    """Conversations with our own server."""

    def serve(self, **changes: Any) -> SmtpScene:
        """Listen with one world for all connections."""
        scene = SmtpScene(**changes)
        session = scene.make_session()
        self.both(self.authority.serve(NAME), make=lambda: type(session)(session.entrance))
        scene.world.tls.offered = True
        return scene

    async def conversation(self, patience: Patience | None = None, **changes: Any) -> Any:
        means = make_means(patience=patience or Patience())
        return await Outbound(self.connector, means).connect(self.hop(**changes))

    def test_messages_go_in_verified_TLS_one_after_another(self) -> Any:
        async def test() -> None:
            scene = self.serve()
            conversation = await self.conversation(security=Security.VERIFIED)
            for number in range(20):
                outcome = await conversation.send(make_shipment("bob@example.test", text=b"Subject: %d\r\n" % number))
                assert outcome.fates[0].fate is Fate.DELIVERED
                assert outcome.tls is not None and outcome.tls.verified
            await conversation.close()
            assert not conversation.usable
            assert len(scene.contents()) == 20
            await self.until(lambda: self.journal.named("connection"))
            [record] = self.journal.named("connection")
            assert record["reason"] == "finished"

        return self.run_async(test())

    def test_large_content_goes_as_it_is_read(self) -> Any:
        async def test() -> None:
            scene = self.serve()
            conversation = await self.conversation(security=Security.NEVER)
            for content in (MemoryContent(BINARY), SlowContent(BINARY)):
                outcome = await conversation.send(make_shipment("bob@example.test", text=content, body=Body.BINARY))
                assert outcome.fates[0].fate is Fate.DELIVERED
            await conversation.close()
            assert [a.content.size > len(BINARY) for a in scene.world.acceptance.accepted] == [True, True]

        return self.run_async(test())

    def test_a_user_signs_in_by_TLS(self) -> Any:
        async def test() -> None:
            self.serve(listener="submission")
            login = Login(user="bob@example.test", password="secret")
            conversation = await self.conversation(security=Security.VERIFIED, login=login)
            outcome = await conversation.send(make_shipment("alice@example.test", sender="bob@example.test"))
            assert outcome.fates[0].fate is Fate.DELIVERED
            await conversation.close()
            with self.assertRaises(HopFailed) as caught:
                await self.conversation(security=Security.VERIFIED, login=evolve(login, password="wrong"))
            assert caught.exception.trouble.phase is Phase.LOGIN

        return self.run_async(test())

    def test_a_certificate_of_another_is_none_where_it_must_be_verified(self) -> Any:
        async def test() -> None:
            self.serve()
            with self.assertRaises(HopFailed) as caught:
                await self.conversation(security=Security.VERIFIED, host="other.test")
            trouble = caught.exception.trouble
            assert (trouble.fate, trouble.phase, trouble.status) == (Fate.DEFERRED, Phase.TLS, "4.7.5")
            conversation = await self.conversation(security=Security.OPPORTUNISTIC, host="other.test")
            outcome = await conversation.send(make_shipment("bob@example.test"))
            assert outcome.tls is not None and not outcome.tls.verified
            await conversation.close()

        return self.run_async(test())


class ScriptedTests(TlsCalls):
    """Servers that are threads."""

    def test_a_handshake_that_fails_is_followed_by_the_clear(self) -> Any:
        async def test() -> None:
            self.connecting()
            listening = self.listening()

            def talk() -> None:
                for attempt in range(2):
                    connection = listening.accept()[0]
                    connection.settimeout(60)
                    connection.sendall(b"220 mx\r\n")
                    read_until(connection, b"EHLO us.example.test\r\n")
                    connection.sendall(b"250-mx\r\n250 STARTTLS\r\n")
                    if attempt == 0:
                        read_until(connection, b"STARTTLS\r\n")
                        connection.sendall(b"220 go\r\n")
                        connection.recv(10)
                        connection.sendall(b"this is not TLS at all\r\n")
                        connection.close()
                    else:
                        self.addCleanup(connection.close)

            talking = deferToThread(talk)
            conversation = await Outbound(self.connector, make_means()).connect(self.hop())
            await talking
            assert conversation.usable
            conversation.abort()
            await self.until(lambda: not self.connector.connections)

        return self.run_async(test())

    def test_the_time_of_an_answer_begins_with_the_question(self) -> Any:
        async def test() -> None:
            self.connecting()
            listening = self.listening()
            told: list[socket.socket] = []

            def greet() -> None:
                connection = listening.accept()[0]
                connection.settimeout(60)
                told.append(connection)
                self.addCleanup(connection.close)
                connection.sendall(b"220 mx\r\n")
                read_until(connection, b"\r\n")
                connection.sendall(b"250 mx\r\n")

            greeting = deferToThread(greet)
            means = make_means(patience=Patience(idle=1000.0, mail=1.0))
            conversation = await Outbound(self.connector, means).connect(self.hop())
            await greeting
            outcome = await conversation.send(make_shipment("bob@example.test"))
            assert (outcome.fates[0].fate, outcome.fates[0].phase) == (Fate.DEFERRED, Phase.MAIL)
            assert outcome.fates[0].reason == "The server did not answer in time"
            await self.until(lambda: not self.connector.connections)

        return self.run_async(test())

    def test_when_we_stop_the_answer_is_waited_for(self) -> Any:
        async def test() -> None:
            self.connecting()
            listening = self.listening()
            said: list[bytes] = []

            def talk() -> None:
                connection = listening.accept()[0]
                connection.settimeout(60)
                self.addCleanup(connection.close)
                for reply in (b"220 mx\r\n", b"250-mx\r\n250-PIPELINING\r\n250 CHUNKING\r\n"):
                    connection.sendall(reply)
                    said.append(read_until(connection, b"\r\n"))
                while not said[-1].endswith(b"body\r\n"):
                    said.append(said.pop() + connection.recv(1000))
                reactor.callFromThread(self.stop)
                connection.sendall(b"250 ok\r\n250 ok\r\n")
                connection.settimeout(0.3)
                try:
                    said.append(connection.recv(100))
                except TimeoutError:
                    connection.settimeout(60)
                connection.sendall(b"250 taken\r\n")
                said.append(read_until(connection, b"QUIT\r\n"))
                connection.sendall(b"221 bye\r\n")

            talking = deferToThread(talk)
            conversation = await Outbound(self.connector, make_means()).connect(self.hop())
            outcome = await conversation.send(make_shipment("bob@example.test"))
            assert outcome.fates[0].fate is Fate.DELIVERED
            await talking
            assert said[-1] == b"QUIT\r\n" and len(said) == 3
            await self.stopped

        return self.run_async(test())

    def stop(self) -> None:
        self.stopped = self.connector.shutdown(10.0)
