"""Connections that we open: to one of a hop's addresses, run by the same turns as those of our listeners.

What a server's connections do not need is here: the handshake of a TLS client, and words for what went wrong that a
report to a sender can use.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import evolve
from OpenSSL import SSL
from twisted.internet.defer import Deferred
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from worldmail.interfaces.outbound import Fate, Hop, HopFailed, IConnector, Phase, Shown, Trouble
from worldmail.interfaces.protocol import IDialogue
from worldmail.interfaces.world import IJournal
from worldmail.mail.envelope import TlsFacts
from worldmail.transport.certificate_words import handshake_words
from worldmail.transport.client_tls import ClientTls, Handshake
from worldmail.transport.connections import Connections
from worldmail.transport.dialling import Dialling, NobodyReached, Reached
from worldmail.transport.sockets import EagerClient
from worldmail.transport.turns import Turns

STOPPING = "the server is stopping"


class ClientProtocol(Turns):
    """A connection that we opened, and its dialogue.

    Args:
        address: which of the hop's it leads to.
        ready: fires with the dialogue once it is opened; fails with `HopFailed` if it never is.
    """

    factory: Connector
    _calls = True
    _secured_at = -1  # _octets_in when TLS was there

    def __init__(
        self, factory: Connector, hop: Hop, address: str, dialogue: IDialogue, ready: Deferred[IDialogue]
    ) -> None:
        self.factory = factory
        self.address = address
        self.dialogue = dialogue
        self._hop = hop
        self._ready: Deferred[IDialogue] | None = ready
        self._handshake: Handshake | None = None

    def connectionMade(self) -> None:
        """Open the dialogue, once TLS is there if that comes first (RFC 8314 §3)."""
        self.begin(self.dialogue)
        self.factory.connections.add(self)
        self.transport.registerProducer(self, True)
        if self._hop.implicit_tls:
            self._unopened = True
            self.secure()
        else:
            self.open()

    def open(self) -> None:
        """Its first turn."""
        super().open()
        ready, self._ready = self._ready, None
        if ready is not None:
            ready.callback(self.dialogue)

    # -- TLS -------------------------------------------------------------------------

    def tls_side(self) -> Any:
        """The client's."""
        self._handshake = self.factory.tls.handshake(self._hop)
        return self._handshake

    def handshakeCompleted(self) -> None:
        """Is it the right server's certificate?"""
        handshake = self._handshake
        if self._over or handshake is None:
            return
        refusal = handshake.completed(self.transport.getHandle())
        if handshake.shown is not None:
            self.factory.shown(self._hop, handshake.shown)
        if refusal is None:
            self.peer.pin = handshake.pin_of(self.transport.getHandle())
            self._secured_at = self._octets_in
            super().handshakeCompleted()
        else:
            self.peer.tls_failure = refusal
            self.abort(_handshake_failed(refusal))

    def facts(self) -> TlsFacts:
        """What was negotiated, and that the certificate was good if it had to be."""
        assert self._handshake is not None
        return self._handshake.facts(self.transport.getHandle())

    def look(self, now: float) -> None:
        """The deadline has passed."""
        if self._securing and not self._over:
            self.peer.tls_failure = "timed out"
        super().look(now)

    def why(self, reason: Failure) -> str:
        """Why it is gone, and why there is no TLS if that was being made.

        In TLS 1.3 a server may say no after our side of the handshake is done, in place of the first octet.
        """
        late = isinstance(reason.value, SSL.Error) and self._octets_in == self._secured_at
        if not (self._securing or late):
            return super().why(reason)
        refusal = None if self._handshake is None else self._handshake.refusal
        self.peer.tls_failure = refusal or handshake_words(reason.value)
        return _handshake_failed(self.peer.tls_failure)

    # -- the end -----------------------------------------------------------------------

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """It is gone."""
        if self._handshake is not None and not self._securing:
            self._handshake.keep(self.transport.getHandle())
        super().connectionLost(reason)
        ready, self._ready = self._ready, None
        if ready is not None:
            status = "4.3.2" if self.peer.tls_failure is None else "4.7.5"
            ready.errback(hop_failed(self._hop, Phase.TLS, status, self._reason, self.address))

    def give_up(self) -> None:
        """Whoever waited for it waits no more."""
        self._ready = None
        self.abort("cancelled")

    def record(self) -> dict[str, Any]:
        """What the log says of it: also whom we called."""
        return super().record() | {"server": self._hop.host, "tls_failure": self.peer.tls_failure}


