"""What connections share that belong together: those of one listener, or those that we open."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.protocol import Factory

from worldmail.interfaces.world import IJournal
from worldmail.transport.sweep import Sweep
from worldmail.transport.wakes import Wakes


class Connections(Factory[Any]):
    """Knows connections, looks at their deadlines, wakes them and stops them.

    Args:
        name: for the log ("smtp", "submissions").
        reactor: for timers.
        journal: where the record of each connection goes.
        handshake_timeout: seconds that a TLS handshake may take.
    """

    noisy = False

    def __init__(self, *, name: str, reactor: Any, journal: IJournal, handshake_timeout: float = 30.0) -> None:
        self.name = name
        self.reactor = reactor
        self.journal = journal
        self.handshake_timeout = handshake_timeout
        self.connections = Sweep(reactor)
        self.wakes = Wakes(reactor)
        self.stopping = False
        self._emptied: Deferred[None] | None = None
        self._limit: Any = None

    def shutdown(self, grace: float = 10.0) -> Deferred[None]:
        """Let every connection say its last words and close; fires when all are gone.

        What waits for its peer is told at once, what is at work after that; what is still there
        after `grace` seconds is cut off, and what is then at work for a second more is not waited for.
        """
        self.stopping = True
        for connection in self.connections:
            connection.stop()
        if not self.connections:
            self.connections.stop()
            return succeed(None)
        if self._emptied is None:
            self._emptied = Deferred()
            self._limit = self.reactor.callLater(grace, self._cut)
        return self._emptied

    def _cut(self) -> None:
        self._limit = self.reactor.callLater(1.0, self._all_gone)
        for connection in self.connections:
            connection.abort("server stopping")

    def _all_gone(self) -> None:
        self.connections.stop()
        if self._limit is not None and self._limit.active():
            self._limit.cancel()
        emptied, self._emptied = self._emptied, None
        if emptied is not None:
            emptied.callback(None)

    def left(self, connection: Any) -> None:
        """A connection is gone."""
        self.connections.discard(connection)
        if self._emptied is not None and not self.connections:
            self._all_gone()
