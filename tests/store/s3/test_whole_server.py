"""A whole server whose large messages are objects: in by ESMTP, out by POP3, with the bucket there and away."""

from __future__ import annotations

import os
import poplib
import random
import re
import shutil
import signal
import smtplib
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hostile import Hostile, stall
from objects import SECRET, Service, contents_of, credentials_file, settings_for

from worldmail.testing.process import ServerProcess

PASSWORD = "correct horse battery"
ACCOUNT = "user@example.test"

MakeServer = Callable[..., ServerProcess]


@pytest.fixture
def make_server(template: ServerProcess, tmp_path: Path) -> Iterator[MakeServer]:
    """Makes a server with an account whose content goes to this bucket, below "whole/"; stopped at the end."""
    made: list[ServerProcess] = []

    def make(service: Service, **others: Any) -> ServerProcess:
        server = ServerProcess(directory=tmp_path / "data", port_base=template.port_base, forked=True)
        shutil.copytree(template.directory, server.directory)
        server.add_user(ACCOUNT, PASSWORD)
        section = {
            "endpoint": service.url,
            "bucket": service.bucket,
            "prefix": "whole/",
            "credentials": str(credentials_file(tmp_path)),
            "timeout": "1s",
            "patience": "3s",
            "part_size": "5MiB",
            **others,
        }
        server.configure({"server": {"shutdown_timeout": "1s"}, "store": {"content": "s3"}, "s3": section})
        server.start()
        made.append(server)
        return server

    yield make
    for server in made:
        server.kill()
        assert SECRET not in server.log.read_text()


@pytest.fixture
def hostile() -> Iterator[Hostile]:
    made = Hostile()
    yield made
    made.stop()


def message(octets: int, subject: str = "large") -> bytes:
    """A message of about so many octets, no two lines of it alike, with dots where they hurt."""
    lines, size, some = [b"Subject: " + subject.encode(), b""], 0, random.Random(octets)
    while size < octets:
        lines.append(b"." * some.randrange(4) + some.randbytes(some.randrange(400)).hex().encode())
        size += len(lines[-1]) + 2
    return b"\r\n".join([*lines, b""])


def send(server: ServerProcess, data: bytes) -> int:
    """The code of the final reply."""
    with smtplib.SMTP("127.0.0.1", server.port(25), timeout=60) as client:
        try:
            client.sendmail("sender@other.test", [ACCOUNT], data)
        except smtplib.SMTPDataError as refused:
            return refused.smtp_code
    return 250


def sign_in(server: ServerProcess) -> poplib.POP3:
    client = poplib.POP3("127.0.0.1", server.port(110), timeout=60)
    client.stls()
    client.user(ACCOUNT)
    client.pass_(PASSWORD)
    return client


def retrieved(client: poplib.POP3, number: int) -> bytes:
    """A message from its Subject on: what was put in front is not what was sent."""
    octets = b"\r\n".join([*client.retr(number)[1], b""])
    return octets[octets.index(b"Subject: ") :]


def removed_files(server: ServerProcess) -> list[str]:
    """What it has open and has no name any more."""
    found = []
    for descriptor in Path("/proc", str(server.pid), "fd").iterdir():
        with suppress(FileNotFoundError):  # it was closed meanwhile
            found.append(os.readlink(descriptor))
    return [link for link in found if "deleted" in link]


def test_messages_of_one_and_of_many_parts_go_in_and_out_octet_for_octet(
    service: Service, make_server: MakeServer, tmp_path: Path
) -> None:
    server = make_server(service)
    sent = [message(1 << 20), message(6 << 20), message(100_000)]
    assert [send(server, data) for data in sent] == [250, 250, 250]
    client = sign_in(server)
    assert [retrieved(client, number) for number in (1, 2, 3)] == sent
    client.quit()
    assert not (server.directory / "content").exists()
    deadline = time.monotonic() + 30  # what is derived of a content is made later, with a file of its own
    while open_still := removed_files(server):
        assert time.monotonic() < deadline, open_still
        time.sleep(0.05)
    assert "S3" not in server.command("check")
    contents = contents_of(settings_for(service, tmp_path / "s3-credentials", prefix="whole/"), tmp_path)
    assert len(list(contents._objects(int(time.time()) + 100))) == 3
    contents.stop()
    assert server.stop() == -signal.SIGTERM


def test_a_bucket_that_is_away_is_a_temporary_failure_and_recovers_by_itself(
    hostile: Hostile, make_server: MakeServer
) -> None:
    server = make_server(Service(url=hostile.url, bucket="mail"))
    first, during, after = (message(200_000, subject) for subject in ("first", "during", "after"))
    assert send(server, first) == 250
    hostile.stop()
    assert send(server, during) == 451
    assert send(server, b"Subject: small\r\n\r\nNot in the bucket.\r\n") == 250
    client = sign_in(server)
    with pytest.raises(poplib.error_proto, match="SYS/TEMP"):
        client.retr(1)
    client.quit()
    with pytest.raises(subprocess.CalledProcessError) as caught:
        server.command("check")
    assert re.search(r"worldmail.toml:\d+: S3 bucket mail at http://127.0.0.1:\d+: .*refused", caught.value.stdout)
    again = Hostile(port=hostile.port)
    again.objects = hostile.objects
    try:
        assert send(server, after) == 250
        client = sign_in(server)
        assert [retrieved(client, number) for number in (1, 3)] == [first, after]
        assert client.stat()[0] == 3
        client.quit()
        assert len(again.objects) == 3  # and whose they are
        assert server.stop() == -signal.SIGTERM
    finally:
        again.stop()


def test_a_server_stops_in_time_while_its_bucket_is_silent(hostile: Hostile, make_server: MakeServer) -> None:
    server = make_server(Service(url=hostile.url, bucket="mail"), timeout="5m", patience="9m")
    hostile.always = stall
    client = smtplib.SMTP("127.0.0.1", server.port(25), timeout=60)
    client.ehlo()
    client.mail("sender@other.test")
    client.rcpt(ACCOUNT)
    client.docmd("DATA")
    client.send((b"x" * 70 + b"\r\n") * 3000 + b".\r\n")
    while not hostile.asked:
        time.sleep(0.01)
    assert server.stop(30) == -signal.SIGTERM
    client.close()
