"""Mail servers that stall, refuse and break off as a test says, in threads: each has an address of its own."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

from attrs import define, field

from worldmail.testing.scripted_smtp import OFFERS, ScriptedServer

HALF_CLOSE = "HALF CLOSE"
_SUBJECT = re.compile(rb"^Subject: (.*?)\r?$", re.MULTILINE)


@define(kw_only=True)
class ScriptedPeer:
    """One server; a context manager.

    Args:
        answers: as those of `ScriptedServer`. With HALF_CLOSE behind a word, nothing more is said from there on, and
            that is told with a FIN, but what comes is read still.
        secured: octets that are sent where a TLS handshake is expected.
        taken: the subjects of the messages that it had whole, in their order, with or without its reply.
        replies: while this is cleared, nothing is said to a message that came whole.
    """

    address: str
    port: int
    answers: Mapping[str, Sequence[str]] = field(factory=dict)
    offers: Sequence[str] = OFFERS
    secured: bytes = b""
    taken: list[str] = field(factory=list, init=False)
    replies: threading.Event = field(factory=threading.Event, init=False)
    connections: int = field(default=0, init=False)
    _listener: socket.socket = field(init=False)
    _open: set[socket.socket] = field(factory=set, init=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False)

    def __enter__(self) -> Self:
        self._listener = socket.create_server((self.address, self.port), backlog=50)
        self.replies.set()
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.heal()

    def heal(self) -> None:
        """From now on it does what servers do; connections that are open break."""
        self.answers, self.secured, self.offers = {}, b"", OFFERS
        with self._lock:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                with self._lock:
                    self._open.add(connection)
                    self.connections += 1
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        answers = {word: list(texts) for word, texts in self.answers.items()}
        server = ScriptedServer(answers=answers, offers=self.offers)
        with contextlib.suppress(OSError):
            self._converse(connection, server)
        with self._lock:
            self._open.discard(connection)
            connection.close()

    def _converse(self, connection: socket.socket, server: ScriptedServer) -> None:
        self._say(connection, server.open())
        seen = 0
        while not server.closed and (data := connection.recv(65536)):
            said = server.receive(data)
            for text in server.texts[seen:]:
                self.taken += [match.decode() for match in _SUBJECT.findall(text)[:1]]
            if len(server.texts) > seen:
                self.replies.wait()
            seen = len(server.texts)
            self._say(connection, said)
            if self.secured and server.commands and server.commands[-1] == "STARTTLS":
                connection.sendall(self.secured)
                return

    def _say(self, connection: socket.socket, said: bytes) -> None:
        before, found, _ = said.partition(HALF_CLOSE.encode())
        with contextlib.suppress(BrokenPipeError):
            connection.sendall(before)
        if found:
            connection.shutdown(socket.SHUT_WR)
