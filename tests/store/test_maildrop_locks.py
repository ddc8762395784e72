"""One session a maildrop, over all processes; a lock dies with its process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from worldmail.interfaces.store import IMaildropLock
from worldmail.store.maildrop import FileLocks

HOLDER = """
import sys
from worldmail.store.maildrop import FileLocks
lock = FileLocks(sys.argv[1]).lock(int(sys.argv[2])).value
print("held" if lock else "taken", flush=True)
sys.stdin.read()
"""


def ask(locks: FileLocks, account: int) -> IMaildropLock | None:
    """What these locks answer, and they answer at once."""
    asked = locks.lock(account).__await__()
    with pytest.raises(StopIteration) as answer:
        next(asked)
    lock: IMaildropLock | None = answer.value.value
    return lock


@pytest.fixture
def other(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds maildrop 7 until its input ends."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path / "locks"), "7"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_another_processs_maildrop_is_taken_and_its_neighbours_are_free(
    other: subprocess.Popen[str], tmp_path: Path
) -> None:
    locks = FileLocks(str(tmp_path / "locks"))
    assert ask(locks, 7) is None
    assert ask(locks, 6) is not None
    assert ask(locks, 8) is not None


def test_a_killed_process_leaves_no_lock(other: subprocess.Popen[str], tmp_path: Path) -> None:
    locks = FileLocks(str(tmp_path / "locks"))
    other.kill()
    other.wait()
    assert ask(locks, 7) is not None


def test_opening_the_file_elsewhere_in_the_process_through_the_same_locks_keeps_what_is_held(tmp_path: Path) -> None:
    locks = FileLocks(str(tmp_path / "locks"))
    held = [ask(locks, account) for account in range(1, 200)]
    assert all(held)
    assert all(ask(locks, account) is None for account in range(1, 200))


def test_the_lock_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    ask(FileLocks(str(tmp_path / "locks")), 1)
    assert (tmp_path / "locks").stat().st_mode & 0o777 == 0o600
