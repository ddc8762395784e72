"""The servers and clients of the crash tests, for the fault tests."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1] / "crash"), str(Path(__file__).parent), str(Path(__file__).parents[2])]

from oracle.fixtures import disk, make_server, prepared, seed  # noqa: E402 - found through the path above

__all__ = ["disk", "make_server", "prepared", "seed"]
