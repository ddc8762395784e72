"""What a connection is beside its turns: who is at the other end, whether in TLS, how it ends and is logged."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from twisted.python.failure import Failure

from worldmail.interfaces.protocol import IDialogue, Peer
from worldmail.mail.envelope import TlsFacts
from worldmail.transport.connections import Connections
from worldmail.transport.ends import make_peer, no_abort, no_binding, no_wake
from worldmail.transport.facts import channel_binding, tls_facts
from worldmail.transport.incoming import Incoming
from worldmail.transport.limits import Limits
from worldmail.transport.outgoing import why
from worldmail.wire.effects import Effects


class Standing(Incoming):
    """The beginning and the end of a connection, and its TLS."""

    factory: Connections
    peer: Peer
    _securing = False  # a TLS handshake is under way
    _unopened = False  # the dialogue is opened once it is over
    _began: float

    def begin(self, dialogue: IDialogue, limits: Limits | None = None) -> Peer:
        """The connection is there, and is this dialogue's."""
        self._output = []
        self._began = time.monotonic()
        self.dialogue = dialogue
        peer = self.peer = make_peer(self.transport, limits)
        peer.wake, peer.abort = self._wake, self.abort
        return peer

    def _wake(self) -> None:
        self.factory.wakes.add(self)

    def woken(self) -> None:
        """The dialogue asked for a turn."""

    # -- what differs with who opened the connection ------------------------------

    def spend(self, events: int) -> None:
        """So many events were acted upon."""

    def no_handshake(self) -> str | None:
        """Why there can be no TLS handshake now; None if there can. Counts it."""
        return None

    def tls_side(self) -> Any:
        """Our side of the handshake: what the transport's `startTLS` takes."""
        raise TypeError("no TLS on this connection")

    def facts(self) -> TlsFacts:
        """What the handshake came to."""
        return tls_facts(self.transport.getHandle())

    def why(self, reason: Failure) -> str:
        """Why the connection is gone."""
        return why(reason, self._securing)

    def record(self) -> dict[str, Any]:
        """What the log says of this connection."""
        peer = self.peer
        return {
            "session": peer.session,
            "listener": self.factory.name,
            "peer": peer.host,
            "seconds": round(time.monotonic() - self._began, 3),
            "octets_in": self._octets_in,
            "octets_out": self._octets_out,
            "reason": self._reason,
            "tls": None if peer.tls is None else peer.tls.version,
        }

    # -- TLS -------------------------------------------------------------------------

    def secure(self) -> None:
        """Begin the handshake."""
        self._securing = True
        self.deadline = time.monotonic() + self.factory.handshake_timeout
        self.transport.startTLS(self.tls_side())

    def _channel_binding(self, kind: str) -> bytes | None:
        return None if self._gone else channel_binding(self.transport.getHandle(), kind)

    # -- the end -----------------------------------------------------------------------

    def _shut(self, reason: str) -> None:
        self.close(reason, unread=self._unread or self.behind() > 0)

    def refuse(self, reason: str) -> None:
        """Not this peer, not now: so the dialogue says, and we close."""
        self._last_words(lambda: self.dialogue.refused(reason), reason)

    def _last_words(self, words: Callable[[], Effects], reason: str) -> None:
        """Let the dialogue say a last thing, then close."""
        if self._over:
            return
        try:
            self._output += [effect for effect in words() if isinstance(effect, bytes)]
        except Exception as error:  # noqa: BLE001  a dialogue's fault is logged, and must not spread
            self._fault(error)
        self._shut(reason)

    def _finish(self) -> None:
        """Tell the dialogue, once, and the log."""
        factory, peer = self.factory, self.peer
        self._tell_end(self.dialogue, self._reason)
        factory.journal.record("connection", **self.record())
        peer.channel_binding, peer.wake, peer.abort = no_binding, no_wake, no_abort  # they refer to us
        factory.left(self)

    def _tell_end(self, dialogue: IDialogue, reason: str) -> None:
        try:
            dialogue.closed(reason)
        except Exception as error:  # noqa: BLE001  a dialogue's fault is logged, and must not spread
            self._fault(error)

    def _fault(self, error: Exception) -> None:
        self.factory.journal.failure("dialogue.failed", error, session=self.peer.session)
