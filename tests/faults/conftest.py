"""The servers and clients of the crash tests, for the fault tests."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1] / "crash"), str(Path(__file__).parent), str(Path(__file__).parents[2])]

import pytest  # noqa: E402 - as below
from oracle.fixtures import MakeServer, disk, prepared, seed  # noqa: E402 - found through the path above
from oracle.fixtures import make_server as make_server_anew  # noqa: E402 - as above

from worldmail.testing.process import TWISTD, ServerProcess  # noqa: E402 - as above

__all__ = ["disk", "make_server", "make_server_anew", "prepared", "seed"]


@pytest.fixture
def make_server(make_server_anew: MakeServer) -> MakeServer:
    """As in the crash tests; but what is not about the start need not wait for it."""

    def make(program: tuple[str, ...] = TWISTD, directory: Path | None = None) -> ServerProcess:
        made = make_server_anew(program, directory)
        made.forked = True
        return made

    return make
