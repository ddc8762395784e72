"""Makes the packages beside this file importable, and prints the seed of every random run."""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2])]


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    """A new seed, or that of CRASH_SEED to replay a run; shown when the test fails."""
    chosen = int(os.environ.get("CRASH_SEED") or random.randrange(1 << 32))
    print(f"CRASH_SEED={chosen} replays {request.node.name}")
    return chosen
