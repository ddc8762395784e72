"""The fixtures of the crash and fault tests: servers on prepared data, disks that lose power, seeds."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest
from powerloss.disk import PowerLossDisk, can_mount

from oracle.trial import prepare
from worldmail.testing.process import TWISTD, ServerProcess
from worldmail.testing.seeds import seed_of


class MakeServer(Protocol):
    """See `make_server`."""

    def __call__(self, program: tuple[str, ...] = ..., directory: Path | None = ...) -> ServerProcess: ...


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    """A new one in the long form, or that of CRASH_SEED to replay a run; shown when the test fails."""
    chosen = seed_of("CRASH_SEED")
    print(f"CRASH_SEED={chosen} replays {request.node.name}")
    return chosen


@pytest.fixture
def long() -> bool:
    """True in the long form of the runs: `tox -e crash`."""
    return bool(os.environ.get("WORLDMAIL_LONG"))


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> ServerProcess:
    """Data with accounts in it, made once; tests run on copies of it, one at a time, on the same ports."""
    server = ServerProcess(directory=tmp_path_factory.mktemp("prepared") / "data", forked=True)
    prepare(server)
    return server


@pytest.fixture
def make_server(prepared: ServerProcess, tmp_path: Path) -> Iterator[MakeServer]:
    """Makes a server on a copy of the prepared data: with which program, in which place."""
    made: list[ServerProcess] = []

    def make(program: tuple[str, ...] = TWISTD, directory: Path | None = None) -> ServerProcess:
        place = directory or tmp_path / "data"
        shutil.copytree(prepared.directory, place, dirs_exist_ok=True)
        output = tmp_path / "server.log"
        made.append(ServerProcess(directory=place, program=program, port_base=prepared.port_base, output=output))
        return made[-1]

    yield make
    for server in made:
        server.kill()
        print(server.tail())


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[PowerLossDisk]:
    """A disk that loses power, mounted."""
    if not can_mount():
        pytest.skip("needs /dev/fuse and fusermount3")
    made = PowerLossDisk(backing=tmp_path / "backing", mountpoint=tmp_path / "mount")
    made.mount()
    yield made
    made.unmount()
