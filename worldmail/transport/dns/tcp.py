"""A question by TCP, where an answer is too long for a datagram or datagrams are not to be trusted (RFC 7766)."""

from __future__ import annotations

import struct
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectError
from twisted.internet.protocol import ClientFactory, Protocol, connectionDone
from twisted.python.failure import Failure

from worldmail.transport.dns.exchange import NoAnswer, Waiting
from worldmail.transport.dns.message import Malformed, Query
from worldmail.transport.dns.servers import Server

_LENGTH = struct.Struct("!H")  # in front of each message (RFC 1035 §4.2.2)


def ask_by_tcp(reactor: Any, server: Server, query: Query, seconds: float) -> Deferred[bytes]:
    """The octets of an answer to the query. Fails with `NoAnswer`, and with `Malformed` for an answer to another."""
    factory = _Factory(query)
    factory.waiting = Waiting(reactor=reactor, seconds=seconds, end=factory.close)
    factory.connector = reactor.connectTCP(server.host, server.port, factory, timeout=seconds + 1)
    return factory.waiting.result


class _Connection(Protocol):
    """Sends the query, reads one message."""

    factory: Any  # the `_Factory`

    def connectionMade(self) -> None:
        octets = self.factory.query.octets
        self.factory.got = bytearray()
        assert self.transport is not None
        self.transport.write(_LENGTH.pack(len(octets)) + octets)

    def dataReceived(self, data: bytes) -> None:
        self.factory.received(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.factory.waiting.failed(NoAnswer("connection closed"))


class _Factory(ClientFactory):
    """One connection for one query."""

    protocol = _Connection
    noisy = False
    waiting: Waiting
    connector: Any = None

    def __init__(self, query: Query) -> None:
        self.query = query
        self.got = bytearray()

    def received(self, data: bytes) -> None:
        """More of the answer; never more than one message is kept."""
        self.got += data
        if len(self.got) < _LENGTH.size:
            return
        (length,) = _LENGTH.unpack_from(self.got)
        end = _LENGTH.size + length
        if len(self.got) < end:
            return
        octets = bytes(self.got[_LENGTH.size : end])
        if self.query.answered_by(octets):
            self.waiting.succeeded(octets)
        else:
            self.waiting.failed(Malformed("an answer to another question"))

    def clientConnectionFailed(self, connector: Any, reason: Failure) -> None:
        error = reason.value
        words = str(error.osError) if isinstance(error, ConnectError) and error.osError else "cannot connect"
        self.waiting.failed(NoAnswer(words))

    def close(self) -> None:
        """It is over: the connection is cut off."""
        if self.connector is None:
            return
        if self.connector.state == "connecting":
            self.connector.stopConnecting()
        elif self.connector.state == "connected":
            self.connector.transport.abortConnection()
