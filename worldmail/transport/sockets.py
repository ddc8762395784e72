"""Listening sockets, accepted connections and those that we opened, all of which cost little.

Twisted registers every write with epoll and takes it off again (two system calls), sends
later, and closes in one more turn. `EagerServer` sends what the socket takes at the end of the
reactor's round (at once, where the reactor is another) and closes at once when nothing is left to send; the
rest is Twisted's.
Measured with a greeting and a reply on each new connection, and with ping-pong on
20 and 200: see benchmarks/driver.py.
"""

from __future__ import annotations

import contextlib
import errno
import socket
import struct
import termios
from fcntl import ioctl
from typing import Any

from twisted.internet import main, tcp
from twisted.internet.abstract import FileDescriptor
from twisted.internet.address import IPv6Address
from twisted.internet.protocol import Protocol
from twisted.logger import Logger
from twisted.python.failure import Failure

from worldmail.transport.held import HELD_OCTETS, Held

ACCEPTS_AT_ONCE = 50
"""Connections accepted before others get their turn."""

REST_SECONDS = 0.25
"""How long a port rests when there is no descriptor or memory for a connection."""

# Twisted's own methods have no annotations.
_SERVER: Any = tcp.Server
_PORT: Any = tcp.Port
_DESCRIPTOR: Any = FileDescriptor

_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class EagerServer(tcp.Server):
    """An accepted connection. In TLS it behaves as Twisted's own."""

    logstr = "connection"
    repstr = "<EagerServer>"
    _shouldShutdown = False  # nobody else holds the descriptor: close alone ends it, for one system call less
    _reading = False
    _done = False
    _held = b""  # written, and sent at the end of the reactor's round

    def __init__(
        self,
        connection: socket.socket,
        protocol: Any,
        client: tuple[Any, ...],
        server: EagerPort,
        number: int,
        reactor: Any,
    ) -> None:
        # What tcp.Server.__init__ does, less the making of two log texts that nobody reads.
        tcp.Connection.__init__(self, connection, protocol, reactor)
        if len(client) != 2:
            self._addressType = IPv6Address
        self.server = server
        self.client = client
        self.sessionno = number
        self.hostname = client[0]
        self._round: Held | None = getattr(reactor, "held", None)
        _DESCRIPTOR.startReading(self)
        self.connected = 1

    def write(self, data: bytes) -> None:
        """Send soon what the socket takes; the rest when it takes more."""
        if self.TLS or self._tempDataLen or self.dataBuffer or not self.connected or self._writeDisconnected:
            _SERVER.write(self, data)
            return
        held = self._held
        if self._round is None or len(held) + len(data) > HELD_OCTETS:
            self._held = b""
            self._send(held + data)
        elif held:
            self._held = held + data
        else:
            self._held = data
            self._round.add(self)

    def send_held(self) -> None:
        """Send now what was held back, if anything was."""
        held = self._held
        if held:
            self._held = b""
            self._send(held)

    def _send(self, data: bytes) -> None:
        try:
            sent = self.socket.send(data)
        except OSError:
            sent = 0  # would block, or is gone: the reactor's turn finds out which
        if sent < len(data):
            _DESCRIPTOR.write(self, data[sent:])

    def doRead(self) -> Any:
        """Read once; closes at once if that made the protocol close with nothing left to send."""
        try:
            data = self.socket.recv(self.bufferSize)
        except BlockingIOError:
            return None
        except OSError:
            return main.CONNECTION_LOST
        if not data:
            return main.CONNECTION_DONE
        self._reading = True
        try:
            self.protocol.dataReceived(data)  # in TLS, that of the layer in between
        finally:
            self._reading = False
        return main.CONNECTION_DONE if self._done else None

    def loseConnection(self) -> None:
        """Close when everything is sent."""
        self.send_held()
        if self._reading and self.connected and not (self.TLS or self.disconnecting or self.unsent()):
            self.disconnecting = 1
            self._done = True
            return
        _SERVER.loseConnection(self)

    def loseWriteConnection(self) -> None:
        """Close our side when everything is sent."""
        self.send_held()
        _SERVER.loseWriteConnection(self)

    def abortConnection(self) -> None:
        """Cut it off. What the socket takes was written before."""
        self.send_held()
        _SERVER.abortConnection(self)

    def startTLS(self, ctx: Any, normal: bool = True) -> None:
        """From here on in TLS."""
        self.send_held()
        _SERVER.startTLS(self, ctx, normal)

    def connectionLost(self, reason: Failure) -> None:
        """It is over."""
        self.send_held()
        _SERVER.connectionLost(self, reason)

    def readConnectionLost(self, reason: Failure) -> None:
        """The peer sends no more. The protocol may still have something to say (half-close)."""
        protocol: Any = self.protocol
        if self.disconnecting or self.TLS or not protocol.input_ended():
            self.connectionLost(reason)

    def _closeWriteConnection(self) -> None:
        with contextlib.suppress(OSError):  # it may be gone already
            self.socket.shutdown(socket.SHUT_WR)

    def unsent(self) -> int:
        """Octets written and not yet given to the system."""
        return len(self.dataBuffer) - self.offset + self._tempDataLen + len(self._held)

    def undelivered(self) -> int:
        """Octets that the peer's system has not acknowledged: ours and the system's buffers."""
        queued = struct.unpack("i", ioctl(self.socket, termios.TIOCOUTQ, b"\0\0\0\0"))[0]
        return int(queued) + self.unsent()


