"""RFC 865 over TCP: connect, read the quote, closed."""

from __future__ import annotations

from typing import Any

from twisted.application.internet import TCPServer
from twisted.application.service import MultiService
from twisted.internet.protocol import Factory, Protocol

from worldmail_qotd_server.settings import QotdSettings


class Quote(Protocol):
    """One connection."""

    def connectionMade(self) -> None:
        """RFC 865: "the server sends a short message and closes"; what the client sends is thrown away."""
        self.transport.write(self.factory.quote)  # type: ignore[union-attr]
        self.transport.loseConnection()  # type: ignore[union-attr]


class QuoteFactory(Factory):
    """Makes connections of one service."""

    protocol = Quote
    noisy = False

    def __init__(self, quote: str, hostname: str) -> None:
        self.quote = f"{quote} ({hostname})\r\n".encode()[:511]


def qotd_service(world: Any, settings: QotdSettings) -> MultiService:
    """What the server runs: a port for each place to listen."""
    service = MultiService()
    factory = QuoteFactory(settings.quote, world.hostname)
    for place in settings.listen:
        interface = "" if place.host == "*" else place.host
        TCPServer(place.port, factory, interface=interface, reactor=world.reactor).setServiceParent(service)
    return service
