"""A small dialogue for tests and measurements of transports, and certificates for it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

from attrs import define, field
from twisted.internet.defer import Deferred
from zope.interface import implementer

from worldmail.config.sections import CertificateSettings, TlsSettings
from worldmail.interfaces.protocol import IDialogue, IReporting, Peer
from worldmail.transport.certificates import self_signed
from worldmail.transport.tls import Tls
from worldmail.wire.effects import FLUSH, Close, Compress, Decompress, Effects, Later, StartTls, Stream
from worldmail.wire.faults import Fault
from worldmail.wire.lines import LineBuffer
from worldmail.wire.wakes import WAKE

CHUNK = b"0123456789abcdef" * 1024


@implementer(IDialogue, IReporting)
@define(kw_only=True)
class PlainDialogue:
    """Answers each line with "ok LINE", but for these.

    WAIT: waits for `release`. BIG n: n chunks of 16 KiB at once. STREAM n: n such chunks as a stream.
    DRIP: a stream that waits for `release`. APART: two lines, each in a write of its own.
    LATER s: is woken and says "later" after so many seconds.
    STARTTLS, COMPRESS, DECOMPRESS, QUIT, FAIL (raises), TLS (what was negotiated). `tell` has it say something unasked.
    """

    timeout: float = 60.0
    minimum_rate: int = 0
    peer: Peer | None = None
    events: list[object] = field(factory=list)
    endings: list[str] = field(factory=list)
    streamed: int = 0
    stream_closed: bool = False
    release: Deferred[None] = field(factory=Deferred)
    most_buffered: int = 0
    news: list[bytes] = field(factory=list)
    lines: LineBuffer = field(factory=lambda: LineBuffer(1000))

    def opened(self, peer: Peer) -> Effects:
        """Greets."""
        self.peer = peer
        return [b"hello\r\n"]

    def refused(self, reason: str) -> Effects:
        """Says so."""
        return [b"refused " + reason.encode() + b"\r\n"]

    def receive(self, data: bytes) -> None:
        """Keeps it."""
        self.lines.append(data)
        self.most_buffered = max(self.most_buffered, self.lines.buffered)

    def buffered(self) -> int:
        """What is kept."""
        return self.lines.buffered

    def next_event(self) -> object | None:
        """The next line, or that there is news."""
        line = self.lines.take()
        return WAKE if line is None and self.news else line

    def tell(self, news: bytes) -> None:
        """Have this said in a turn of its own."""
        assert self.peer is not None
        self.news.append(news)
        self.peer.wake()

    async def handle(self, event: object) -> Effects:
        """Answers."""
        self.events.append(event)
        if event is WAKE:
            news, self.news = self.news, []
            return news
        if isinstance(event, Fault):
            return [b"fault " + event.value.encode() + b"\r\n"]
        assert isinstance(event, bytes)
        word, _, argument = event.partition(b" ")
        special = _SPECIAL.get(word)
        return [b"ok " + event + b"\r\n"] if special is None else await special(self, argument)

    def working(self) -> bytes:
        """That it goes on."""
        return b"working\r\n"

    def secured(self, peer: Peer) -> Effects:
        """Starts anew."""
        self.lines.clear()
        return [b"secured\r\n"]

    def timed_out(self) -> Effects:
        """Says so."""
        return [b"timeout\r\n"]

    def shutting_down(self) -> Effects:
        """Says so."""
        return [b"stopping\r\n"]

    def closed(self, reason: str) -> None:
        """Keeps the reason."""
        self.endings.append(reason)

    async def chunks(self, count: int) -> AsyncIterator[bytes]:
        """What STREAM sends."""
        try:
            for _ in range(count):
                self.streamed += 1
                yield CHUNK
        finally:
            self.stream_closed = True


async def _wait(dialogue: PlainDialogue, argument: bytes) -> Effects:
    await dialogue.release
    return [b"waited\r\n"]


async def _drip(dialogue: PlainDialogue, argument: bytes) -> Effects:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"first\r\n"
        await dialogue.release
        yield b"last\r\n"

    return [Stream(chunks())]


async def _big(dialogue: PlainDialogue, argument: bytes) -> Effects:
    return [CHUNK * int(argument), b"\r\n"]


async def _stream(dialogue: PlainDialogue, argument: bytes) -> Effects:
    return [Stream(dialogue.chunks(int(argument))), b"\r\n"]


async def _start_tls(dialogue: PlainDialogue, argument: bytes) -> Effects:
    return [b"go\r\n", StartTls()]


async def _compress(dialogue: PlainDialogue, argument: bytes) -> Effects:
    return [b"squeezing\r\n", Compress()]


async def _decompress(dialogue: PlainDialogue, argument: bytes) -> Effects:
    return [b"as before\r\n", Decompress()]


async def _later(dialogue: PlainDialogue, argument: bytes) -> Effects:
    return (Later(float(argument), lambda: dialogue.tell(b"later\r\n")),)


async def _apart(dialogue: PlainDialogue, argument: bytes) -> Effects:
    return [b"first\r\n", FLUSH, b"second\r\n"]


async def _quit(dialogue: PlainDialogue, argument: bytes) -> Effects:
    return [b"bye\r\n", Close()]


async def _fail(dialogue: PlainDialogue, argument: bytes) -> Effects:
    raise ValueError("as asked")


async def _tls(dialogue: PlainDialogue, argument: bytes) -> Effects:
    assert dialogue.peer is not None
    binding = dialogue.peer.channel_binding(argument.decode())
    facts = dialogue.peer.tls
    return [f"{facts and facts.version} {facts and facts.server_name} {binding and binding.hex()}\r\n".encode()]


_SPECIAL: dict[bytes, Callable[[PlainDialogue, bytes], Awaitable[Effects]]] = {
    b"WAIT": _wait,
    b"BIG": _big,
    b"DRIP": _drip,
    b"STREAM": _stream,
    b"APART": _apart,
    b"LATER": _later,
    b"STARTTLS": _start_tls,
    b"COMPRESS": _compress,
    b"DECOMPRESS": _decompress,
    b"QUIT": _quit,
    b"FAIL": _fail,
    b"TLS": _tls,
}


def make_tls(directory: Path, *names: str) -> Tls:
    """Self-signed certificates for these names (the first for those that match none) in files of `directory`."""
    return Tls(tls_settings(directory, *names))


def tls_settings(directory: Path, *names: str) -> TlsSettings:
    """Settings with a new certificate for each name; its file is NAME.pem ("*" written as "any")."""
    made = []
    for name in names:
        stem = directory / name.replace("*", "any")
        certificate, key = self_signed([name])
        stem.with_suffix(stem.suffix + ".pem").write_bytes(certificate)
        stem.with_suffix(stem.suffix + ".key").write_bytes(key)
        made.append(
            CertificateSettings(
                certificate=stem.with_suffix(stem.suffix + ".pem"), key=stem.with_suffix(stem.suffix + ".key")
            )
        )
    return TlsSettings(certificates=tuple(made))
