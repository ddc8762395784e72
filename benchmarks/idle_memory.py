"""What an idle connection costs the driver in memory, dialogue apart: plain, and in TLS.

    python benchmarks/idle_memory.py [CONNECTIONS]

Opens connections (2000 unless told) from another process to the dialogue of `worldmail.testing.fakes`, in the clear
and after a TLS 1.3 handshake, and prints how much resident memory each has added. Nothing is asserted.
"""

from __future__ import annotations

import socket
import ssl
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any


def hold(port: int, count: int, secure: bool) -> None:
    """Open connections, say so, and keep them until standard input ends."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    held: list[Any] = []
    for _ in range(count):
        made: Any = socket.create_connection(("127.0.0.1", port))
        if secure:
            made = context.wrap_socket(made)
        made.recv(100)
        made.sendall(b"NOOP\r\n")
        made.recv(100)
        held.append(made)
    print("held", flush=True)
    sys.stdin.read()


def resident() -> int:
    """Octets of this process in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def start(arguments: list[str]) -> Any:
    """A client process."""
    return subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def main() -> None:
    """Measure plain, then TLS."""
    from twisted.internet import reactor
    from twisted.internet.defer import Deferred
    from twisted.internet.threads import deferToThread

    from worldmail.testing.fakes import make_tls
    from worldmail.testing.meeting import Meeting
    from worldmail.testing.world import MemoryJournal

    count = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    installed: Any = reactor

    async def measure(name: str, **options: Any) -> None:
        meeting = Meeting(reactor=installed, journal=MemoryJournal(keep=False), **options)
        meeting.factory.make_dialogue = meeting.make
        _, port = meeting.start()
        arguments = [sys.executable, __file__, "--hold", str(port), str(meeting.implicit_tls)]
        warm = start([*arguments, "20"])
        client = None
        try:
            await deferToThread(warm.stdout.readline)
            before = resident()
            client = start([*arguments, str(count)])
            await deferToThread(client.stdout.readline)
            print(f"{name:6} {(resident() - before) / count / 1024:6.1f} KiB a connection ({count} open)", flush=True)
        finally:
            for process in (warm, client):
                if process is not None:
                    process.communicate()
            await meeting.listener.stopService()

    async def both() -> None:
        try:
            await measure("plain")
            with tempfile.TemporaryDirectory() as directory:
                await measure("TLS", tls=make_tls(Path(directory), "localhost"), implicit_tls=True)
        finally:
            installed.stop()

    installed.callWhenRunning(lambda: Deferred.fromCoroutine(both()))
    installed.run()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--hold"]:
        hold(int(sys.argv[2]), int(sys.argv[4]), sys.argv[3] == "True")
    else:
        main()
