"""The seed of what a test draws: the same in each run of the suite, another each time in the long form."""

from __future__ import annotations

import os
import random


def seed_of(variable: str) -> int:
    """The seed that the environment variable gives, to replay a run; else as the form of the run has it.

    What a search finds is then found in the long form, by who looks for it, and a change to something
    else never fails for it.
    """
    given = os.environ.get(variable)
    if given:
        return int(given)
    return random.randrange(1 << 32) if os.environ.get("WORLDMAIL_LONG") else 1
