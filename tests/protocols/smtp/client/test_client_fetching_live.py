"""Fetching over real sockets: the driver exchanges the dialogues, whatever the relay does then."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from attrs import evolve
from twisted.internet.threads import deferToThread

from worldmail.interfaces.outbound import HopFailed, Security
from worldmail.interfaces.turned import Fetch
from worldmail.protocols.smtp.fetches import Fetches
from worldmail.protocols.smtp.settings import SmtpSettings
from worldmail.testing.calling import Calls
from worldmail.testing.smtp import SmtpScene
from worldmail.testing.smtp_client import make_means

MAIL = b"EHLO relay.test\r\nMAIL FROM:<a@a.test>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\n"
TEXT = b"Subject: one\r\n\r\ntext\r\n.\r\n"


class LiveTests(Calls):
    """A relay that a thread plays."""

    def make_fetches(self) -> Fetches:
        self.scene = SmtpScene()
        self.scene.make_session()
        world = self.scene.world.world
        settings = evolve(world.settings, protocols={"smtp": SmtpSettings()})
        return Fetches(connector=self.connecting(), means=make_means(), world=evolve(world, settings=settings))

    async def fetch(self, relay: Callable[[Any, socket.socket], None]) -> Any:
        """What comes of it, or why there was nothing."""
        listening, fetches = self.listening(), self.make_fetches()

        def play() -> None:
            connection, _ = listening.accept()
            connection.settimeout(60)
            with connection, connection.makefile("rb") as file:
                connection.sendall(b"220 relay.test\r\n")
                assert file.readline()[:4] == b"EHLO"
                connection.sendall(b"250-relay.test\r\n250 ATRN\r\n")
                assert file.readline() == b"ATRN shop.test\r\n"
                relay(file, connection)

        playing = deferToThread(play)
        hop = self.hop(security=Security.NEVER)
        try:
            return await fetches.fetch(hop, Fetch(agent="relay", domains=("shop.test",)))
        except HopFailed as failed:
            return failed
        finally:
            await playing

    def test_the_server_greets_and_takes_what_comes(self) -> Any:
        def relay(file: Any, connection: socket.socket) -> None:
            connection.sendall(b"250 reversing\r\n")
            assert file.readline()[:4] == b"220 "
            connection.sendall(MAIL)
            while not file.readline().startswith(b"354"):
                pass
            for octet in TEXT:
                connection.sendall(bytes((octet,)))
            assert file.readline()[:4] == b"250 "
            connection.sendall(b"QUIT\r\n")
            assert file.readline()[:4] == b"221 "
            assert file.readline() == b""

        async def test() -> None:
            result = await self.fetch(relay)
            assert (result.ok, result.messages) == (True, 1)
            assert len(self.scene.contents()) == 1
            await self.until(lambda: self.journal.named("connection"))

        return self.run_async(test())

    def test_what_is_glued_to_the_consent_ends_it(self) -> Any:
        def relay(file: Any, connection: socket.socket) -> None:
            connection.sendall(b"250 reversing\r\n" + MAIL)
            assert file.read() == b""

        async def test() -> None:
            failed = await self.fetch(relay)
            assert "before it is greeted" in str(failed)
            assert not self.scene.contents()

        return self.run_async(test())

    def test_who_consents_and_leaves_has_turned_nothing(self) -> Any:
        def relay(file: Any, connection: socket.socket) -> None:
            connection.sendall(b"250 reversing\r\n")

        async def test() -> None:
            result = await self.fetch(relay)
            assert (result.ok, result.messages) == (False, 0)
            assert "said nothing" in result.words

        return self.run_async(test())

    def test_who_leaves_in_the_midst_of_a_message_leaves_nothing_of_it(self) -> Any:
        def relay(file: Any, connection: socket.socket) -> None:
            connection.sendall(b"250 reversing\r\n")
            assert file.readline()[:4] == b"220 "
            connection.sendall(MAIL + TEXT[:20])
            while not file.readline().startswith(b"354"):
                pass

        async def test() -> None:
            result = await self.fetch(relay)
            assert (result.ok, result.messages) == (False, 0)
            assert "broke off" in result.words
            assert not self.scene.contents()

        return self.run_async(test())

    def test_a_server_that_stops_says_so(self) -> Any:
        heard: list[bytes] = []

        def relay(file: Any, connection: socket.socket) -> None:
            connection.sendall(b"250 reversing\r\n")
            heard.append(file.readline())
            connection.sendall(b"EHLO relay.test\r\n")
            while (line := file.readline())[3:4] == b"-":
                pass
            self.connector.reactor.callFromThread(self.connector.shutdown, 5.0)
            heard.extend((line, file.readline(), file.readline()))

        async def test() -> None:
            result = await self.fetch(relay)
            assert not result.ok
            assert [line[:3] for line in heard] == [b"220", b"250", b"421", b""]

        return self.run_async(test())
