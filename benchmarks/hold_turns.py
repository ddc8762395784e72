"""A client process of sites that wait at a relay: `python -m benchmarks.hold_turns PORT FIRST COUNT`.

Each signs in as an account of its own, in TLS, and asks for a turn that stays; then it is a server that says what the
relay wants to hear. Prints "open" when all of them wait, and holds them until its stdin closes.
"""

from __future__ import annotations

import base64
import resource
import socket
import ssl
import sys

from benchmarks.hold import until_line
from benchmarks.sides import PASSWORD, mailbox_address

_SOURCES = 4
_STAY = 3600


def main(port: int, first: int, count: int) -> None:
    """Open, tell, hold."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    held = [wait(port, first + number, context) for number in range(count)]
    print("open", flush=True)
    sys.stdin.read()
    for connection in held:
        connection.close()


def wait(port: int, number: int, context: ssl.SSLContext) -> ssl.SSLSocket:
    """One site that waits."""
    source = (f"127.0.0.{2 + number % _SOURCES}", 0)
    plain = socket.create_connection(("127.0.0.1", port), 60, source_address=source)
    until_line(plain, "greeting")
    _ask(plain, "EHLO site.test", "250")
    _ask(plain, "STARTTLS", "220")
    made = context.wrap_socket(plain)
    _ask(made, "EHLO site.test", "250")
    response = base64.b64encode(f"\0{mailbox_address(number)}\0{PASSWORD}".encode()).decode()
    _ask(made, f"AUTH PLAIN {response}", "235")
    _ask(made, f"ATRN STAY={_STAY}", "250")
    _ask(made, "220 site.test ESMTP", "EHLO")
    made.sendall(b"250-site.test\r\n250-PIPELINING\r\n250-CHUNKING\r\n250 8BITMIME\r\n")
    return made


def _ask(connection: socket.socket, line: str, expected: str) -> None:
    connection.sendall(f"{line}\r\n".encode())
    got = b""
    while not got.endswith(b"\r\n") or got[:-2].rpartition(b"\r\n")[2][3:4] == b"-":
        data = connection.recv(65536)
        if not data:
            break
        got += data
    if not got.startswith(expected.encode()):
        raise ConnectionError(f"{line}: {got!r}")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
