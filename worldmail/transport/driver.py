"""The connections of a listener: dialogues that greet, addresses that are counted."""

from __future__ import annotations

from typing import Any

from worldmail.transport.factory import ConnectionFactory
from worldmail.transport.turns import Turns


class DialogueProtocol(Turns):
    """A connection that a peer opened, and its dialogue."""

    factory: ConnectionFactory

    def connectionMade(self) -> None:
        """Greet, or refuse."""
        factory = self.factory
        peer = self.begin(factory.make_dialogue(), factory.limits)
        refusal = factory.joined(self)
        self.transport.registerProducer(self, True)
        if factory.implicit_tls:
            refusal = refusal or factory.no_handshake(peer)
            if refusal is not None:
                self.abort(refusal)
                return
            self.secure()
        if refusal is not None:
            self.refuse(refusal)
        elif factory.stopping:
            self.stop()
        elif self._securing and factory.greets_secured:
            self._unopened = True
        else:
            self.open()

    def spend(self, events: int) -> None:
        """Take events from the address's allowance."""
        if events and not self._over and not self._exchanged:
            refusal = self.factory.overspent(self.peer, events)
            if refusal is not None:
                self.refuse(refusal)

    def no_handshake(self) -> str | None:
        """There is no certificate, or there were too many from this address."""
        return self.factory.no_handshake(self.peer)

    def tls_side(self) -> Any:
        """The server's."""
        return self.factory.context_factory()


class DialogueFactory(ConnectionFactory):
    """Makes a `DialogueProtocol` for each connection of a listener."""

    protocol = DialogueProtocol
