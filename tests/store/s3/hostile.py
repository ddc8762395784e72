"""A small S3 in memory that misbehaves when told to. Checks no signatures: what is tested is how we take its faults."""

from __future__ import annotations

import re
import socket
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

Fault = Callable[["Request"], None]
"""What is done with a request in place of answering it."""

_TIME = "2026-01-02T03:04:05.000Z"


class Hostile:
    """The server. `faults` are used up, one a request; `always` is the fault of all that come after.

    Its clock is `ahead` of ours by so many seconds.
    """

    def __init__(self, port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        self.objects: dict[str, bytes] = {}
        self.uploads: dict[str, dict[int, bytes]] = {}
        self.faults: list[Fault | None] = []
        self.always: Fault | None = None
        self.asked: list[tuple[str, str, bytes]] = []
        self.lock = threading.Lock()
        self.ahead = 0.0
        self.over = threading.Event()
        self.connections: set[Any] = set()
        self.server = _Server(("127.0.0.1", port), Request)
        self.server.hostile = self
        if tls is not None:
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_port
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.005,), daemon=True)
        self.thread.start()

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    def stop(self) -> None:
        """Cut every connection, and refuse others."""
        self.over.set()
        self.server.shutdown()
        for connection in list(self.connections):
            with suppress(OSError):  # closed meanwhile
                connection.shutdown(socket.SHUT_RDWR)
        self.server.server_close()
        self.thread.join()


class _Server(ThreadingHTTPServer):
    hostile: Hostile
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that go away are what is tested."""


class Request(BaseHTTPRequestHandler):
    """One connection, and the request that is on it."""

    protocol_version = "HTTP/1.1"
    server: _Server

    def setup(self) -> None:
        """Known, to be cut."""
        super().setup()
        self.server.hostile.connections.add(self.connection)

    def finish(self) -> None:
        """Gone."""
        self.server.hostile.connections.discard(self.connection)
        with suppress(OSError):
            super().finish()

    def answer(self) -> None:
        """Read the request, and answer it or do what was told in place of that."""
        self.hostile = self.server.hostile
        self.body = self.rfile.read(int(self.headers.get("content-length", "0")))
        url = urlsplit(self.path)
        self.key = url.path.partition("/")[2].partition("/")[2]
        self.query = {name: values[0] for name, values in parse_qs(url.query, keep_blank_values=True).items()}
        with self.hostile.lock:
            self.hostile.asked.append((self.command, self.path, self.body))
            fault = self.hostile.faults.pop(0) if self.hostile.faults else self.hostile.always
        if fault is None:
            self.serve()
        else:
            fault(self)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = answer

    def serve(self) -> None:
        """As S3 does."""
        with self.hostile.lock:
            status, body, headers = self.act()
        self.say(status, body, **headers)

    def act(self) -> tuple[int, bytes, dict[str, str]]:
        """Do it: status, body, headers."""
        objects, uploads = self.hostile.objects, self.hostile.uploads
        upload = self.query.get("uploadId", "")
        if upload and upload not in uploads:
            return 404, error("NoSuchUpload"), {}
        if self.command == "POST" and "uploads" in self.query:
            name = f"upload{len(uploads)}"
            uploads[name] = {}
            return 200, f"<Result><UploadId>{name}</UploadId></Result>".encode(), {}
        if self.command == "POST":
            objects[self.key] = b"".join(part for _, part in sorted(uploads.pop(upload).items()))
            return 200, b"<?xml version='1.0'?>\n<CompleteMultipartUploadResult/>", {}
        if self.command == "PUT" and upload:
            uploads[upload][int(self.query["partNumber"])] = self.body
            return 200, b"", {"etag": '"tag"'}
        if self.command == "PUT":
            objects[self.key] = self.body
            return 200, b"", {"etag": '"tag"'}
        if self.command == "DELETE":
            uploads.pop(upload, None)
            if not upload:
                objects.pop(self.key, None)
            return 204, b"", {}
        return self.get()

    def get(self) -> tuple[int, bytes, dict[str, str]]:
        """GET and HEAD."""
        if not self.key:
            kind = "ListMultipartUploadsResult" if "uploads" in self.query else "ListBucketResult"
            listed = [] if "uploads" in self.query else sorted(self.hostile.objects)
            inner = "".join(
                f"<Contents><Key>{key}</Key><LastModified>{_TIME}</LastModified></Contents>" for key in listed
            )
            return 200, f"<{kind}>{inner}</{kind}>".encode(), {}
        data = self.hostile.objects.get(self.key)
        if data is None:
            return 404, error("NoSuchKey"), {}
        found = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("range", ""))
        if found is None:
            return 200, data, {}
        first, last = int(found[1]), min(int(found[2]), len(data) - 1)
        if first > last:
            return 416, error("InvalidRange"), {}
        return 206, data[first : last + 1], {"content-range": f"bytes {first}-{last}/{len(data)}"}

    def date_time_string(self, timestamp: float | None = None) -> str:
        """Now, by a clock that may be wrong."""
        return super().date_time_string(time.time() + self.server.hostile.ahead)

    def say(self, status: int, body: bytes = b"", **headers: str) -> None:
        """Send a reply."""
        self.send_response(status)
        for name, value in {"content-length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Nothing."""


def error(code: str, text: str = "") -> bytes:
    """An error as S3 says it."""
    return f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{text}</Message></Error>".encode()


def refuse(status: int, code: str = "", text: str = "") -> Fault:
    """Answers with this error."""
    return lambda request: request.say(status, error(code, text) if code else b"")


def reply(status: int, body: bytes, **headers: str) -> Fault:
    """Answers with this, whatever was asked."""
    return lambda request: request.say(
        status, body, **{name.replace("_", "-"): value for name, value in headers.items()}
    )


def cut(request: Request) -> None:
    """Closes the connection without a word."""
    request.close_connection = True


def do_and_cut(request: Request) -> None:
    """Does it, and closes the connection before saying so."""
    with request.hostile.lock:
        request.act()
    request.close_connection = True


def do_and_truncate(request: Request) -> None:
    """Does it, and sends half of the reply."""
    with request.hostile.lock:
        status, body, headers = request.act()
    body = body or b"<Result/>"
    request.say(status, body[: len(body) // 2], **headers, **{"content-length": str(len(body))})
    request.close_connection = True


def stall(request: Request) -> None:
    """Says nothing, and keeps the connection."""
    request.hostile.over.wait(30)
    request.close_connection = True


def trickle(request: Request) -> None:
    """Sends an octet now and then, for ever."""
    request.wfile.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and not request.hostile.over.wait(0.02):
        request.wfile.write(b"x")


def go_on(request: Request) -> None:
    """Says for ever that the request may go on."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and not request.hostile.over.wait(0.02):
        request.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")


def babble(request: Request) -> None:
    """Speaks another protocol."""
    request.wfile.write(b"220 smtp.example.test ESMTP\r\n" * 3)
    request.close_connection = True
