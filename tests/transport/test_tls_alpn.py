"""Clients that offer application protocols (RFC 7301): we have none to choose from, and serve them all the same."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

from twisted.internet.threads import deferToThread

from worldmail.testing.fakes import make_tls
from worldmail.testing.meeting import Meets


class AlpnTests(Meets):
    """Real handshakes."""

    def test_a_client_that_offers_ALPN_is_served_without_it(self) -> Any:
        directory = Path(self.mktemp())
        directory.mkdir(parents=True)

        def talk(name: str | None) -> str | None:
            connection = self.connect()
            connection.recv(100)
            connection.sendall(b"STARTTLS\r\n")
            connection.recv(100)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            context.set_alpn_protocols(["pop3", "h2"])
            with context.wrap_socket(connection, server_hostname=name) as secured:
                assert secured.recv(100) == b"secured\r\n"
                return secured.selected_alpn_protocol()

        async def test() -> None:
            self.meet(tls=make_tls(directory, "mail.example.test", "other.example.test"))
            for name in ("mail.example.test", "other.example.test", None):
                assert await deferToThread(talk, name) is None

        return self.run_async(test())
