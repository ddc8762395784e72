"""Servers of their own for the tests of starting, stopping and everything between."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from worldmail.testing.process import ServerProcess

POP3 = 110

WITHIN = 90.0
"""Seconds in which everything happens, also on a machine that does much else."""


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that every user of the machine may pass through (pytest's own are closed to others)."""
    made = Path(tempfile.mkdtemp(prefix="worldmail-test-"))
    made.chmod(0o711)
    yield made
    shutil.rmtree(made)


@pytest.fixture
def server(template: ServerProcess, place: Path) -> Iterator[ServerProcess]:
    """A server that was initialised and not started; stopped at the end."""
    made = ServerProcess(directory=place / "data", port_base=template.port_base, forked=True)
    shutil.copytree(template.directory, made.directory)
    yield made
    made.kill()


def records(server: ServerProcess) -> list[dict[str, Any]]:
    """What the server wrote so far. Its log follows what it tells of by a moment, for which this waits."""
    text = _log(server)
    for _ in range(20 if server.running() else 0):
        time.sleep(0.03)
        before, text = text, _log(server)
        if text == before:
            break
    whole = text.rpartition("\n")[0]
    return [json.loads(line) for line in whole.splitlines() if line.startswith("{")]


def _log(server: ServerProcess) -> str:
    return server.log.read_text() if server.log.exists() else ""


def wait_for(server: ServerProcess, event: str, count: int = 1, within: float = WITHIN) -> dict[str, Any]:
    """The newest record of this event, once there are so many."""
    found = until(lambda: [one for one in records(server) if one["event"] == event][count - 1 :], within)
    last: dict[str, Any] = found[-1]
    return last


def until(look: Callable[[], Any], within: float = WITHIN) -> Any:
    """What `look` finds, once it finds something."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.02)
    raise AssertionError("it did not happen in time")


def status_of(pid: int) -> dict[str, str]:
    """/proc/PID/status as fields."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to give it up")
