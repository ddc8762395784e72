"""TLS on connections that we open: from the first octet on, and what becomes of it with peers that speak none."""

from __future__ import annotations

import socket
import ssl
from typing import Any

import pytest
from twisted.internet.threads import deferToThread

from worldmail.interfaces.outbound import Fate, HopFailed, Phase, Security
from worldmail.testing.calling import NAME, PlainClient, TlsCalls
from worldmail.transport.client_tls import ClientTls
from worldmail.wire.effects import StartTls

VERIFIED = {"security": Security.VERIFIED}
UNKNOWN = "the certificate is of an unknown authority"


class ImplicitTests(TlsCalls):
    """TLS from the first octet on."""

    def test_the_dialogue_is_opened_in_TLS(self) -> Any:
        async def test() -> None:
            self.both(self.authority.serve(NAME), implicit_tls=True)
            dialogue = await self.call(implicit_tls=True, **VERIFIED)
            assert dialogue.peer.tls.verified
            await self.until(lambda: dialogue.heard)
            dialogue.say(b"QUIT\r\n")
            await self.until(lambda: dialogue.endings)
            assert dialogue.heard == [b"hello", b"bye"]

        return self.run_async(test())

    def test_a_bad_certificate_is_a_trouble_of_the_hop(self) -> Any:
        async def test() -> None:
            self.both(self.authority.serve("other.test"), implicit_tls=True)
            made: list[PlainClient] = []

            def make() -> PlainClient:
                made.append(PlainClient())
                return made[0]

            with pytest.raises(HopFailed) as failed:
                await self.call(make=make, implicit_tls=True, **VERIFIED)
            trouble = failed.value.trouble
            words = "TLS handshake failed: the certificate is for other names: other.test"
            assert (trouble.fate, trouble.status, trouble.phase) == (Fate.DEFERRED, "4.7.5", Phase.TLS)
            assert trouble.server == f"{NAME}[127.0.0.1]:{self.place[1]}"
            assert trouble.reason == words
            assert (made[0].peer, made[0].endings) == (None, [words])

        return self.run_async(test())

    def test_the_other_addresses_are_tried_where_TLS_fails(self) -> Any:
        async def test() -> None:
            self.both(self.authority.serve(NAME), implicit_tls=True)
            closing = socket.create_server(("127.0.0.2", self.place[1]))
            self.addCleanup(closing.close)
            serving = deferToThread(lambda: closing.accept()[0].close())
            dialogue = await self.call("127.0.0.3", "127.0.0.2", "127.0.0.1", implicit_tls=True, **VERIFIED)
            await serving
            assert dialogue.peer.host == "127.0.0.1"
            serving = deferToThread(lambda: closing.accept()[0].close())
            with pytest.raises(HopFailed) as failed:
                await self.call("127.0.0.1", "127.0.0.2", implicit_tls=True, host="other.test", **VERIFIED)
            await serving
            assert failed.value.trouble.server == f"other.test[127.0.0.2]:{self.place[1]}"
            assert failed.value.trouble.phase is Phase.TLS

        return self.run_async(test())


class BrokenTests(TlsCalls):
    """Peers that are no TLS servers."""

    async def served(self, answer: bytes | None, words: str, reset: bool = False) -> None:
        """What a handshake comes to when this is all that a server says."""
        self.connecting()
        listening = self.listening()

        def serve() -> None:
            connection = listening.accept()[0]
            connection.recv(10000)
            if answer is not None:
                connection.sendall(answer)
            if reset:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            connection.close()

        serving = deferToThread(serve)
        with pytest.raises(HopFailed) as failed:
            await self.call(implicit_tls=True, security=Security.OPPORTUNISTIC)
        await serving
        assert failed.value.trouble.reason == f"TLS handshake failed: {words}"
        assert failed.value.trouble.phase is Phase.TLS

    def test_what_they_say_is_told_in_words(self) -> Any:
        async def test() -> None:
            await self.served(b"220 mx.example.test ESMTP\r\n", "what the server answered is not TLS")
            await self.served(None, "the server ended the connection")
            await self.served(None, "the server ended the connection", reset=True)
            alert = b"\x15\x03\x03\0\x02\x02\x28"
            await self.served(alert, "the server found no common cipher, or wants a certificate")

        return self.run_async(test())

    def test_one_that_never_finishes_is_left(self) -> Any:
        async def test() -> None:
            self.connecting(handshake_timeout=0.1)
            listening = self.listening()
            silent = deferToThread(listening.accept)
            with pytest.raises(HopFailed) as failed:
                await self.call(implicit_tls=True)
            (await silent)[0].close()
            assert failed.value.trouble.reason == "TLS handshake timed out"
            assert failed.value.trouble.status == "4.7.5"

        return self.run_async(test())

    def test_what_a_server_says_in_the_clear_behind_its_consent_is_not_acted_upon(self) -> Any:
        async def test() -> None:
            self.connecting()
            listening = self.listening()

            def serve() -> bytes:
                connection = listening.accept()[0]
                connection.sendall(b"go\r\ninjected\r\n")
                try:
                    return connection.recv(100)
                except ConnectionResetError:
                    return b""

            serving = deferToThread(serve)
            dialogue = await self.call(make=lambda: PlainClient(answers={b"go": [StartTls()]}))
            await self.until(lambda: dialogue.endings)
            assert await serving == b""
            assert dialogue.endings == ["input behind STARTTLS"]
            assert dialogue.heard == [b"go"]

        return self.run_async(test())

    def test_a_server_that_says_no_after_our_side_is_done_is_a_failed_handshake(self) -> Any:
        async def test() -> None:
            self.connecting(ClientTls(trust=self.authority.file))
            listening = self.listening()
            made = self.authority.issue(NAME)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(made.certificate, made.key)
            context.load_verify_locations(self.authority.file)
            context.verify_mode = ssl.CERT_REQUIRED

            def serve() -> None:
                connection = listening.accept()[0]
                with pytest.raises(ssl.SSLError):
                    context.wrap_socket(connection, server_side=True)

            serving = deferToThread(serve)
            dialogue = await self.call(implicit_tls=True, **VERIFIED)
            await serving
            await self.until(lambda: dialogue.endings)
            assert dialogue.peer.tls_failure == "the server wants a certificate"

        return self.run_async(test())
