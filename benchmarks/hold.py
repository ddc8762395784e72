"""A client process that opens connections and holds them: `python -m benchmarks.hold PORT COUNT COMMAND [tls]`.

COMMAND is sent on each and its answer awaited up to a line that ends it. Prints "open" when all
are, and holds them until its stdin closes. Of its own process for the limit of descriptors.
"""

from __future__ import annotations

import resource
import socket
import ssl
import sys

_SOURCES = 4


def main(port: int, count: int, command: str, tls: bool) -> None:
    """Open, tell, hold."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    held = []
    for number in range(count):
        source = (f"127.0.0.{2 + number % _SOURCES}", 0)
        connection = socket.create_connection(("127.0.0.1", port), 60, source_address=source)
        if tls:
            connection = context.wrap_socket(connection)
        until_line(connection, "greeting")
        connection.sendall(command.encode() + b"\r\n")
        until_line(connection, command)
        held.append(connection)
    print("open", flush=True)
    sys.stdin.read()


def until_line(connection: socket.socket, what: str) -> None:
    """Read one whole answer: of EHLO up to its last line, of CAPA up to the dot, in IMAP up to a tagged one."""
    got = b""
    while not _is_whole(got, what):
        data = connection.recv(65536)
        if not data:
            raise ConnectionError(f"closed after {got!r}")
        got += data


def _is_whole(got: bytes, what: str) -> bool:
    if not got.endswith(b"\r\n"):
        return False
    if what == "CAPA":
        return got.endswith(b"\r\n.\r\n")
    last = got[:-2].rpartition(b"\r\n")[2]
    if what == "IMAP":  # the greeting, a tagged reply, or the continuation of IDLE
        return last.startswith((b"* OK [CAP", b"a ", b"+ "))
    return last.startswith(b"+OK") or last[3:4] == b" "


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4:] == ["tls"])