@implementer(IConnector)
class Connector(Connections):
    """Opens connections, knows them, and stops them.

    Args:
        tls: how we are a TLS client.
        connect_timeout: seconds that one address has to answer.
        head_start: seconds after which the next address is tried beside it.

    Attributes:
        shown: told what each server of a PINNED hop proved, good or not.
    """

    def __init__(
        self,
        *,
        reactor: Any,
        journal: IJournal,
        tls: ClientTls,
        name: str = "outbound",
        connect_timeout: float = 30.0,
        head_start: float = 1.0,
        handshake_timeout: float = 60.0,
    ) -> None:
        super().__init__(name=name, reactor=reactor, journal=journal, handshake_timeout=handshake_timeout)
        self.tls = tls
        self._connect_timeout = connect_timeout
        self._head_start = head_start
        self._dialling: set[Deferred[Reached]] = set()
        self.shown: Callable[[Hop, Shown], object] = lambda hop, shown: None

    def connect(self, make_dialogue: Callable[[], IDialogue], hop: Hop) -> Deferred[IDialogue]:
        """See `IConnector`. May be cancelled."""
        return Deferred.fromCoroutine(self._connect(make_dialogue, hop))

    async def _connect(self, make_dialogue: Callable[[], IDialogue], hop: Hop) -> IDialogue:
        """At the first address that answers; where TLS comes first, at the first where that succeeds."""
        while True:
            calls: list[ClientProtocol] = []
            try:
                return await self._call(make_dialogue, hop, calls)
            except HopFailed:
                left = hop.addresses[hop.addresses.index(calls[0].address) + 1 :] if calls else ()
                if not left or self.stopping:
                    raise
            hop = evolve(hop, addresses=left)

    def _call(
        self, make_dialogue: Callable[[], IDialogue], hop: Hop, calls: list[ClientProtocol]
    ) -> Deferred[IDialogue]:
        """One connection; `calls` is where it is put."""
        dialling = Dialling(self.reactor, hop.addresses, hop.port, hop.source, self._connect_timeout, self._head_start)
        reached = dialling.result
        ready: Deferred[IDialogue] = Deferred(lambda _: _give_up(reached, calls))
        if self.stopping:
            ready.errback(hop_failed(hop, Phase.CONNECT, "4.3.2", STOPPING))
            return ready
        self._dialling.add(reached)

        def over(result: Any) -> Any:
            self._dialling.discard(reached)
            return result

        def made(reached: Reached) -> None:
            self._run(reached, make_dialogue, hop, ready, calls)

        def failed(failure: Failure) -> None:
            ready.errback(_in_words(failure, hop, self.stopping))

        reached.addBoth(over).addCallback(made).addErrback(failed)
        dialling.start()
        return ready

    def _run(
        self,
        reached: Reached,
        make_dialogue: Callable[[], IDialogue],
        hop: Hop,
        ready: Deferred[IDialogue],
        calls: list[ClientProtocol],
    ) -> None:
        """A dialogue on a connected socket."""
        place = (reached.address, hop.port) + ((0, 0) if ":" in reached.address else ())
        try:
            protocol: Any = ClientProtocol(self, hop, reached.address, make_dialogue(), ready)
        except BaseException:
            reached.connection.close()
            raise
        calls.append(protocol)
        transport: Any = EagerClient(reached.connection, protocol, place, self.reactor)
        try:
            protocol.makeConnection(transport)
        except BaseException:
            protocol.give_up()
            transport.abortConnection()
            raise

    def shutdown(self, grace: float = 10.0) -> Deferred[None]:
        """As of all connections; those that are not made yet fail at once, and so does each new one."""
        self.stopping = True
        for reached in list(self._dialling):
            reached.cancel()
        return super().shutdown(grace)


def server_text(hop: Hop, address: str | None = None) -> str:
    """A server as traces and reports name it: "mx.example[192.0.2.1]:25"."""
    host = "" if address and hop.host.strip("[]") == address else hop.host
    return f"{host}[{address}]:{hop.port}" if address else f"{host}:{hop.port}"


def hop_failed(hop: Hop, phase: Phase, status: str, reason: str, address: str | None = None) -> HopFailed:
    """There is no conversation with it now."""
    trouble = Trouble(fate=Fate.DEFERRED, status=status, phase=phase, server=server_text(hop, address), reason=reason)
    return HopFailed(trouble)


def _in_words(failure: Failure, hop: Hop, stopping: bool) -> Any:
    """What is told to whoever asked for the connection."""
    error = failure.value
    if not isinstance(error, NobodyReached):
        return hop_failed(hop, Phase.CONNECT, "4.3.2", STOPPING) if stopping else failure
    if not error.tried:
        return hop_failed(hop, Phase.NAME, "4.4.4", f"{hop.host} has no addresses")
    first = error.tried[0]
    if len(error.tried) == 1:
        return hop_failed(hop, Phase.CONNECT, first.status, first.words, first.address)
    return hop_failed(hop, Phase.CONNECT, first.status, str(error))


def _give_up(reached: Deferred[Reached], calls: list[ClientProtocol]) -> None:
    reached.cancel()
    for call in calls:
        call.give_up()


def _handshake_failed(words: str) -> str:
    return f"TLS handshake failed: {words}"
