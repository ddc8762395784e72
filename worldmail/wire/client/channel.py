"""What the courses of a client's conversation say and hear, and how it ends."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar, Protocol

from worldmail.mail.envelope import TlsFacts
from worldmail.wire.client.means import ClientMeans
from worldmail.wire.client.reader import LineReader
from worldmail.wire.courses import next_event
from worldmail.wire.effects import Close, Effect, Effects, StartTls

SECURED = object()
"""The event that TLS was started."""


class ClientPeer(Protocol):
    """What a client knows of its connection: see `worldmail.interfaces.protocol.Peer`."""

    host: str
    port: int
    tls: TlsFacts | None
    tls_failure: str | None
    channel_binding: Callable[[str], bytes | None]
    wake: Callable[[], None]
    abort: Callable[[str], None]


class ClientChannel(ABC):
    """One conversation, as its coroutines see it.

    Args:
        host: the server's name.

    Attributes:
        LOST: what courses raise, and are told, where the conversation is over.
        FAILED: what they raise, and who waits is told, where there is no conversation as it was asked for.
        GOODBYE: what is said before it closes where nobody waits for the answer; b"" if that is nothing.
        peer: the connection, once it is there.
        server: the server as log and trace name it.
        effects: what is to be done next.
        timeout: seconds the server has for what is waited for.
        over: nothing can be said any more.
    """

    __slots__ = ("effects", "means", "over", "peer", "reader", "server", "timeout")

    LOST: ClassVar[type[Exception]]
    FAILED: ClassVar[type[Exception]]
    GOODBYE: ClassVar[bytes] = b""

    peer: ClientPeer

    def __init__(self, host: str, means: ClientMeans, reader: LineReader, timeout: float) -> None:
        self.means = means
        self.server = host
        self.reader = reader
        self.timeout = timeout
        self.effects: list[Effect] = []
        self.over = False

    def meet(self, peer: ClientPeer) -> None:
        """The connection is there. To be called once."""
        self.peer = peer
        name = "" if self.server.strip("[]") == peer.host else self.server
        self.server = f"{name}[{peer.host}]:{peer.port}"

    def taken(self) -> Effects:
        """What is to be done, given away."""
        effects, self.effects = self.effects, []
        return effects

    def put(self, *effects: Effect) -> None:
        """Have this done, in order, behind what was put before."""
        self.effects += effects

    def drop(self, reason: str) -> None:
        """Nothing more is said; the connection closes."""
        if not self.over:
            self.over = True
            self.put(Close(reason))

    async def secure(self, otherwise: Callable[[str, str], Exception]) -> None:
        """Start TLS.

        Args:
            otherwise: `lost` or `failed`: makes what is raised if the server spoke behind its consent (RFC 2595 §4,
                RFC 3207 §6).
        """
        if self.reader.buffered():
            raise otherwise("4.7.0", "The server said something in the clear behind its consent to TLS")
        self.put(StartTls())
        said = await next_event()
        assert said is SECURED

    def lost(self, status: str, reason: str) -> Exception:
        """One that is `LOST`. `status`: a code of RFC 3463, of class 4, where that is told."""
        return self.LOST(reason)

    @abstractmethod
    def failed(self, status: str, reason: str) -> Exception:
        """One that is `FAILED` and may go better later."""

    def failed_by(self, lost: Exception) -> Exception:
        """What who waits for the conversation is told of this that is `LOST`."""
        return self.failed("4.4.2", str(lost))

    def given_up(self, error: Exception) -> Exception:
        """There is no conversation for this: it closes, and this, `FAILED`, is what who waits for it is told."""
        if isinstance(error, self.FAILED):
            if self.GOODBYE:
                self.put(self.GOODBYE)
            self.drop(str(error))
            return error
        if isinstance(error, self.LOST):
            self.drop(str(error))
            return self.failed_by(error)
        return self.failed("4.3.0", "An error of ours")  # who raised it closes
