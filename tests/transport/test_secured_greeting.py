"""Listeners that open their dialogues only in TLS."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

from worldmail.interfaces.protocol import Peer
from worldmail.testing.fakes import PlainDialogue, make_tls
from worldmail.testing.meeting import Meets
from worldmail.wire.effects import Effects


class SecuredGreetingTests(Meets):
    """`greets_secured`."""

    def secured(self) -> ssl.SSLSocket:
        """A connection in TLS. Blocks."""
        return ssl._create_unverified_context().wrap_socket(self.connect())

    def test_a_listener_may_open_its_dialogues_once_TLS_is_there(self) -> Any:
        async def test() -> None:
            opened: list[Any] = []

            class Looking(PlainDialogue):
                def opened(self, peer: Peer) -> Effects:
                    opened.append((peer.tls and peer.tls.version, peer.channel_binding("tls-exporter") is not None))
                    return super().opened(peer)

            directory = Path(self.mktemp())
            directory.mkdir(parents=True)
            tls = make_tls(directory, "mail.example.test")
            meeting = self.meet(tls=tls, implicit_tls=True, greets_secured=True, make=Looking)

            def talk() -> bytes:
                connection = self.secured()
                assert connection.recv(100) == b"hello\r\n"
                connection.sendall(b"one\r\n")
                return connection.recv(100)

            assert await self.client(talk) == b"ok one\r\n"
            assert opened == [("TLSv1.3", True)]
            assert await self.client(self.in_the_clear)
            assert len(opened) == 1
            await self.until(lambda: len(meeting.journal.named("connection")) == 2)

        return self.run_async(test())

    def in_the_clear(self) -> bool:
        """Somebody who speaks no TLS; was it refused?"""
        connection = self.connect()
        connection.sendall(b"one\r\n")
        try:
            data = connection.recv(100)
        except ConnectionResetError:
            data = b""
        connection.close()
        return b"hello" not in data
