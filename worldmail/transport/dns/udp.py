"""A question by UDP: a socket of its own, connected, so that only the server's datagrams reach it (RFC 5452 §9.2)."""

from __future__ import annotations

import os
import socket
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReadDescriptor
from zope.interface import implementer

from worldmail.transport.dns.exchange import NoAnswer, Spoofed, Waiting
from worldmail.transport.dns.message import Query
from worldmail.transport.dns.servers import Server

WRONG_DATAGRAMS = 50
"""After that many answers to other questions UDP is not to be trusted: somebody guesses ids (RFC 5452 §9.3)."""

LARGEST_DATAGRAM = 4096


def ask_by_udp(reactor: Any, server: Server, query: Query, seconds: float) -> Deferred[bytes]:
    """The octets of an answer to the query. Fails with `NoAnswer` and `Spoofed`."""
    return _Socket(reactor, server, query, seconds).waiting.result


@implementer(IReadDescriptor)
class _Socket:
    """The socket of one query. The system chooses its port at random; one datagram is read in a turn of the reactor."""

    def __init__(self, reactor: Any, server: Server, query: Query, seconds: float) -> None:
        self._reactor = reactor
        self._query = query
        self._wrong = 0
        self._socket: socket.socket | None = None
        self.waiting = Waiting(reactor=reactor, seconds=seconds, end=self._close)
        try:
            found = socket.getaddrinfo(server.host, server.port, type=socket.SOCK_DGRAM, flags=socket.AI_NUMERICHOST)
            self._socket = socket.socket(found[0][0], socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
            self._socket.connect(found[0][4])
            self._socket.send(query.octets)
            reactor.addReader(self)
        except OSError as error:
            self.waiting.failed(NoAnswer(_words(error)))

    def doRead(self) -> None:
        """A datagram came, or word that none will."""
        if self._socket is None:
            return
        try:
            octets = self._socket.recv(LARGEST_DATAGRAM)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self.waiting.failed(NoAnswer(_words(error)))
            return
        if self._query.answered_by(octets):
            self.waiting.succeeded(octets)
            return
        self._wrong += 1
        if self._wrong > WRONG_DATAGRAMS:
            self.waiting.failed(Spoofed("too many wrong answers"))

    def fileno(self) -> int:
        """The socket's; -1 if it is closed."""
        return -1 if self._socket is None else self._socket.fileno()

    def connectionLost(self, reason: Any) -> None:
        """The reactor gives it up: the system says why."""
        error = 0 if self._socket is None else self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        self.waiting.failed(NoAnswer(os.strerror(error).lower() if error else "no answer"))

    def logPrefix(self) -> str:
        """In Twisted's own log."""
        return "dns"

    def _close(self) -> None:
        if self._socket is not None:
            self._reactor.removeReader(self)
            self._socket.close()
            self._socket = None


def _words(error: OSError) -> str:
    return (error.strerror or type(error).__name__).lower()
