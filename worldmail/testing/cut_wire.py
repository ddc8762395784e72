"""A wire that is cut at a chosen moment: stands in front of a server on the loopback."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import Literal

NEVER = 1 << 60


class CutWire:
    """Forwards connections to a port, and cuts one of them at the n-th thing that a client says.

    `before`: what the client said does not arrive. `after`: it arrives and is answered, but the answer does not. All
    connections that are made later work. Only what is said on connections made since `arm` is counted.

    Attributes:
        port: where to connect.
        said: how much was said since.
        hit: whether it was cut.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.said = 0
        self.hit = False
        self._at, self._moment = NEVER, "before"
        self._armed = False
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def arm(self, at: int, moment: Literal["before", "after"]) -> None:
        """Cut there."""
        self.said, self.hit, self._at, self._moment, self._armed = 0, False, at, moment, True

    def disarm(self) -> None:
        """Cut no more."""
        self._at = NEVER

    def close(self) -> None:
        """Take no more connections."""
        # Without this the thread stays in its call, which, interrupted, would go on with whoever has the number then.
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._target))
                cut = threading.Event()
                armed = self._armed
                threading.Thread(target=self._forward, args=(client, server, cut, armed), daemon=True).start()
                threading.Thread(target=self._answer, args=(server, client, cut), daemon=True).start()

    def _forward(self, client: socket.socket, server: socket.socket, cut: threading.Event, armed: bool) -> None:
        with suppress(OSError), client, server:
            while said := client.recv(1 << 20):
                if armed and self._is_due():
                    cut.set()
                    if self._moment == "after":
                        server.sendall(said)
                        server.settimeout(5.0)
                        server.recv(1 << 20)
                    break
                server.sendall(said)
            for side in (client, server):
                side.shutdown(socket.SHUT_RDWR)

    def _is_due(self) -> bool:
        with self._lock:
            self.said += 1
            if self.said != self._at:
                return False
            self.hit = True
            return True

    def _answer(self, server: socket.socket, client: socket.socket, cut: threading.Event) -> None:
        with suppress(OSError):
            while heard := server.recv(1 << 20, socket.MSG_PEEK):
                if cut.is_set():
                    return
                client.sendall(server.recv(len(heard)))
            client.shutdown(socket.SHUT_RDWR)
