"""Makes the packages beside this file importable, and their fixtures known."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2])]

from oracle.fixtures import disk, long, make_server, prepared, seed  # noqa: E402 - found through the path above
from oracle.relay_fixtures import make_relay, prepared_relay  # noqa: E402 - found through the path above
from oracle.turn_fixtures import make_pair, make_turns, prepared_pair, prepared_turns  # noqa: E402 - found through the path above

__all__ = [
    "disk",
    "long",
    "make_pair",
    "make_relay",
    "make_server",
    "make_turns",
    "prepared",
    "prepared_pair",
    "prepared_relay",
    "prepared_turns",
    "seed",
]
