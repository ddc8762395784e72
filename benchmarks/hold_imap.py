"""A client process whose connections are in IDLE: `python -m benchmarks.hold_imap PORT COUNT ACCOUNTS [tls]`.

Prints "open" when all are, then a line for each message of which one of them is told: the monotonic clock, in
nanoseconds, which is the same for all processes of a machine. Ends when its stdin closes.
"""

from __future__ import annotations

import resource
import select
import socket
import ssl
import sys
import time

from benchmarks.hold import until_line
from benchmarks.sides import PASSWORD, mailbox_address

_SOURCES = 4


def main(port: int, count: int, accounts: int, tls: bool) -> None:
    """Open, tell, watch."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    poll, held = select.epoll(), {}
    for number in range(count):
        source = (f"127.0.0.{2 + number % _SOURCES}", 0)
        connection = socket.create_connection(("127.0.0.1", port), 60, source_address=source)
        if tls:
            connection = context.wrap_socket(connection)
        until_line(connection, "IMAP")
        for command in (f"LOGIN {mailbox_address(1 + number % accounts)} {PASSWORD}", "SELECT INBOX", "IDLE"):
            connection.sendall(f"a {command}\r\n".encode())
            until_line(connection, "IMAP")
        held[connection.fileno()] = connection
        poll.register(connection, select.EPOLLIN)
    poll.register(sys.stdin, select.EPOLLIN)
    print("open", flush=True)
    while True:
        for descriptor, _ in poll.poll():
            if descriptor == sys.stdin.fileno():
                return
            if b"EXISTS" in held[descriptor].recv(4096):
                print(time.monotonic_ns(), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:] == ["tls"])
