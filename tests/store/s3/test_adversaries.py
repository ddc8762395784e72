"""What a bucket, its clock, the disk or a stop in the wrong moment could do to us."""

from __future__ import annotations

import io
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hostile
import pytest
from hostile import Hostile
from objects import Service, contents_of, credentials_file, exchange_of, settings_for, soon

from worldmail.errors import TemporaryFailure
from worldmail.store.s3.bucket import Bucket
from worldmail.store.s3.spool import Spool
from worldmail.transport.certificates import self_signed

KEY = "0" * 32
WRITTEN = 1767323045  # when all objects of the hostile server were


@pytest.fixture
def server() -> Iterator[Hostile]:
    made = Hostile()
    yield made
    made.stop()


def bucket_at(url: str, directory: Path, **settings: Any) -> Bucket:
    return Bucket(
        exchange=exchange_of(settings_for(Service(url=url, bucket="mail"), credentials_file(directory), **settings))
    )


def ends_with_the_stop(bucket: Bucket, under_way: Callable[[], object]) -> None:
    reasons: list[TemporaryFailure] = []

    def work() -> None:
        try:
            bucket.size(KEY, soon(600))
        except TemporaryFailure as error:
            reasons.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    while not under_way():
        time.sleep(0.01)
    bucket.exchange.stop()
    thread.join(30)
    assert len(reasons) == 1


def test_a_stop_does_not_wait_for_a_peer_that_never_shakes_hands(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(60)
        bucket = bucket_at(f"https://localhost:{silent.getsockname()[1]}", tmp_path, timeout=300)
        accepted: list[socket.socket] = []

        def said_hello() -> bool:
            accepted[:] = accepted or [silent.accept()[0]]
            return bool(accepted[0].recv(1))

        ends_with_the_stop(bucket, said_hello)
        accepted[0].close()


def test_a_stop_does_not_wait_for_a_peer_that_never_answers_a_call(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        callers = [socket.socket() for _ in range(4)]
        for caller in callers:
            caller.setblocking(False)
            caller.connect_ex(full.getsockname())
        bucket = bucket_at(f"http://127.0.0.1:{full.getsockname()[1]}", tmp_path, timeout=300)
        ends_with_the_stop(bucket, lambda: [one for one in bucket.exchange.connections._used if one.sock is not None])
        for caller in callers:
            caller.close()


def test_what_is_sent_while_a_stop_cuts_it_off_stays_encrypted(tmp_path: Path) -> None:
    certificate, key = self_signed(["localhost"])
    (tmp_path / "ca.pem").write_bytes(certificate)
    (tmp_path / "key.pem").write_bytes(key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "ca.pem", tmp_path / "key.pem")
    server = Hostile(tls=context)
    server.always = hostile.stall
    bucket = bucket_at(f"https://localhost:{server.port}", tmp_path, ca_file=tmp_path / "ca.pem", timeout=300)
    used: list[Any] = []

    def asked() -> bool:
        used[:] = [one.sock for one in bucket.exchange.connections._used]
        return bool(server.asked)

    versions: list[object] = []
    shut = socket.socket.shutdown

    def shutdown(sock: Any, how: int) -> None:
        versions.append(sock.version())
        shut(sock, how)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "shutdown", shutdown, raising=False)
        ends_with_the_stop(bucket, asked)
    server.stop()
    assert versions[:1] == ["TLSv1.3"]


def test_a_disk_that_takes_a_part_of_what_is_written_is_asked_again(tmp_path: Path) -> None:
    class Short(io.BytesIO):
        def write(self, octets: Any) -> int:
            return super().write(octets[:3])

    spool = Spool(directory=str(tmp_path))
    spool._file = file = Short()
    spool.append(memoryview(b"0123456789"))
    assert file.getvalue() == b"0123456789"
    assert spool.body().length == 10


@pytest.mark.parametrize("days", [0, 3650])
def test_a_service_that_says_it_is_later_makes_nothing_older(server: Hostile, tmp_path: Path, days: int) -> None:
    server.objects[KEY] = b"just written"
    server.ahead = days * 86400.0
    settings = settings_for(Service(url=server.url, bucket="mail"), credentials_file(tmp_path))
    contents = contents_of(settings, tmp_path)
    assert list(contents._places(WRITTEN, soon())) == []
    assert list(contents._places(WRITTEN + 1, soon())) == [KEY]
    contents.stop()


@pytest.mark.parametrize("length", ["9" * 5000, "-1", "1e3", "٣"])
def test_a_length_that_is_none_is_no_size(server: Hostile, tmp_path: Path, length: str) -> None:
    def answer(request: hostile.Request) -> None:
        request.wfile.write(f"HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n".encode())

    server.always = answer
    bucket = bucket_at(server.url, tmp_path)
    assert bucket.size(KEY, soon()) is None
    bucket.exchange.stop()


@pytest.mark.parametrize(
    "date", ["yesterday", "Mon, 01 Jan 2026 00:00:00 +99999999999999", "Mon, 99 Jan 2026 00:00:00 GMT"]
)
def test_a_date_that_is_none_counts_as_ours(server: Hostile, tmp_path: Path, date: str) -> None:
    def answer(request: hostile.Request) -> None:
        request.wfile.write(f"HTTP/1.1 200 OK\r\ndate: {date}\r\ncontent-length: 0\r\n\r\n".encode())

    server.always = answer
    bucket = bucket_at(server.url, tmp_path)
    assert bucket.ahead(KEY, soon()) == 0
    bucket.exchange.stop()
