"""The disk that loses power forgets what it may, and keeps what it must."""

from __future__ import annotations

import os
from pathlib import Path

import apsw
import pytest
from powerloss.disk import PowerLossDisk


def sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)


def put(path: Path, octets: bytes, *, synced: bool) -> None:
    with path.open("wb") as file:
        file.write(octets)
        file.flush()
        if synced:
            os.fsync(file.fileno())


def test_synced_octets_under_a_synced_name_survive(disk: PowerLossDisk) -> None:
    put(disk.mountpoint / "a", b"kept", synced=True)
    sync(disk.mountpoint)
    disk.cut("none", 1)
    assert (disk.backing / "a").read_bytes() == b"kept"


def test_a_name_whose_directory_was_not_synced_is_forgotten(disk: PowerLossDisk) -> None:
    put(disk.mountpoint / "a", b"kept", synced=True)
    disk.cut("none", 1)
    assert not (disk.backing / "a").exists()


def test_octets_written_since_the_last_sync_are_forgotten(disk: PowerLossDisk) -> None:
    put(disk.mountpoint / "a", b"old", synced=True)
    sync(disk.mountpoint)
    put(disk.mountpoint / "a", b"newer", synced=False)
    disk.cut("none", 1)
    assert (disk.backing / "a").read_bytes() == b"old"


@pytest.mark.parametrize("mode", ["prefix", "scatter"])
def test_whatever_is_forgotten_each_sector_is_old_or_new(disk: PowerLossDisk, mode: str) -> None:
    put(disk.mountpoint / "a", b"o" * 8192, synced=True)
    sync(disk.mountpoint)
    with (disk.mountpoint / "a").open("r+b") as file:
        for _ in range(16):
            file.write(b"n" * 512)
            file.flush()
    disk.cut(mode, 7)
    octets = (disk.backing / "a").read_bytes()
    assert len(octets) == 8192
    assert {octets[start : start + 512] for start in range(0, 8192, 512)} <= {b"o" * 512, b"n" * 512}


def test_a_rename_is_forgotten_with_both_its_names(disk: PowerLossDisk) -> None:
    (disk.mountpoint / "from").mkdir()
    (disk.mountpoint / "to").mkdir()
    put(disk.mountpoint / "from" / "a", b"octets", synced=True)
    disk.settle()
    (disk.mountpoint / "from" / "a").rename(disk.mountpoint / "to" / "b")
    disk.cut("none", 1)
    assert (disk.backing / "from" / "a").read_bytes() == b"octets"
    assert not (disk.backing / "to" / "b").exists()


def test_a_rename_is_kept_once_both_directories_are_synced(disk: PowerLossDisk) -> None:
    (disk.mountpoint / "from").mkdir()
    (disk.mountpoint / "to").mkdir()
    put(disk.mountpoint / "from" / "a", b"octets", synced=True)
    disk.settle()
    (disk.mountpoint / "from" / "a").rename(disk.mountpoint / "to" / "b")
    sync(disk.mountpoint / "from")
    sync(disk.mountpoint / "to")
    disk.cut("none", 1)
    assert not (disk.backing / "from" / "a").exists()
    assert (disk.backing / "to" / "b").read_bytes() == b"octets"


def test_a_removal_is_forgotten(disk: PowerLossDisk) -> None:
    put(disk.mountpoint / "a", b"octets", synced=True)
    disk.settle()
    (disk.mountpoint / "a").unlink()
    disk.cut("none", 1)
    assert (disk.backing / "a").read_bytes() == b"octets"


def test_nothing_works_after_the_cut(disk: PowerLossDisk) -> None:
    disk.cut("none", 1)
    with pytest.raises(OSError):
        put(disk.mountpoint / "a", b"", synced=False)


def rows_kept(disk: PowerLossDisk, synchronous: str) -> int:
    """Commits 50 rows, cuts the power, and counts what a new connection finds."""
    connection = apsw.Connection(str(disk.mountpoint / "db"))
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute(f"PRAGMA synchronous={synchronous}")
    connection.execute("CREATE TABLE t (n)")
    disk.settle()
    for number in range(50):
        connection.execute("INSERT INTO t VALUES (?)", (number,))
    disk.cut("none", 1)
    found = apsw.Connection(str(disk.backing / "db"))
    ((count,),) = found.execute("SELECT count(*) FROM t").fetchall()
    found.close()
    return int(count)


def test_full_synchronous_keeps_every_commit(disk: PowerLossDisk) -> None:
    assert rows_kept(disk, "FULL") == 50


def test_normal_synchronous_loses_commits_so_the_disk_would_find_it(disk: PowerLossDisk) -> None:
    assert rows_kept(disk, "NORMAL") < 50