class EagerClient(EagerServer):
    """A connection that we opened: like an accepted one, but that TLS makes a client of us."""

    repstr = "<EagerClient>"
    _tlsClientDefault = True

    def __init__(self, connection: socket.socket, protocol: Any, address: tuple[Any, ...], reactor: Any) -> None:
        nobody: Any = None
        super().__init__(connection, protocol, address, nobody, 0, reactor)


class EagerPort(tcp.Port):
    """A listening socket whose connections are `EagerServer`s.

    Out of descriptors (or memory for sockets) it rests for `REST_SECONDS` and tries again: peers wait
    in the backlog meanwhile, nothing spins, nobody is cut off.
    """

    _log = Logger()
    _resting = False

    def createInternetSocket(self) -> socket.socket:
        """As Twisted's; IPv6 alone on IPv6, so that 0.0.0.0 and :: can be had side by side."""
        made: socket.socket = _PORT.createInternetSocket(self)
        if self.addressFamily == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        # Accepted sockets inherit both (Linux): a small last piece does not wait for the peer's delayed ACK.
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        return made

    def doRead(self) -> None:
        """Accept what waits."""
        for _ in range(ACCEPTS_AT_ONCE):
            try:
                connection, address = self.socket.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in _EXHAUSTED:
                    self._rest(error)
                    return
                continue  # this peer is gone again (ECONNABORTED, a firewall's EPERM)
            self._take(connection, address)

    def _take(self, connection: socket.socket, address: tuple[Any, ...]) -> None:
        factory: Any = self.factory
        transport = None
        try:
            protocol = factory.buildProtocol(None)
            self.sessionno += 1
            transport = EagerServer(connection, protocol, address, self, self.sessionno, self.reactor)
            protocol.makeConnection(transport)
        except Exception:  # noqa: BLE001  a fault in one connection must not end the listening
            self._log.failure("a connection could not be set up")
            if transport is None:
                connection.close()
            else:
                transport.protocol = Protocol()  # nobody is to be told
                _SERVER.abortConnection(transport)

    def _rest(self, error: OSError) -> None:
        """Leave the rest in the backlog for a while."""
        if self._resting:
            return
        self._resting = True
        self._log.warn("connections wait: {error}", error=error.strerror)
        _DESCRIPTOR.stopReading(self)
        reactor: Any = self.reactor
        reactor.callLater(REST_SECONDS, self._go_on)

    def _go_on(self) -> None:
        self._resting = False
        if self.connected and not self.disconnecting:
            _DESCRIPTOR.startReading(self)


__all__ = ["EagerClient", "EagerPort", "EagerServer"]
