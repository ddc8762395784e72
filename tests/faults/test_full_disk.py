"""A disk without room: new mail waits at its sender, the rest goes on, and new mail too once there is room."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from oracle.exchange import delete_all, eventually, send, subjects
from oracle.fixtures import MakeServer

from worldmail.store.space import CACHED
from worldmail.testing.process import ServerProcess

pytestmark = [pytest.mark.root, pytest.mark.skipif(os.geteuid() != 0, reason="mounts a tmpfs")]

MIB = 1 << 20


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "small"
    place.mkdir()
    if subprocess.run(("mount", "-t", "tmpfs", "-o", "size=40m", "tmpfs", str(place)), check=False).returncode:
        pytest.skip("may not mount a tmpfs")
    yield place
    subprocess.run(("umount", "-l", str(place)), check=True)


@pytest.fixture
def server(small_disk: Path, make_server: MakeServer) -> ServerProcess:
    made = make_server(directory=small_disk / "data")
    made.configure({"store": {"minimum_free": "4MiB", "reserve": "2MiB"}})
    made.start()
    return made


def fill(disk: Path, leave: int) -> Path:
    """Take all room but for `leave` octets."""
    filler = disk / "filler"
    status = os.statvfs(disk)
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        for _ in range((status.f_bavail * status.f_frsize - leave) // 4096):
            file.write(b"\0" * 4096)
    return filler


def test_mail_is_refused_with_452_before_the_disk_is_full(server: ServerProcess, small_disk: Path) -> None:
    fill(small_disk, 3 * MIB)
    codes: list[int] = []
    assert eventually(lambda: codes.append(send(server, "too much")) or codes[-1] == 452)
    assert len(subjects(server)) == codes.count(250)
    assert set(codes) <= {250, 452}


def test_a_large_message_is_refused_when_it_would_not_fit(server: ServerProcess, small_disk: Path) -> None:
    fill(small_disk, 10 * MIB)
    time.sleep(CACHED + 0.1)
    assert send(server, "too large", 9 * MIB) == 452
    assert eventually(lambda: send(server, "small") == 250)
    assert subjects(server) == ["small"]


def test_a_disk_that_fills_up_within_a_message_leaves_nothing_of_it(server: ServerProcess, small_disk: Path) -> None:
    before = send(server, "before")
    filler = fill(small_disk, 0)
    code = send(server, "during", 8 * MIB)
    filler.unlink()
    assert (before, code) == (250, 452)
    assert subjects(server) == ["before"]


def test_mail_can_be_read_and_deleted_on_a_full_disk(server: ServerProcess, small_disk: Path) -> None:
    for number in range(20):
        assert send(server, str(number), 20_000) == 250
    fill(small_disk, 0)
    assert subjects(server) == [str(number) for number in range(20)]
    assert delete_all(server) == 20
    assert subjects(server) == []


def test_mail_is_taken_again_once_there_is_room(server: ServerProcess, small_disk: Path) -> None:
    filler = fill(small_disk, 0)
    assert eventually(lambda: send(server, "refused") == 452)
    filler.unlink()
    assert eventually(lambda: send(server, "taken") == 250)
    assert subjects(server) == ["taken"]
