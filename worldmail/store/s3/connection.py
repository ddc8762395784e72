"""Connections to the endpoint: one request and its whole reply, in bounded time and memory. Blocks; for threads.

Each wait for the peer is bounded twice, by a time for the next octets and by the end of the whole work, so that neither
silence nor a trickle holds a thread. A connection is used again while it lies idle for a short time only.
"""

from __future__ import annotations

import http.client
import select
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from attrs import define, frozen

from worldmail.errors import ConfigurationError

IDLE = 15.0
"""Seconds for which an idle connection is kept; services close theirs after 20 and more."""

_BLOCK = 256 * 1024
_LONGEST_REASON = 200


class Unanswered(Exception):
    """There was no whole reply; the text says why."""


@frozen(kw_only=True)
class Endpoint:
    """Where requests go. `encrypted` tells whether by TLS."""

    host: str
    port: int
    encrypted: bool


@frozen(kw_only=True)
class Answer:
    """A whole reply; names of headers in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@define(kw_only=True)
class Patience:
    """How long is waited: `idle` seconds for the next octets, until `end` (monotonic) in all."""

    idle: float
    end: float

    def left(self) -> float:
        """Seconds for the next wait. Raises TimeoutError if there are none."""
        left = self.end - time.monotonic()
        if left <= 0:
            raise TimeoutError("the time was up")
        return min(left, self.idle)


class _Bounded:
    """Mixed into a socket: no wait is longer than the patience of its connection."""

    patience: Patience
    settimeout: Any

    def recv_into(self, *arguments: Any) -> Any:
        self.settimeout(self.patience.left())
        return super().recv_into(*arguments)  # type: ignore[misc]  # the socket's

    def send(self, *arguments: Any) -> Any:
        self.settimeout(self.patience.left())
        return super().send(*arguments)  # type: ignore[misc]  # the socket's

    def sendall(self, *arguments: Any) -> Any:
        self.settimeout(self.patience.left())
        return super().sendall(*arguments)  # type: ignore[misc]  # the socket's


class _PlainSocket(_Bounded, socket.socket):
    pass


class _TlsSocket(_Bounded, ssl.SSLSocket):
    pass


class _Connection(http.client.HTTPConnection):
    def __init__(self, endpoint: Endpoint, context: ssl.SSLContext | None) -> None:
        super().__init__(endpoint.host, endpoint.port, blocksize=_BLOCK)
        self._context = context
        self.patience = Patience(idle=0, end=0)
        self.since = 0.0
        self._is_cut = False

    def connect(self) -> None:
        """Connect and, if it is to be encrypted, verify the peer. From its first moment on `cut` reaches the socket."""
        raw = self._reach()
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._context is None:
            self._watched(_PlainSocket(fileno=raw.detach()))
        else:
            # Not in one step: it would hide the socket until the peer has shaken hands.
            wrapped = self._context.wrap_socket(raw, server_hostname=self.host, do_handshake_on_connect=False)
            self._watched(wrapped)
            wrapped.settimeout(self.patience.left())
            wrapped.do_handshake()

    def cut(self) -> None:
        """From any thread: whatever waits for the peer fails at once."""
        self._is_cut = True
        with suppress(OSError, AttributeError):  # not connected, or closed in this moment
            # An SSLSocket's own method would forget its encryption first, and who is sending go on in the clear.
            socket.socket.shutdown(self.sock, socket.SHUT_RDWR)

    def _reach(self) -> socket.socket:
        """A socket that is connected to the first address that answers."""
        failure: OSError = OSError("the host has no address")
        for family, kind, protocol, _, address in socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM):
            raw = socket.socket(family, kind, protocol)
            try:
                self._watched(raw)
                raw.settimeout(self.patience.left())
                raw.connect(address)
            except OSError as error:
                raw.close()
                failure = error
            else:
                return raw
        raise failure

    def _watched(self, sock: socket.socket) -> None:
        self.sock = sock
        if self._is_cut:  # looked at after the socket is there, as `cut` sets it before looking for the socket
            raise ConnectionAbortedError("the server stops")

    def use(self, patience: Patience) -> None:
        """Wait by this patience from now on."""
        self.patience = patience
        if self.sock is None:
            self.connect()
        self.sock.patience = patience  # type: ignore[union-attr]  # one of ours, see connect

    def is_silent(self) -> bool:
        """False if the peer has closed it, or says what nobody asked for."""
        poll = select.poll()
        poll.register(self.sock, select.POLLIN)
        return not poll.poll(0)


class Connections:
    """Connections to one endpoint, for any number of threads.

    Args:
        timeout: seconds to wait for a connection and for the next octets on one.
        ca_file: certificates to verify the endpoint's by; None for those of the system.
    """

    def __init__(self, endpoint: Endpoint, timeout: float, ca_file: Path | None) -> None:
        self._endpoint = endpoint
        self._timeout = timeout
        self._ca_file = ca_file
        self._lock = threading.Lock()
        self._context: ssl.SSLContext | None = None
        self._idle: list[_Connection] = []
        self._used: set[_Connection] = set()
        self._stopped = False

    def ask(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str],
        body: bytes | BinaryIO,
        *,
        most: int,
        end: float,
    ) -> Answer:
        """Send a request and read its reply.

        Args:
            headers: all of them; content-length is the body's.
            most: the longest reply that is taken, in octets.
            end: when the time for it is up (monotonic).

        Raises: `Unanswered`, `ConfigurationError` if ca_file cannot be read.
        """
        try:
            with self._connection(Patience(idle=self._timeout, end=end)) as connection:
                connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
                for name, value in headers.items():
                    connection.putheader(name, value)
                connection.endheaders(body, encode_chunked=False)
                return _answer(connection.getresponse(), most)
        except OSError as error:
            raise Unanswered(f"{type(error).__name__}: {error}"[:_LONGEST_REASON]) from None
        except (http.client.HTTPException, ValueError) as error:
            # Only what it is: its text may hold what was sent.
            raise Unanswered(f"no HTTP: {type(error).__name__}") from None

    def stop(self) -> None:
        """Cut everything off: what waits fails at once, and nothing new is begun."""
        with self._lock:
            self._stopped = True
            idle, self._idle = self._idle, []
            for connection in self._used:
                connection.cut()
        for connection in idle:
            connection.close()

    @contextmanager
    def _connection(self, patience: Patience) -> Iterator[_Connection]:
        connection = self._take()
        try:
            connection.use(patience)
            yield connection
        except BaseException:
            self._give_back(connection, keep=False)
            raise
        self._give_back(connection, keep=connection.sock is not None)

    def _take(self) -> _Connection:
        with self._lock:
            if self._stopped:
                raise ConnectionAbortedError("the server stops")
            while self._idle:
                connection = self._idle.pop()
                if time.monotonic() - connection.since < IDLE and connection.is_silent():
                    break
                connection.close()
            else:
                connection = _Connection(self._endpoint, self._tls())
            self._used.add(connection)
            return connection

    def _give_back(self, connection: _Connection, *, keep: bool) -> None:
        with self._lock:
            self._used.discard(connection)
            if keep and not self._stopped:
                connection.since = time.monotonic()
                self._idle.append(connection)
                return
        connection.close()

    def _tls(self) -> ssl.SSLContext | None:
        if self._endpoint.encrypted and self._context is None:
            try:
                made = ssl.create_default_context(cafile=None if self._ca_file is None else str(self._ca_file))
            except OSError as error:
                raise ConfigurationError(f"[s3] ca_file: {self._ca_file}: {error.strerror or error}") from None
            made.minimum_version = ssl.TLSVersion.TLSv1_2
            made.sslsocket_class = _TlsSocket
            self._context = made
        return self._context


def _answer(response: http.client.HTTPResponse, most: int) -> Answer:
    pieces, octets = [], 0
    while piece := response.read(min(_BLOCK, most + 1 - octets)):
        pieces.append(piece)
        octets += len(piece)
        if octets > most:
            raise ConnectionAbortedError(f"a reply of more than {most} octets")
    if response.length:  # what Content-Length promised beyond what came
        raise ConnectionAbortedError(f"a reply that ends {response.length} octets early")
    headers = {name.lower(): value for name, value in response.getheaders()}
    return Answer(status=response.status, headers=headers, body=b"".join(pieces))
