"""Listening for connections, as a service."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterable
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import gatherResults, maybeDeferred
from twisted.internet.error import CannotListenError

from worldmail.errors import ConfigurationError
from worldmail.transport.factory import ConnectionFactory
from worldmail.transport.sockets import EagerPort

BACKLOG = 1024
"""Connections that may wait to be accepted (the system's net.core.somaxconn may be lower)."""

_SERVICE: Any = Service  # its methods have no annotations

_REASONS = {
    errno.EADDRINUSE: "something else listens there",
    errno.EACCES: "not permitted (ports below 1024 take root, or CAP_NET_BIND_SERVICE)",
    errno.EPERM: "not permitted",
    errno.EADDRNOTAVAIL: "this machine has no such address",
    errno.EAFNOSUPPORT: "this machine does not speak that version of IP",
}


class Listener(Service):
    """One protocol's connections on one or more addresses.

    Binds in `privilegedStartService` (or in `startService` if that was left out), accepts from `startService` on;
    what connects in between waits. `stopService` stops listening at once, then lets sessions end.

    Args:
        factory: what makes the connections.
        places: (numeric address, port) pairs; "*" stands for all addresses of both families, port 0 for any port.
        reactor: the reactor.
        grace: seconds that sessions have to end.
    """

    def __init__(
        self, factory: ConnectionFactory, places: Iterable[tuple[str, int]], *, reactor: Any, grace: float = 10.0
    ) -> None:
        self.factory = factory
        self.places = tuple(places)
        self._reactor = reactor
        self._grace = grace
        self._ports: list[Any] = []

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Where it listens now: (address, port), the real ports."""
        return [port.socket.getsockname()[:2] for port in self._ports]

    def privilegedStartService(self) -> None:
        """Bind, if that was not done yet. Raises: `ConfigurationError` in one line; then nothing is bound."""
        if self._ports:
            return
        _SERVICE.privilegedStartService(self)
        try:
            for host, port in self.places:
                self._bind(host, port)
        except ConfigurationError:
            self._stop_listening()
            raise

    def startService(self) -> None:
        """Accept connections."""
        self.privilegedStartService()
        _SERVICE.startService(self)
        for port in self._ports:
            port.startReading()

    def stopService(self) -> Any:
        """Listen no more; a Deferred that fires when all sessions are gone."""
        _SERVICE.stopService(self)
        closed = self._stop_listening()
        return gatherResults([*closed, self.factory.shutdown(self._grace)], consumeErrors=True)

    def _stop_listening(self) -> list[Any]:
        ports, self._ports = self._ports, []
        return [maybeDeferred(port.stopListening) for port in ports]

    def _bind(self, host: str, number: int) -> None:
        if host == "*":
            self._bind("0.0.0.0", number)
            if socket.has_ipv6 and _speaks_ipv6():
                self._bind("::", number)
            return
        port: Any = EagerPort(number, self.factory, BACKLOG, host, self._reactor)
        try:
            port.startListening()
        except CannotListenError as error:
            cause: Any = error.socketError
            reason = _REASONS.get(getattr(cause, "errno", 0), str(cause))
            place = f"[{host}]:{number}" if ":" in host else f"{host}:{number}"
            raise ConfigurationError(f"cannot listen on {place} for {self.factory.name}: {reason}") from None
        port.stopReading()
        self._ports.append(port)


def _speaks_ipv6() -> bool:
    """Is there IPv6 on this machine at all?"""
    try:
        socket.socket(socket.AF_INET6, socket.SOCK_STREAM).close()
    except OSError:
        return False
    return True
