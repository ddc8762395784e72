"""SMTP clients in memory: the dialogue, a server by script or our own, and no socket between them.

meeting = ClientMeeting(server=ScriptedServer(answers={"RCPT": ["250 ok", "550 5.1.1 no"]}))
outcome = meeting.send(shipment("bob@b.test", "eve@b.test"))
assert meeting.server.commands[-1] == "QUIT"
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from attrs import define, evolve, field
from twisted.internet.defer import Deferred
from zope.interface import implementer

from worldmail.interfaces.outbound import Hop, HopFailed, IOutgoingContent, Outcome, Security, Shipment, Trouble, Wishes
from worldmail.interfaces.protocol import Peer
from worldmail.mail.address import Address
from worldmail.mail.envelope import Envelope, Recipient, TlsFacts
from worldmail.mail.mime.downgrade import CannotConvert, eight_bit, seven_bit
from worldmail.protocols.smtp.client.dialogue import ClientDialogue
from worldmail.protocols.smtp.client.means import Conversions, Means
from worldmail.testing.feeding import settle
from worldmail.testing.scripted_smtp import ScriptedServer
from worldmail.testing.world import ManualClock, MemoryJournal
from worldmail.wire.effects import Close, Effects, StartTls, Stream
from worldmail.wire.ready import Ready

TLS = TlsFacts(version="TLSv1.3", cipher="TLS_AES_256_GCM_SHA384", bits=256, verified=True)
HOP = Hop(host="mx.b.test", addresses=("192.0.2.1",), port=25, helo="mail.a.test", security=Security.OPPORTUNISTIC)
TEXT = b"Subject: test\r\n\r\n.dot\r\nbody\r\n"


def at_once(work: Callable[[], Any]) -> Awaitable[Any]:
    """Does it here."""
    return Ready(work())


def make_means(**changes: Any) -> Means:
    """The means of a client in memory."""
    values: dict[str, Any] = {
        "clock": ManualClock(),
        "journal": MemoryJournal(),
        "promise": Deferred,
        "conversions": Conversions(seven_bit=seven_bit, eight_bit=eight_bit, impossible=CannotConvert),
        "aside": at_once,
        "nonce": lambda: "nonce",
    }
    return Means(**{**values, **changes})


@implementer(IOutgoingContent)
@define
class MemoryContent:
    """Content that is there, `inline` or only in chunks."""

    octets: bytes
    apart: bool = False
    piece: int = 1000
    size: int = field(init=False)
    inline: bytes | None = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.size = len(self.octets)
        self.inline = None if self.apart else self.octets

    async def chunks(self) -> AsyncIterator[bytes]:
        """In pieces."""
        for at in range(0, len(self.octets), self.piece):
            yield self.octets[at : at + self.piece]


def make_shipment(
    *recipients: str | Recipient,
    text: bytes | IOutgoingContent = TEXT,
    sender: str | None = "alice@a.test",
    wishes: Wishes | None = None,
    **changes: Any,
) -> Shipment:
    """A message; `changes` to its envelope."""
    envelope = Envelope(
        sender=None if sender is None else Address.parse(sender),
        recipients=tuple(
            Recipient(address=Address.parse(recipient)) if isinstance(recipient, str) else recipient
            for recipient in recipients or ("bob@b.test",)
        ),
    )
    return Shipment(
        id="q1",
        envelope=evolve(envelope, **changes),
        wishes=wishes or Wishes(),
        content=MemoryContent(text) if isinstance(text, bytes) else text,
    )


def _glued(data: bytes) -> list[bytes]:
    lines = data.splitlines(keepends=True) or [b""]
    return [
        line[bool(number) :] + after[:1]
        for number, (line, after) in enumerate(zip(lines, [*lines[1:], b""], strict=True))
    ]


CUTS: dict[str, Callable[[bytes], list[bytes]]] = {
    "whole": lambda data: [data] if data else [],
    "octet by octet": lambda data: [data[at : at + 1] for at in range(len(data))],
    "line by line, with the next one's first octet glued on": _glued,
}
"""How what a server says may arrive."""


@define(kw_only=True)
class ClientMeeting:
    """One connection between a dialogue and a server.

    Args:
        hop: as it is asked for; `tls` if the connection is in TLS from the start.
        cut: one of `CUTS`.
        trouble: why there was no conversation.
        closed: why the connection ended; None while it is open.
        writes: what the client sent, by turns.
    """

    server: Any = field(factory=ScriptedServer)
    hop: Hop = HOP
    tls: TlsFacts | None = None
    handshake: str | None = None
    means: Means = field(factory=make_means)
    cut: str = "whole"
    peer_changes: dict[str, Any] = field(factory=dict)
    dialogue: ClientDialogue = field(init=False)
    peer: Peer = field(init=False)
    trouble: Trouble | None = field(default=None, init=False)
    ready: bool = field(default=False, init=False)
    closed: str | None = field(default=None, init=False)
    writes: list[bytes] = field(factory=list, init=False)
    _woken: bool = field(default=False, init=False)
    _inbox: deque[bytes] = field(factory=deque, init=False)

    def __attrs_post_init__(self) -> None:
        self.dialogue = self.make_dialogue()
        self.peer = Peer(
            session="c1", host="192.0.2.1", port=25, local_host="192.0.2.9", local_port=40000, tls=self.tls
        )
        for name, value in self.peer_changes.items():
            setattr(self.peer, name, value)
        self.peer.wake, self.peer.abort = self._wake, self.lose
        self._inbox += CUTS[self.cut](self.server.open())
        self._carry_out(self.dialogue.opened(self.peer))
        self._go_on()

    def make_dialogue(self) -> ClientDialogue:
        """Its own, which it waits for."""
        dialogue = ClientDialogue(self.hop, self.means)
        Deferred.fromCoroutine(dialogue.ready()).addCallbacks(self._is_ready, self._has_failed)
        return dialogue

    def send(self, shipment: Shipment) -> Outcome:
        """Carry it through as far as it goes; what the peer does not answer times out."""
        results: list[Outcome] = []
        self.begin(shipment, results)
        if not results:
            self.time_out()
        return results[0]

    def begin(self, shipment: Shipment, results: list[Outcome]) -> None:
        """Carry it through as far as it goes."""
        sent = self.dialogue.send(shipment)
        if isinstance(sent, Ready):
            results.append(sent.value)
        else:
            assert isinstance(sent, Deferred)
            sent.addCallback(results.append)
        self._go_on()

    def quit(self) -> None:
        """Say goodbye."""
        self.dialogue.close()
        self._go_on()

    def time_out(self) -> None:
        """The peer was silent for too long."""
        if self.closed is None:
            self._write(b"".join(effect for effect in self.dialogue.timed_out() if isinstance(effect, bytes)))
            self.lose("timed out")

    def lose(self, reason: str) -> None:
        """The connection breaks."""
        if self.closed is None:
            self.closed = reason
            self.dialogue.closed(reason)

    def hear(self, said: bytes) -> None:
        """The server says this by itself."""
        self._inbox += CUTS[self.cut](said)
        self._go_on()

    @property
    def commands(self) -> list[str]:
        """What a scripted server was told behind EHLO."""
        said: list[str] = self.server.commands
        return [line for line in said if not line.startswith(("EHLO", "LHLO"))]

    # --- the driver's part -------------------------------------------------------------------

    def _is_ready(self, _: None) -> None:
        self.ready = True

    def _has_failed(self, failure: Any) -> None:
        failure.trap(HopFailed)
        self.trouble = failure.value.trouble

    def _wake(self) -> None:
        self._woken = True

    def _go_on(self) -> None:
        """Until nobody has anything to say."""
        while self.closed is None and (self._inbox or self._woken):
            self._woken = False
            if self._inbox:
                self.dialogue.receive(self._inbox.popleft())
            self._take_events()
        if self.server.closed:
            self.lose("closed by peer")

    def _take_events(self) -> None:
        while self.closed is None and (event := self.dialogue.next_event()) is not None:
            self._carry_out(settle(self.dialogue.handle(event)))

    def _carry_out(self, effects: Effects) -> None:
        output = b""
        for effect in effects:
            if isinstance(effect, bytes):
                output += effect
            elif isinstance(effect, Stream):
                self._write(output)
                output = b""
                try:
                    settle(self._stream(effect))
                except Exception:  # noqa: BLE001  the driver closes the connection for it
                    self.lose("internal error")
            elif isinstance(effect, StartTls):
                self._write(output)
                output = b""
                self._start_tls()
            elif isinstance(effect, Close):
                self._write(output)
                output = b""
                self.lose(effect.reason)
        self._write(output)

    async def _stream(self, effect: Stream) -> None:
        async for chunk in effect.chunks:
            self._write(chunk)

    def _start_tls(self) -> None:
        failure = "what came is not TLS" if self._inbox else self.handshake
        if failure is not None:
            self.peer.tls_failure = failure
            self.lose(f"TLS handshake failed: {failure}")
        elif self.dialogue.buffered():
            self.lose("input behind STARTTLS")
        else:
            self.peer.tls = TLS
            self.server.secure()
            self._carry_out(self.dialogue.secured(self.peer))

    def _write(self, data: bytes) -> None:
        if data:
            self.writes.append(data)
            if not self.server.closed:
                self._inbox += CUTS[self.cut](self.server.receive(data))
