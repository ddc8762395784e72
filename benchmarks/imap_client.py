"""An IMAP client that costs little: it looks for the tagged line and at nothing else."""

from __future__ import annotations

import socket
from collections.abc import Iterable

from benchmarks.sides import PASSWORD

_READ = 1 << 18
_TAG = b"a"


class ImapClient:
    """One connection, signed in."""

    def __init__(self, port: int, user: str, *, timeout: float = 120.0) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.line()
        self.command(f"LOGIN {user} {PASSWORD}".encode())

    def command(self, *pieces: bytes) -> bytes:
        """The whole answer to one command, the tagged line included. Raises if that is not OK."""
        self._socket.sendall(b"".join((_TAG, b" ", *pieces, b"\r\n")))
        return self._answer()

    def append(self, mailbox: str, messages: Iterable[bytes]) -> None:
        """All of them in one MULTIAPPEND (RFC 3502) with non-synchronising literals."""
        pieces = [b"APPEND " + mailbox.encode()]
        for message in messages:
            pieces.append(b" {%d+}\r\n" % len(message))
            pieces.append(message)
        self.command(*pieces)

    def close(self) -> None:
        """Log out."""
        self.command(b"LOGOUT")
        self._socket.close()

    def fileno(self) -> int:
        """Of the socket."""
        return self._socket.fileno()

    def send(self, octets: bytes) -> None:
        """As they are."""
        self._socket.sendall(octets)

    def line(self) -> bytes:
        """What comes, up to the end of a line."""
        got = b""
        while not got.endswith(b"\r\n"):
            got += self._more()
        return got

    def _answer(self) -> bytes:
        """Read to the tagged line. Only the end of what came is looked at: an answer may be megabytes."""
        got: list[bytes] = []
        tail = b"\r\n"
        while True:
            data = self._more()
            got.append(data)
            tail = (tail + data)[-4096:]
            start = tail.rfind(b"\r\n", 0, -2)
            if tail.endswith(b"\r\n") and start >= 0 and tail[start + 2 :].startswith(_TAG + b" "):
                if not tail[start + 2 :].startswith(_TAG + b" OK"):
                    raise AssertionError(tail[start + 2 :])
                return b"".join(got)

    def _more(self) -> bytes:
        data = self._socket.recv(_READ)
        if not data:
            raise ConnectionError("the server has closed the connection")
        return data
