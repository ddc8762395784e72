"""SMTP clients in memory: the dialogue, a server by script or our own, and no socket between them.

meeting = ClientMeeting(server=ScriptedServer(answers={"RCPT": ["250 ok", "550 5.1.1 no"]}))
outcome = meeting.send(shipment("bob@b.test", "eve@b.test"))
assert meeting.server.commands[-1] == "QUIT"
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Any, Protocol

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
from worldmail.testing.world import ManualClock, MemoryJournal
from worldmail.wire.effects import Close, Effects, StartTls, Stream
from worldmail.wire.ready import Ready

TLS = TlsFacts(version="TLSv1.3", cipher="TLS_AES_256_GCM_SHA384", bits=256, verified=True)
OFFERS = "PIPELINING", "8BITMIME", "ENHANCEDSTATUSCODES"
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
    text: bytes | MemoryContent = TEXT,
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
        content=text if isinstance(text, MemoryContent) else MemoryContent(text),
    )


class Server(Protocol):
    """The other end."""

    closed: bool

    def open(self) -> bytes:
        """The connection is there; what it says."""

    def receive(self, data: bytes) -> bytes:
        """What it says to that."""

    def secure(self) -> None:
        """TLS is there."""


@define(kw_only=True)
class ScriptedServer:
    """Says what it is told to say.

    Args:
        answers: by command word ("GREETING", "EHLO", "BDAT", "TEXT" for the end of DATA, "*" for a line of AUTH),
            what to say each time, the last of it forever; "" for nothing, "CLOSE" (behind a text and a space, or
            alone) to close, "SILENCE" to say nothing any more; what servers commonly say where nothing is told.
        offers: the lines of EHLO; those after TLS.
        lmtp: one reply for each accepted recipient at the end of the text.
        commands: what was said to it.
        texts: the messages it was given, dots and all in the case of DATA.
    """

    answers: dict[str, list[str]] = field(factory=dict)
    offers: Iterable[str] = OFFERS
    offers_secured: Iterable[str] | None = None
    lmtp: bool = False
    commands: list[str] = field(factory=list)
    texts: list[bytes] = field(factory=list)
    closed: bool = False
    secured: bool = False
    _mute: bool = False
    _unread: bytes = b""
    _chunk: int | None = None
    _last: bool = False
    _text: bytes = b""
    _in_text: bool = False
    _in_auth: bool = False
    _accepted: int = 0
    _sender: bool = False
    _said: dict[str, int] = field(factory=dict)

    def open(self) -> bytes:
        """Greets."""
        return self._say("GREETING", "220 mx.b.test ESMTP")

    def secure(self) -> None:
        """Forgets what it was told."""
        self.secured = True
        self._unread = b""

    def receive(self, data: bytes) -> bytes:
        """Its replies to what was sent so far."""
        self._unread += data
        output = b""
        while not self.closed and (reply := self._step()) is not None:
            output += reply
        return output

    def _step(self) -> bytes | None:
        if self._chunk is not None:
            return self._take_chunk(self._chunk)
        if self._in_text:
            return self._take_text()
        line, end, rest = self._unread.partition(b"\r\n")
        if not end:
            return None
        self._unread = rest
        text = line.decode()
        self.commands.append(text)
        return self._take_command("*" if self._in_auth else text.split(" ")[0].upper(), text)

    def _take_command(self, word: str, text: str) -> bytes | None:
        if word in ("EHLO", "LHLO"):
            offers = self.offers_secured if self.secured and self.offers_secured is not None else self.offers
            lines = ["mx.b.test", *offers]
            said = [f"250{' ' if number == len(lines) - 1 else '-'}{line}" for number, line in enumerate(lines)]
            return self._say(word, "\r\n".join(said))
        if word == "BDAT":
            self._chunk, self._last = int(text.split()[1]), text.endswith(" LAST")
            return b""
        reply = self._say(word, self._common_answer(word))
        if word in ("MAIL", "RSET", "EHLO"):
            self._accepted = 0
            self._sender = word == "MAIL" and reply.startswith(b"2")
        self._accepted += word == "RCPT" and reply.startswith(b"2")
        self._in_text = word == "DATA" and reply.startswith(b"354")
        self._in_auth = word in ("AUTH", "*") and reply.startswith(b"334")
        return reply

    def _common_answer(self, word: str) -> str:
        if word == "RCPT" and not self._sender:
            return "503 5.5.1 send MAIL first"
        if word in ("DATA", "BDAT") and not self._accepted:
            return "503 5.5.1 no valid recipients"
        answers = {"STARTTLS": "220 go on", "AUTH": "235 2.7.0 ok", "DATA": "354 go on", "QUIT": "221 2.0.0 bye CLOSE"}
        return answers.get(word, "250 2.0.0 ok")

    def _take_chunk(self, size: int) -> bytes | None:
        if len(self._unread) < size:
            return None
        self._text += self._unread[:size]
        self._unread, self._chunk = self._unread[size:], None
        if self._last:
            return self._end("BDAT")
        return self._say("BDAT", self._common_answer("BDAT"))

    def _take_text(self) -> bytes | None:
        text = b"\r\n" + self._unread
        end = text.find(b"\r\n.\r\n")
        if end < 0:
            return None
        self._text, self._unread = text[2 : end + 2], text[end + 5 :]
        self._in_text = False
        return self._end("TEXT")

    def _end(self, word: str) -> bytes:
        if self._accepted:
            self.texts.append(self._text)
        self._text = b""
        count = self._accepted if self.lmtp and self._accepted else 1
        common = "250 2.0.0 queued as 1" if self._accepted else "503 5.5.1 no valid recipients"
        self._accepted, self._sender = 0, False
        return b"".join(self._say(word, common) for _ in range(count) if not self.closed)

    def _say(self, word: str, default: str) -> bytes:
        answers = self.answers.get(word, [default])
        number = self._said.get(word, 0)
        self._said[word] = number + 1
        text = answers[min(number, len(answers) - 1)]
        if text.endswith("CLOSE"):
            self.closed = True
            text = text.removesuffix("CLOSE").rstrip(" ")
        self._mute = self._mute or text == "SILENCE"
        return text.encode() + b"\r\n" if text and not self._mute else b""


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
