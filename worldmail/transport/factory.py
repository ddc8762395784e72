"""What all connections of one listener share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from worldmail.interfaces.protocol import IDialogue, Peer
from worldmail.interfaces.world import IJournal, ITls
from worldmail.transport.connections import Connections
from worldmail.transport.limits import Limits


class ConnectionFactory(Connections):
    """Makes a listener's connections, counts them, knows them, and stops them.

    Args:
        make_dialogue: makes the dialogue of one connection.
        name: of the listener, for the log ("smtp", "submissions").
        reactor: for timers.
        journal: where the record of each connection goes.
        tls: our certificates; None if there are none.
        implicit_tls: connections begin with the TLS handshake (RFC 8314 §3).
        limits: of connections and rates, shared with all other listeners; None for none.
        handshake_timeout: seconds that a TLS handshake may take.
        greets_secured: with `implicit_tls`, dialogues are opened once TLS is there and they can see what was negotiated
            (a round trip later than else).
    """

    def __init__(
        self,
        make_dialogue: Callable[[], IDialogue],
        *,
        name: str,
        reactor: Any,
        journal: IJournal,
        tls: ITls | None = None,
        implicit_tls: bool = False,
        limits: Limits | None = None,
        handshake_timeout: float = 30.0,
        greets_secured: bool = False,
    ) -> None:
        super().__init__(name=name, reactor=reactor, journal=journal, handshake_timeout=handshake_timeout)
        self.make_dialogue = make_dialogue
        self.tls = tls
        self.implicit_tls = implicit_tls
        self.limits = limits
        self.greets_secured = greets_secured

    def follow(self, other: ConnectionFactory) -> None:
        """Make connections as another does from now on. Those that are there, and what is counted, stay."""
        self.make_dialogue, self.name = other.make_dialogue, other.name
        self.implicit_tls, self.greets_secured = other.implicit_tls, other.greets_secured

    # -- what connections ask ------------------------------------------------------

    def joined(self, connection: Any) -> str | None:
        """A connection is there. None, or why it is one too many."""
        self.connections.add(connection)
        peer: Peer = connection.peer
        return None if self.limits is None else self.limits.admit(peer.host, peer.exempt)

    def left(self, connection: Any) -> None:
        """A connection is gone."""
        if self.limits is not None:
            self.limits.release(connection.peer.host)
        super().left(connection)

    def no_handshake(self, peer: Peer) -> str | None:
        """Why this peer cannot have a TLS handshake now; None if it can. Counts it."""
        if self.tls is None or not self.tls.available():
            return "no certificate"
        if self.limits is None or peer.exempt or self.limits.may_secure(peer.host):
            return None
        return "too many TLS handshakes from your address"

    def overspent(self, peer: Peer, events: int) -> str | None:
        """Count commands. None, or the reason why that is too many."""
        if self.limits is None or peer.exempt or self.limits.spend(peer.host, events):
            return None
        return "too many commands from your address"

    def context_factory(self) -> Any:
        """What `startTLS` takes."""
        return None if self.tls is None else self.tls.context_factory()
